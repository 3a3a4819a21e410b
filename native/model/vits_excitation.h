// The source signals that a source-filter head filters: a pulse train at the predicted pitch, and white noise
// (training/networks/vits_generator.py).

#pragma once

#include "vits_config.h"

#include "../graph/graph.h"

#include <cstdint>
#include <vector>

namespace moss {

/// A pulse train of unit power: the sum of the cosines of all harmonics below a limit, generated frame by frame.
class PulseTrain {
  public:
    explicit PulseTrain(const DecoderConfig & config);

    /// Appends hop_length samples of the next frame. Pitch is standardised ln F0, voicing in 0..1. Within a frame, F0
    /// and voicing are interpolated linearly from the values of the previous frame.
    void push(float pitch, float voicing, std::vector<float> & samples);

  private:
    int hop_;
    int sample_rate_;
    float log_f0_mean_, log_f0_std_;
    bool started_ = false;
    double f0_ = 0;      // of the previous frame, Hz
    double voicing_ = 0; // of the previous frame
    double turns_ = 0;   // accumulated phase, in -0.5 .. 0.5
};

/// Provides pulses and noise for the spectrum of a stream. Computed outside of the graphs, because the phase is
/// accumulated over the whole stream.
class Excitation {
  public:
    /// `context` is the number of samples before a frame that the analysis of its spectrum sees.
    Excitation(const DecoderConfig & config, uint64_t seed, int64_t context);

    /// Appends the pitch and voicing of the next frame.
    void push(float pitch, float voicing);

    struct Inputs {
        ggml_tensor * samples; // [1, context + stride * frames] of the pulse train
        ggml_tensor * noise;   // [channels, frames]: real and imaginary parts of the noise's spectrum
    };

    /// Makes the graph inputs for the next `frames` frames of the spectrum, whose data lives until the next call.
    /// Throws `internal` if the pitch of these frames has not been pushed.
    Inputs take(Graph & g, int64_t frames);

  private:
    PulseTrain pulses_;
    uint64_t seed_;
    int64_t context_;
    int64_t stride_;
    int64_t channels_;
    std::vector<float> samples_; // beginning `context` samples before the next frame
    int64_t taken_ = 0;          // samples at the front that the last graph no longer needs
    std::vector<float> noise_;
    int64_t frame_ = 0;
};

} // namespace moss
