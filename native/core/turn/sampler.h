#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace moss {

/// How the next id is drawn from a row of logits. The defaults are the official MOSS-Speech ones.
struct Sampling {
    float temperature = 0.6F; ///< 0 takes the likeliest id; 0..2
    int32_t top_k = 20;       ///< keep the k likeliest ids; 0 keeps all
    float top_p = 0.95F;      ///< keep the likeliest ids whose probabilities sum to p; 0 < p <= 1
    float repetition_penalty =
        1.1F;          ///< logits of ids already drawn: divided by it if positive, else multiplied; 1 is off
    uint64_t seed = 0; ///< equal seeds draw equal ids
};

/// xoshiro256** (Blackman and Vigna), seeded by splitmix64: the same numbers on every platform, unlike <random>'s
/// distributions.
class Random {
  public:
    explicit Random(uint64_t seed);

    uint64_t next();
    /// Uniform in [0, 1), 53 bits.
    double uniform();

  private:
    std::array<uint64_t, 4> state_;
};

/// Draws ids of one channel: repetition penalty, then temperature, top-k and top-p, as transformers' logits processors
/// do.
class Sampler {
  public:
    explicit Sampler(const Sampling & options) : options_(options), random_(options.seed) {}

    /// Draws an id from `logits` [V], in which -inf (or NaN) masks an id, and remembers it for the repetition penalty.
    /// @throws MossError MOSS_INTERNAL when every id is masked.
    int32_t sample(std::vector<float> & logits);

  private:
    Sampling options_;
    Random random_;
    std::vector<int32_t> drawn_; // distinct
    std::vector<int32_t> order_; // scratch
};

} // namespace moss
