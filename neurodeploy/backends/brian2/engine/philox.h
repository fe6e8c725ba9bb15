// Philox 4x64-10: four random words for each counter and key, whoever asks and in whatever order.
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; constants from there.
#ifndef NEURODEPLOY_PHILOX_H
#define NEURODEPLOY_PHILOX_H

#include <cstdint>

namespace neurodeploy {

struct Words {
    uint64_t word[4];
};

inline Words philox(Words counter, uint64_t key0, uint64_t key1) {
    for (int round = 0; round < 10; round++) {
        const unsigned __int128 first = static_cast<unsigned __int128>(0xD2E7470EE14C6C93u) * counter.word[0];
        const unsigned __int128 second = static_cast<unsigned __int128>(0xCA5A826395121157u) * counter.word[2];
        counter = {{static_cast<uint64_t>(second >> 64) ^ counter.word[1] ^ key0, static_cast<uint64_t>(second),
                    static_cast<uint64_t>(first >> 64) ^ counter.word[3] ^ key1, static_cast<uint64_t>(first)}};
        key0 += 0x9E3779B97F4A7C15u;
        key1 += 0xBB67AE8584CAA73Bu;
    }
    return counter;
}

}  // namespace neurodeploy

#endif
