#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace moss {

/// How the next id is sampled from logits. The defaults are those of the official MOSS-Speech.
struct Sampling {
    float temperature = 0.6F; ///< 0..2; 0 takes the likeliest id
    int32_t top_k = 20;       ///< keeps the k likeliest ids; 0 keeps all
    float top_p = 0.95F;      ///< keeps the likeliest ids whose probabilities sum to p; 0 < p <= 1
    /// Logits of ids that have been sampled before are divided by it if positive, else multiplied with it. 1 turns it
    /// off.
    float repetition_penalty = 1.1F;
    uint64_t seed = 0; ///< with equal seeds, equal logits give equal ids
};

/// xoshiro256** (Blackman and Vigna), seeded by splitmix64: the same numbers on every platform, unlike <random>'s
/// distributions.
class Random {
  public:
    using State = std::array<uint64_t, 4>;

    explicit Random(uint64_t seed);
    /// Continues where another generator was, whose state() this is.
    explicit Random(const State & state) : state_(state) {}

    const State & state() const { return state_; }
    uint64_t next();
    /// Uniform in [0, 1), 53 bits.
    double uniform();

  private:
    State state_;
};

/// Samples the ids of one channel. Applies the repetition penalty, then temperature, top-k and top-p, like
/// transformers' logits processors.
class Sampler {
  public:
    explicit Sampler(const Sampling & options) : options_(options), random_(options.seed) {}

    /// Samples an id from `logits` [V], in which -inf or NaN masks an id, and keeps it for the repetition penalty.
    /// Changes `logits`.
    /// @throws MossError MOSS_INTERNAL if every id is masked.
    int32_t sample(std::vector<float> & logits);

  private:
    Sampling options_;
    Random random_;
    std::vector<int32_t> drawn_; // the different ids that have been sampled
    std::vector<int32_t> order_; // temporary list of candidates, likeliest first
};

} // namespace moss
