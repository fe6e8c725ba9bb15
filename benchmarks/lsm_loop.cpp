// The liquid as a plain event-driven loop in C++, single precision: the peer of benchmarks/lsm.py.
//
// Input, read from one binary file: int32 inputs, neurons, excitatory, synapses; int32 pre, int32 post, float weight of each synapse, sorted
// by source, then target; int32 trials, steps, plastic, restore; float w_astro, fade; float probabilities of each trial.
// Output: liquid spikes, input spikes, seconds, mean magnitudes of the weights from inputs, excitatory and inhibitory neurons.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

static uint64_t mix(uint64_t x) {  // SplitMix64
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

template <class T> static T read_one(std::FILE* file) {
    T value;
    if (std::fread(&value, sizeof value, 1, file) != 1) std::exit(1);
    return value;
}
template <class T> static std::vector<T> read_many(std::FILE* file, size_t count) {
    std::vector<T> values(count);
    if (std::fread(values.data(), sizeof(T), count, file) != count) std::exit(1);
    return values;
}

int main(int, char** arguments) {
    std::FILE* file = std::fopen(arguments[1], "rb");
    const int inputs = read_one<int32_t>(file), neurons = read_one<int32_t>(file), excitatory = read_one<int32_t>(file);
    const int synapses = read_one<int32_t>(file), cells = inputs + neurons;
    const auto pre = read_many<int32_t>(file, synapses), post = read_many<int32_t>(file, synapses);
    auto w = read_many<float>(file, synapses);
    const int trials = read_one<int32_t>(file), steps = read_one<int32_t>(file);
    const bool plastic = read_one<int32_t>(file), restore = read_one<int32_t>(file);
    const float w_astro = read_one<float>(file), fade = read_one<float>(file);
    const auto p = read_many<float>(file, size_t(trials) * inputs);

    std::vector<int> row(cells + 1, 0), column(cells + 1, 0), by_target(synapses);
    for (int k = 0; k < synapses; k++) { row[pre[k] + 1]++; column[post[k] + 1]++; }
    for (int n = 0; n < cells; n++) { row[n + 1] += row[n]; column[n + 1] += column[n]; }
    std::vector<int> next(column.begin(), column.end() - 1);
    for (int k = 0; k < synapses; k++) by_target[next[post[k]]++] = k;

    const auto start = w;
    std::vector<float> v(cells), current(cells), correction(cells), g(cells), trace(cells, 0), low(cells), high(cells);
    std::vector<int> wait(cells), spikes;
    std::vector<uint8_t> spiked(cells);
    for (int n = 0; n < cells; n++) {
        low[n] = n >= inputs && n < inputs + excitatory ? 0 : -3;
        high[n] = n >= inputs + excitatory ? 0 : 3;
    }
    const float decay = std::exp(-1.0f), m = 0.904774f;
    long liquid = 0, input = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (int trial = 0; trial < trials; trial++) {
        std::fill(v.begin(), v.end(), 0.0f);
        std::fill(current.begin(), current.end(), 0.0f);
        std::fill(g.begin(), g.end(), 0.0f);
        std::fill(wait.begin(), wait.end(), 0);
        if (restore) { w = start; std::fill(trace.begin(), trace.end(), 0.0f); }
        std::vector<std::pair<int, uint32_t>> active;
        for (int k = 0; k < inputs; k++)
            if (p[size_t(trial) * inputs + k] > 0) active.push_back({k, uint32_t(std::min(p[size_t(trial) * inputs + k] * 4294967296.0, 4294967295.0))});
        float a = 0.15f, rate = 0.15f, gain = w_astro, rest = 0.15f;
        for (int t = 0; t < steps; t++) {
            spikes.clear();
            for (int n = 0; n < cells; n++)
                if (v[n] >= 20 && wait[n] <= 0) { spikes.push_back(n); v[n] = 0; wait[n] = 3; spiked[n] = 1; }
            int counted = 0;
            for (int n : spikes) counted += n < inputs ? -1 : 1;
            liquid += (counted + long(spikes.size())) / 2;
            input += (long(spikes.size()) - counted) / 2;
            for (int j : spikes) {
                const float fresh = 1 - g[j], early = j >= inputs + excitatory ? rate : -a, lo = low[j], hi = high[j];
                if (plastic)
                    for (int k = row[j]; k < row[j + 1]; k++) {
                        const int i = post[k];
                        current[i] += w[k] * fresh;
                        if (spiked[i]) continue;  // its change comes with the target's
                        const float moved = std::min(std::max(w[k] + early * 0.1f * trace[i], lo), hi);
                        correction[i] += moved - w[k];
                        w[k] = moved;
                    }
                else
                    for (int k = row[j]; k < row[j + 1]; k++) current[post[k]] += w[k] * fresh;
            }
            for (int j : spikes) g[j] = 1;
            if (plastic)
                for (int i : spikes) {
                    float sum = 0;
                    for (int q = column[i]; q < column[i + 1]; q++) {
                        const int k = by_target[q], j = pre[k];
                        const bool mirrored = j >= inputs + excitatory;
                        float change = (mirrored ? -a : rate) * 0.1f * trace[j];
                        if (spiked[j]) change += (mirrored ? rate : -a) * 0.1f * trace[i];
                        const float moved = std::min(std::max(w[k] + change, low[j]), high[j]);
                        sum += (moved - w[k]) * g[j];
                        w[k] = moved;
                    }
                    correction[i] += sum;
                }
            for (int n = 0; n < cells; n++) {
                v[n] += current[n] - v[n] / 64;
                current[n] = (current[n] + correction[n]) * decay;
                correction[n] = 0;
                g[n] *= decay;
                wait[n]--;
                trace[n] = m * (trace[n] + spiked[n]);
                spiked[n] = 0;
            }
            for (const auto& hit : active)
                if (uint32_t(mix(mix(trial) ^ (uint64_t(t) << 32 | hit.first))) < hit.second) v[hit.first] += 100;
            a = (a + (gain * counted + rest - a) / 100) * fade;
            rate *= fade; gain *= fade; rest *= fade;
        }
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    double sum[3] = {0, 0, 0};  // of magnitudes, from inputs, excitatory and inhibitory neurons
    long count[3] = {0, 0, 0};
    for (int k = 0; k < synapses; k++) {
        const int source = pre[k] < inputs ? 0 : pre[k] < inputs + excitatory ? 1 : 2;
        sum[source] += std::fabs(w[k]);
        count[source]++;
    }
    std::printf("%ld %ld %.6f", liquid, input, seconds);
    for (int source = 0; source < 3; source++) std::printf(" %.6f", sum[source] / count[source]);
    std::printf("\n");
}
