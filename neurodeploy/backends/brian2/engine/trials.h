// Beside the code that Brian2 generates for trials: rows of synapses, by source and by target.
#ifndef NEURODEPLOY_TRIALS_H
#define NEURODEPLOY_TRIALS_H

#include <cstdint>
#include <vector>

namespace neurodeploy {

// Synapses start[n] to start[n + 1] of neuron n; by target, `synapse` says which ones these are, and `source` where they come from.
struct Rows {
    std::vector<int32_t> start;
    std::vector<int32_t> synapse;
    std::vector<int32_t> source;
};
extern Rows pre_rows[];
extern Rows post_rows[];

}  // namespace neurodeploy

#endif
