// Beside the code that Brian2 generates: ring buffers for synaptic input, the table of plasticity rules,
// recording to files.  Sizes are read when the program starts, so that one binary serves every size.
#ifndef NEURODEPLOY_ENGINE_H
#define NEURODEPLOY_ENGINE_H

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace neurodeploy {

// The numbers of the file "sizes" in the working directory.
extern long sizes[];
inline long size_of(int k) { return sizes[k]; }

// The same while static objects are still being made: reads the file if nobody has.
long read_size_of(int k);

// Weights on their way: one row of slots a receptor of a neuron; slot s holds what arrives in step s.
struct Ring {
    std::vector<double> data;
    long rows = 0;
    long mask = 0;
    void allocate(long row_count, long slot_count) {
        rows = row_count;
        mask = slot_count - 1;  // slot_count is a power of two
        data.assign(row_count * slot_count, 0.0);
    }
};
extern Ring rings[];

// Add weight to a row of ring g, to arrive in step `slot`.
inline double send(int g, long row, long slot, double weight) {
    Ring& ring = rings[g];
    ring.data[(slot & ring.mask) * ring.rows + row] += weight;
    return 0.0;
}

// Static synapses of one group onto another, sorted by presynaptic neuron: a spike puts the weights of its neuron's
// synapses into the slots in which they arrive.
struct StaticSynapses {
    const std::vector<int32_t>& pre;
    const std::vector<int32_t>& row;
    const std::vector<int32_t>& steps;
    const std::vector<double>& weight;
    int32_t* const& spikes;   // of this step; their number stands behind the last neuron's place
    int source;               // whose spikes these are, as a number of size_of
    int ring;
    long late;                // steps from the one that is executed to the one in which a spike counts
    std::vector<long> first;      // a neuron's first synapse
    std::vector<uint32_t> place;  // where a synapse's weight goes, counted from the slot of the present step
    size_t furthest = 0;          // the largest of these

    void prepare() {
        const long size = size_of(source);
        first.assign(size + 1, 0);
        for (const int32_t neuron : pre) first[neuron + 1]++;
        for (long i = 0; i < size; i++) first[i + 1] += first[i];
        const Ring& target = rings[ring];
        if (target.data.size() > UINT32_MAX) throw std::runtime_error("delays are too long for so many neurons");
        place.resize(pre.size());
        furthest = 0;
        for (size_t s = 0; s < place.size(); s++) {
            place[s] = static_cast<uint32_t>(((late + steps[s]) & target.mask) * target.rows + row[s]);
            furthest = std::max<size_t>(furthest, place[s]);
        }
    }
    void deliver(long step) {
        Ring& target = rings[ring];
        const size_t here = (step & target.mask) * target.rows;
        if (here + furthest < target.data.size()) deliver<false>(target.data, here);
        else deliver<true>(target.data, here);
    }
    template <bool beyond_the_end> void deliver(std::vector<double>& slots, size_t here) {
        double* const data = slots.data();
        const size_t size = slots.size();
        const uint32_t* const to = place.data();
        const double* const w = weight.data();
        const int32_t count = spikes[size_of(source)];
        for (int32_t k = 0; k < count; k++) {
            const long end = first[spikes[k] + 1];
#pragma GCC unroll 4
            for (long s = first[spikes[k]]; s < end; s++) {
                size_t at = here + to[s];
                if (beyond_the_end) at -= size & -static_cast<size_t>(at >= size);  // a branch would be slower
                data[at] += w[s];
            }
        }
    }
};

// Plasticity rules: a row of numbers for each projection that learns.
const long RULE_WIDTH = 16;
extern std::vector<double> rules;
inline double rule(long row, long column) { return rules[row * RULE_WIDTH + column]; }

// One recorded variable of one population.
struct Channel {
    const double* source;
    std::vector<int32_t> neurons;
    long interval;
    bool after;
    std::FILE* file;
};

// Spikes of one group, for the neurons whose mask is set.
struct SpikeChannel {
    const int32_t* space;
    long capacity;
    std::vector<uint8_t> mask;
    std::FILE* file;
};

}  // namespace neurodeploy

#endif
