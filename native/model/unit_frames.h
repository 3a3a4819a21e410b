// From units to the frames that they last, as a stream: the encoder of the units, the predictor of their durations, and
// the expansion, in which each frame is a copy of its unit's vector with its place in the unit and the unit's length.

#pragma once

#include "unit_prosody.h"
#include "vits_config.h"
#include "vits_prosody.h"
#include "vits_text.h"

#include "../graph/runner.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

namespace moss {

class UnitFrames {
  public:
    UnitFrames(const UnitFramesConfig & config, const Weights & weights);

    /// The number of units that must follow a unit before its frames can be computed: the look-ahead of all blocks and
    /// of the duration predictor.
    int lookahead_units() const;

    class Stream;

  private:
    UnitFramesConfig config_;
    UnitEncoder text_;
    DurationPredictor duration_;
};

/// An utterance. It needs its runner only within push() and finish().
class UnitFrames::Stream {
  public:
    /// Its slots are added to `state`.
    Stream(const UnitFrames & network, Runner & runner, StreamState & state);

    /// Before the first unit: the `style` [S] of the voice; `speed` divides the durations.
    void set_voice(std::vector<float> style, float speed) {
        style_ = std::move(style);
        speed_ = speed;
    }

    /// Units of the inventory, with one UnitProsody each or null; they are checked. They are encoded several at a time,
    /// and `ready` is called whenever frames() may have grown. Throws invalid_argument, also after finish().
    void push(const int32_t * units, size_t count, const UnitProsody * prosody, const std::function<void()> & ready);

    /// The utterance ends. Returns whether there was one, so that all frames are ready now.
    bool finish();

    /// Frames that take() can give.
    int64_t frames() const { return frames_; }

    /// The next frames, [C + 2] each, which stay until the next call. Their shifts of the pitch are added to shifts().
    const std::vector<float> & take(int count);

    PitchShifts & shifts() { return shifts_; }
    /// The loudness of the frames so far.
    FrameGains & gains() { return gains_; }
    /// Frames of each unit so far, the edge units included.
    const std::vector<int> & durations() const { return durations_; }

  private:
    void add(int32_t unit, const UnitProsody & prosody);
    void encode(bool last);

    /// A unit some of whose frames have not been taken.
    struct Unit {
        std::vector<float> hidden; // [C]
        UnitProsody prosody;
        int frames = 0; // 0 if not predicted yet
        int done = 0;
    };

    const UnitFrames & network_;
    Runner & runner_;
    std::vector<float> style_; // [S]
    float speed_ = 1;
    UnitEncoder::Stream text_;
    DurationPredictor::Stream duration_;
    std::vector<int32_t> ids_;        // units that have not been encoded
    std::deque<UnitProsody> waiting_; // of units that have not left the encoder
    UnitProsody last_prosody_;        // of the last unit that was pushed
    std::deque<Unit> units_;          // the units that have left the encoder
    size_t predicted_ = 0;            // how many of these, from the front, have a duration
    int64_t frames_ = 0;              // of units with a duration, not taken yet
    std::vector<float> expanded_;     // what take() returned
    std::vector<int> durations_;
    PitchShifts shifts_;
    FrameGains gains_;
    bool started_ = false;
    bool finished_ = false;
};

} // namespace moss
