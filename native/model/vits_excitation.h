// What a source-filter head filters: pulses of the predicted pitch, and white noise
// (training/networks/vits_generator.py).

#pragma once

#include "vits_config.h"

#include "../graph/graph.h"

#include <cstdint>
#include <vector>

namespace moss {

/// Cosines of all harmonics of a pitch below a limit, of unit power, frame after frame.
class PulseTrain {
  public:
    explicit PulseTrain(const DecoderConfig & config);

    /// Appends hop_length samples of the next frame. Pitch is standardised ln F0, voicing in 0..1. Within a frame F0
    /// and voicing run in a straight line from the frame before to this one.
    void push(float pitch, float voicing, std::vector<float> & samples);

  private:
    int hop_;
    int sample_rate_;
    float log_f0_mean_, log_f0_std_;
    bool started_ = false;
    double f0_ = 0;      // of the frame before, Hz
    double voicing_ = 0; // of the frame before
    double turns_ = 0;   // phase so far, in -0.5 .. 0.5
};

/// Pulses and noise for a stream's spectrum, in order. Lives on the host: the phase is a sum over all that was.
class Excitation {
  public:
    /// `context`: samples that the analysis of a spectrum's frame sees before the frame's own.
    Excitation(const DecoderConfig & config, uint64_t seed, int64_t context);

    /// The next frame's pitch and voicing.
    void push(float pitch, float voicing);

    struct Inputs {
        ggml_tensor * samples; // [1, context + stride * frames] of the pulse train
        ggml_tensor * noise;   // [channels, frames]: real and imaginary parts of the noise's spectrum
    };

    /// Inputs of a graph for the next `frames` frames of the spectrum; they live until the next call. Throws internal
    /// when the pitch is not known so far.
    Inputs take(Graph & g, int64_t frames);

  private:
    PulseTrain pulses_;
    uint64_t seed_;
    int64_t context_;
    int64_t stride_;
    int64_t channels_;
    std::vector<float> samples_; // from `context` samples before those of the next frame
    int64_t taken_ = 0;          // samples at the front that the last graph used up
    std::vector<float> noise_;
    int64_t frame_ = 0;
};

} // namespace moss
