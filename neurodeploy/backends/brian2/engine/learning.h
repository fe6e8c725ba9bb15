// Synapses that learn by Loihi's learning engine: sums of products in whole numbers, bit for bit as in
// neurodeploy/chips/loihi_learning.py, which says what is computed and where it comes from.
//
// The rule is data: a row of numbers a product (see `columns` in backends/brian2/loihi_learning.py).
#ifndef NEURODEPLOY_LEARNING_H
#define NEURODEPLOY_LEARNING_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "engine.h"

namespace neurodeploy {

static const int64_t TRACE_HIGH = 127, WEIGHT_HIGH = 255, TAG_LOW = -257, TAG_HIGH = 255;
static const int64_t HIGH = (1 << 15) - 1, LOW = -(1 << 15) - 1;  // of the accumulator

struct Learning {
    enum { FACTORS = 9 };     // x0 y0 x1 x2 y1 y2 y3 w t
    enum { TRACES = 5, PRE_TRACES = 2 };  // x1 x2 (by pre neuron), y1 y2 y3 (by post neuron)
    enum { FRACTION = 7 };    // bits below a whole weight
    enum { PRODUCT_WIDTH = 16 };

    struct Product {
        bool tag;
        int dependency;  // 0 x0, 1 y0, 2 every step
        int64_t mantissa;
        int shift, left;
        std::vector<int> factors;
    };

    // Data, by the names under which they are loaded.
    std::vector<int32_t> pre, post, row;        // of the synapses, sorted by pre; row of the ring
    std::vector<int32_t> weight, tag;           // the present ones
    std::vector<int32_t> rule;                  // PRODUCT_WIDTH numbers a product
    std::vector<int32_t> impulse;               // of the traces
    std::vector<double> decay;                  // what a step leaves of the traces; 0: nothing
    std::vector<double> random;                 // three numbers a step, from the present one on; empty: never asked for

    // Where it stands in the program.
    const int32_t* source = nullptr;            // spikes of this step; their number behind the last place
    const int32_t* target = nullptr;
    long source_capacity = 0, target_capacity = 0;
    int ring = 0, exponent = 0;
    long next_random = 0;

    std::vector<Product> products;
    std::vector<int32_t> traces[TRACES];
    std::vector<char> fired[2];
    std::vector<int32_t> first, by_post, first_by_post;
    std::vector<int32_t> visited, tagged;
    std::vector<char> seen;
    bool visits_all = false;

    void prepare() {
        products.clear();
        visits_all = false;
        for (size_t at = 0; at + PRODUCT_WIDTH <= rule.size(); at += PRODUCT_WIDTH) {
            const int32_t* const n = rule.data() + at;
            Product p{n[0] != 0, n[1], n[2], n[3], n[4], {n + 6, n + 6 + n[5]}};
            const bool of_tag = std::find(p.factors.begin(), p.factors.end(), 8) != p.factors.end();
            if (p.dependency == 2 && !of_tag) visits_all = true;
            products.push_back(p);
        }
        const long sizes[2] = {source_capacity, target_capacity};
        for (int t = 0; t < TRACES; t++) traces[t].resize(sizes[t >= PRE_TRACES], 0);
        for (int side = 0; side < 2; side++) fired[side].assign(sizes[side], 0);
        tag.resize(weight.size(), 0);
        seen.assign(weight.size(), 0);
        sort(pre, sizes[0], first, nullptr);
        sort(post, sizes[1], first_by_post, &by_post);
    }

    static void sort(const std::vector<int32_t>& neuron, long size, std::vector<int32_t>& begin, std::vector<int32_t>* order) {
        begin.assign(size + 1, 0);
        for (const int32_t n : neuron) begin[n + 1]++;
        for (long n = 0; n < size; n++) begin[n + 1] += begin[n];
        if (!order) return;
        order->resize(neuron.size());
        std::vector<int32_t> next(begin.begin(), begin.end() - 1);
        for (size_t s = 0; s < neuron.size(); s++) (*order)[next[neuron[s]]++] = static_cast<int32_t>(s);
    }

    // Send the step's spikes with the weights as they were, then learn from them.
    void step(long k) {
        const double none[3] = {0.0, 0.0, 0.0};
        const double* const number = random.empty() ? none : random.data() + 3 * next_random++;
        deliver(k);
        mark(1);
        for (int t = 0; t < TRACES; t++) advance_trace(t, number[t >= PRE_TRACES]);
        if (visits_all) {
            for (size_t s = 0; s < weight.size(); s++) visit(static_cast<int32_t>(s));
        } else {
            for (const int32_t s : tagged) visit(s);
            const int32_t spikes = source[source_capacity], answers = target[target_capacity];
            for (int32_t i = 0; i < spikes; i++)
                for (int32_t s = first[source[i]]; s < first[source[i] + 1]; s++) visit(s);
            for (int32_t i = 0; i < answers; i++)
                for (int32_t s = first_by_post[target[i]]; s < first_by_post[target[i] + 1]; s++) visit(by_post[s]);
        }
        tagged.clear();
        for (const int32_t s : visited) {
            learn(s, number[2]);
            seen[s] = 0;
            if (tag[s]) tagged.push_back(s);
        }
        visited.clear();
        mark(0);
    }

    void deliver(long k) {
        Ring& to = rings[ring];
        const int32_t spikes = source[source_capacity];
        for (int32_t i = 0; i < spikes; i++)
            for (int32_t s = first[source[i]]; s < first[source[i] + 1]; s++)
                to.data[((k + 1) & to.mask) * to.rows + row[s]] += static_cast<double>(int64_t(weight[s]) << exponent);
    }

    void mark(char value) {
        for (int32_t i = 0; i < source[source_capacity]; i++) fired[0][source[i]] = value;
        for (int32_t i = 0; i < target[target_capacity]; i++) fired[1][target[i]] = value;
    }

    void visit(int32_t s) {
        if (seen[s]) return;
        seen[s] = 1;
        visited.push_back(s);
    }

    // Floor, and one more where the random number lies below the fraction.
    static int64_t rounded(double value, double number) {
        const double whole = std::floor(value);
        return static_cast<int64_t>(whole) + (number < value - whole);
    }

    void advance_trace(int t, double number) {
        std::vector<int32_t>& trace = traces[t];
        const std::vector<char>& spiked = fired[t >= PRE_TRACES];
        for (size_t n = 0; n < trace.size(); n++) {
            int64_t value = 0;
            if (trace[n] && decay[t] != 0.0) {
                volatile double left = decay[t] * trace[n];  // rounded to a double before its fraction is taken
                value = rounded(left, number);
            }
            if (spiked[n]) value = std::min(std::max(value + impulse[t], int64_t(0)), TRACE_HIGH);
            trace[n] = static_cast<int32_t>(value);
        }
    }

    static int64_t cut(int64_t value) { return std::min(std::max(value, LOW), HIGH); }

    void learn(int32_t s, double number) {
        const int32_t i = pre[s], j = post[s];
        const int64_t value[FACTORS] = {fired[0][i],  fired[1][j],  traces[0][i], traces[1][i], traces[2][j],
                                        traces[3][j], traces[4][j], weight[s],    tag[s]};
        static const int64_t limit[FACTORS] = {1 << 1, 1 << 1, 1 << 7, 1 << 7, 1 << 7, 1 << 7, 1 << 7, 1 << 9, 1 << 9};
        int64_t sum[2] = {int64_t(weight[s]) << FRACTION, int64_t(tag[s]) * (1 << FRACTION)};
        for (const Product& p : products) {
            int64_t term = p.mantissa * (p.dependency == 2 ? 1 : value[p.dependency]);
            for (const int f : p.factors) term *= std::min(std::max(value[f], -limit[f]), limit[f] - 1);
            term = (term >> p.shift) * (int64_t(1) << p.left);
            sum[p.tag] = cut(sum[p.tag] + cut(term));
        }
        const double one = 1 << FRACTION;
        weight[s] = static_cast<int32_t>(std::min(rounded(std::max(sum[0], int64_t(0)) / one, number), WEIGHT_HIGH));
        tag[s] = static_cast<int32_t>(std::min(std::max(rounded(sum[1] / one, number), TAG_LOW), TAG_HIGH));
    }
};

}  // namespace neurodeploy

#endif
