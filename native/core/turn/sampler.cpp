#include "core/turn/sampler.h"

#include "io/error.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moss {

namespace {

uint64_t rotate_left(uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

} // namespace

Random::Random(uint64_t seed) {
    for (uint64_t & word : state_) {
        seed += 0x9E3779B97F4A7C15ULL;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        word = z ^ (z >> 31);
    }
}

uint64_t Random::next() {
    const uint64_t result = rotate_left(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate_left(state_[3], 45);
    return result;
}

double Random::uniform() {
    return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

int32_t Sampler::sample(std::vector<float> & logits) {
    for (const int32_t id : drawn_) {
        float & logit = logits[static_cast<size_t>(id)];
        logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    }
    order_.clear();
    for (size_t id = 0; id < logits.size(); id++) {
        if (logits[id] > -std::numeric_limits<float>::infinity()) { // false for NaN too
            order_.push_back(static_cast<int32_t>(id));
        }
    }
    if (order_.empty()) {
        throw MossError(code::internal, "no id can be sampled: every logit is masked or not a number");
    }
    const auto logit = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
    // Of equal logits the lower id comes first, so that the order is the same on every platform.
    const auto likelier = [&](int32_t a, int32_t b) { return logit(a) != logit(b) ? logit(a) > logit(b) : a < b; };

    int32_t chosen = *std::min_element(order_.begin(), order_.end(), likelier);
    if (options_.temperature > 0) {
        size_t kept = order_.size();
        if (options_.top_k > 0) {
            kept = std::min(kept, static_cast<size_t>(options_.top_k));
        }
        std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(kept), order_.end(), likelier);
        order_.resize(kept);

        std::vector<double> cumulative(kept); // cumulative sums of unnormalised probabilities
        double total = 0;
        for (size_t i = 0; i < kept; i++) {
            total += std::exp((static_cast<double>(logit(order_[i])) - logit(chosen)) / options_.temperature);
            cumulative[i] = total;
        }
        if (options_.top_p < 1) {
            // The id with which the sum reaches top_p is kept as well.
            const auto last = std::lower_bound(cumulative.begin(), cumulative.end(), total * options_.top_p);
            kept = std::min(kept, static_cast<size_t>(last - cumulative.begin()) + 1);
            total = cumulative[kept - 1];
        }
        const double point = random_.uniform() * total;
        const auto hit =
            std::upper_bound(cumulative.begin(), cumulative.begin() + static_cast<std::ptrdiff_t>(kept), point);
        chosen = order_[std::min(static_cast<size_t>(hit - cumulative.begin()), kept - 1)];
    }
    if (options_.repetition_penalty != 1 && std::find(drawn_.begin(), drawn_.end(), chosen) == drawn_.end()) {
        drawn_.push_back(chosen);
    }
    return chosen;
}

} // namespace moss
