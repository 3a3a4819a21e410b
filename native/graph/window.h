// Streaming of layers that look ahead. A layer that sees `right` frames to the right answers that much later; each
// class here keeps, in a slot of a StreamState, the frames that must be seen or delivered again. Frames are [C, T], ne1
// = T; null: no frames.
//
// A network is written once, for a piece of a stream. The whole is one piece that is the first and the last.

#pragma once

#include "graph.h"
#include "state.h"

#include "../kernels/cpu/conv1d.h"

#include <cstdint>
#include <functional>
#include <string>

namespace moss {

/// Frames kept between pieces.
class ContextBuffer {
  public:
    ContextBuffer() = default;
    ContextBuffer(StreamState & state, const std::string & name, int64_t channels, int64_t capacity);

    int64_t count() const { return count_; }
    int64_t channels() const { return channels_; }

    /// The kept frames, then x's, then zeros; never memory of the slot itself. Null when there are none of the former
    /// two.
    ggml_tensor * join(Graph & g, ggml_tensor * x, int64_t zeros = 0) const;

    /// Keeps the last `count` frames of `all`, which may be null for 0 of them. Throws internal beyond the capacity.
    void keep(Graph & g, ggml_tensor * all, int64_t count);

    /// Starts with `count` frames of zeros instead of none.
    void start_with_zeros(int64_t count) { count_ = count; }

  private:
    ggml_tensor * slot_ = nullptr; // null: nothing is ever kept
    int64_t channels_ = 0;
    int64_t capacity_ = 0;
    int64_t count_ = 0;
};

/// What a convolution with `left` + 1 + `right` taps reads: zeros before the first frame and after the last.
class Window {
  public:
    Window() = default;
    Window(StreamState & state, const std::string & name, int64_t channels, int64_t left, int64_t right);

    /// [C, left + n + right] for the n frames that can now be answered; null where n is 0. `last`: x is the stream's
    /// end.
    ggml_tensor * push(Graph & g, ggml_tensor * x, bool last);

    /// The n frames in the middle of such a window: those to which a residual connection adds.
    ggml_tensor * center(Graph & g, ggml_tensor * window) const;
    /// Their number; 0 for null.
    int64_t center_count(const ggml_tensor * window) const;

  private:
    ContextBuffer frames_;
    int64_t left_ = 0;
    int64_t right_ = 0;
};

/// What a convolution sees, between pieces of a stream.
inline Window window_of(StreamState & state, const std::string & name, const PackedConv1d & conv) {
    return {state, name, conv.in_channels(), conv.left(), conv.right()};
}

/// Delivers frames when a slower path is ready for them, at most `capacity` frames late.
class Delay {
  public:
    Delay() = default;
    Delay(StreamState & state, const std::string & name, int64_t channels, int64_t capacity)
        : frames_(state, name, channels, capacity) {}

    /// The next `count` frames of the kept ones and x; the rest is kept. Null for 0.
    ggml_tensor * push(Graph & g, ggml_tensor * x, int64_t count);

    /// Frames kept.
    int64_t pending() const { return frames_.count(); }

  private:
    ContextBuffer frames_;
};

/// The last `capacity` frames, without padding: keys and values of a banded attention.
class LeftContext {
  public:
    LeftContext() = default;
    LeftContext(StreamState & state, const std::string & name, int64_t channels, int64_t capacity)
        : frames_(state, name, channels, capacity), capacity_(capacity) {}

    /// Kept frames and x; afterwards the last `capacity` of them are kept.
    ggml_tensor * push(Graph & g, ggml_tensor * x);

    int64_t count() const { return frames_.count(); }

  private:
    ContextBuffer frames_;
    int64_t capacity_ = 0;
};

/// A stream's frames behind those that came before them, in one run of memory. Who looks back or ahead, or waits, reads
/// a view of it: only the frames that are needed again are copied.
class StreamBuffer {
  public:
    StreamBuffer() = default;
    /// Of `before` frames before a piece, and `after` frames of zeros after the stream's end.
    StreamBuffer(StreamState & state, const std::string & name, int64_t channels, int64_t before, int64_t after);

    /// Writes frames from `first` on of a tensor, and returns it with them.
    using Writer = std::function<ggml_tensor *(ggml_tensor * all, int64_t first)>;

    /// The next `count` frames are those that `write` writes; it is not called for none. Once a graph.
    void push(Graph & g, int64_t count, const Writer & write, bool last);

    /// The next frames are a convolution's of `window`, which may be null for none.
    void push(Graph & g, const PackedConv1d & conv, ggml_tensor * window, Conv1dOptions options, bool last);

    /// The same of another buffer's frames, with "same" padding (stride 1), as far as they are there; plus
    /// `residual`'s.
    void push(Graph & g, const PackedConv1d & conv, const StreamBuffer & from, Conv1dOptions options, bool last,
              const StreamBuffer * residual = nullptr);

    /// Frames first .. first + count of the stream, of which frame 0 is the first; those before it are zeros.
    ggml_tensor * frames(Graph & g, int64_t first, int64_t count) const;

    /// Frames so far.
    int64_t end() const { return end_; }

  private:
    ggml_tensor * slot_ = nullptr; // null: none before
    int64_t channels_ = 0;
    int64_t before_ = 0;
    int64_t after_ = 0;
    int64_t end_ = 0;
    ggml_tensor * all_ = nullptr; // of this graph
    int64_t start_ = 0;           // all_'s first frame
};

/// Frames of a piece: 0 for null.
inline int64_t frame_count(const ggml_tensor * x) {
    return x == nullptr ? 0 : x->ne[1];
}

/// Frames first .. first + count of x, as a view.
ggml_tensor * frames_of(Graph & g, ggml_tensor * x, int64_t first, int64_t count);

/// Channels first .. first + count of x, as a view.
ggml_tensor * channels_of(Graph & g, ggml_tensor * x, int64_t first, int64_t count);

} // namespace moss
