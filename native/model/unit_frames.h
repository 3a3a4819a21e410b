// Expands units to frames, as a stream: encodes the units, predicts their durations, and repeats the hidden vector of
// each unit for all of its frames. Each frame also gets its relative position in the unit and the length of the unit.

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

/// The frames of one utterance. Uses its runner only within push() and finish().
class UnitFrames::Stream {
  public:
    /// Adds its tensors to `state`, which the caller allocates.
    Stream(const UnitFrames & network, Runner & runner, StreamState & state);

    /// Sets the `style` [S] of the voice and the `speed`, which divides the durations. To be called before the first
    /// unit.
    void set_voice(std::vector<float> style, float speed) {
        style_ = std::move(style);
        speed_ = speed;
    }

    /// Adds units, with one UnitProsody each or null. Several units are encoded at a time, and `ready` is called
    /// whenever frames() may have grown. Throws invalid_argument for a unit out of range and after finish().
    void
    push(const int32_t * units, size_t count, const UnitProsody * prosody, const std::function<void()> & ready = [] {});

    /// Ends the utterance, so that all frames become ready. Returns whether any unit was pushed.
    bool finish();

    /// The number of frames that take() can return.
    int64_t frames() const { return frames_; }

    /// Returns the next `count` frames, [C + 2] each, valid until the next call. Adds their pitch shifts to shifts()
    /// and their traits to traits().
    const std::vector<float> & take(int count);

    /// What a frame has from its unit, besides its vector.
    struct Trait {
        float gain;
        bool at_pause; // whether it belongs to a pause, to an edge of the utterance, or to the unit before one of these
    };

    PitchShifts & shifts() { return shifts_; }
    /// The caller removes them from the front.
    std::deque<Trait> & traits() { return traits_; }
    /// The number of frames of each unit so far, including the edge units.
    const std::vector<int> & durations() const { return durations_; }
    /// The sample at which each unit so far ends, without the edge units.
    std::vector<size_t> ends() const;

  private:
    void add(int32_t unit, const UnitProsody & prosody, bool pause);
    void encode(bool last);

    /// How a unit is spoken.
    struct Spoken {
        UnitProsody prosody;
        bool pause = false; // or an edge of the utterance
    };

    /// A unit some of whose frames have not been taken.
    struct Unit {
        std::vector<float> hidden; // [C]
        Spoken spoken;
        int frames = 0; // 0 if not predicted yet
        int done = 0;
    };

    const UnitFrames & network_;
    Runner & runner_;
    std::vector<float> style_; // [S]
    float speed_ = 1;
    UnitEncoder::Stream text_;
    DurationPredictor::Stream duration_;
    std::vector<int32_t> ids_;    // units that have not been encoded
    std::deque<Spoken> waiting_;  // of units that have not left the encoder
    UnitProsody last_prosody_;    // of the last unit that was pushed
    std::deque<Unit> units_;      // the units that have left the encoder
    size_t predicted_ = 0;        // how many of these, from the front, have a duration
    int64_t frames_ = 0;          // of units with a duration, not taken yet
    std::vector<float> expanded_; // what take() returned
    std::vector<int> durations_;
    size_t pushed_ = 0; // units, without the edge units
    PitchShifts shifts_;
    std::deque<Trait> traits_;
    bool started_ = false;
    bool finished_ = false;
};

} // namespace moss
