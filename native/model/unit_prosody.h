// How single units are spoken (SSML's prosody and emphasis), in addition to the options of the whole utterance.

#pragma once

#include <cstddef>
#include <deque>
#include <vector>

namespace moss {

struct UnitProsody {
    float speed = 1; ///< 0.25 .. 4, a factor
    float pitch = 0; ///< -12 .. 12 semitones
    float gain = 1;  ///< 0 .. 10, a factor on the samples
};

/// Applies a gain for each frame to a stream of audio. Within a frame, the gain is interpolated linearly from that of
/// the previous frame, so that nothing clicks. The result does not depend on how the audio is cut into pieces.
class FrameGains {
  public:
    explicit FrameGains(int hop_length) : hop_(static_cast<size_t>(hop_length)) {}

    void push(float gain, int frames);
    /// Applies the gains to the next samples, whose frames must have been pushed.
    void apply(std::vector<float> & audio);

  private:
    size_t hop_;
    std::deque<float> gains_; // [0] is the gain of the frame before that of the next sample
    size_t sample_ = 0;       // index of the next sample in its frame
    bool neutral_ = true;     // all gains so far are 1
};

} // namespace moss
