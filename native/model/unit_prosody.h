// How single units are spoken, besides what holds for a whole utterance (SSML's prosody and emphasis).

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

/// Makes audio louder or softer as it comes, frame by frame. Within a frame the gain goes in a line from that of the
/// frame before to its own, so that nothing clicks; and so a sample does not depend on how the audio is cut into
/// pieces.
class FrameGains {
  public:
    explicit FrameGains(int hop_length) : hop_(static_cast<size_t>(hop_length)) {}

    void push(float gain, int frames);
    /// The next samples; their frames have been pushed.
    void apply(std::vector<float> & audio);

  private:
    size_t hop_;
    std::deque<float> gains_; // [0] is that of the frame before the next sample's
    size_t sample_ = 0;       // of its frame, the next
    bool neutral_ = true;     // all that was pushed is 1
};

} // namespace moss
