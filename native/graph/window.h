// Streaming of layers that look ahead. The output of a layer that sees `right` frames ahead is delayed by that many
// frames. Each class here keeps, in a slot of a StreamState, the frames that later pieces of the stream need again.
// Frames are tensors [C, T], with T = ne1; a null tensor means no frames.
//
// A network is written once, for a piece of a stream. A whole sequence is a single piece, both the first and the last.

#pragma once

#include "graph.h"
#include "state.h"

#include "../kernels/cpu/conv1d.h"

#include <cstdint>
#include <functional>
#include <string>

namespace moss {

/// A buffer of frames that are kept from one piece to the next.
class ContextBuffer {
  public:
    ContextBuffer() = default;
    ContextBuffer(StreamState & state, const std::string & name, int64_t channels, int64_t capacity);

    int64_t count() const { return count_; }
    int64_t channels() const { return channels_; }

    /// The kept frames, then those of x, then frames of zeros, as a copy: it never shares the slot's memory. Null if
    /// there are neither kept frames nor x.
    ggml_tensor * join(Graph & g, ggml_tensor * x, int64_t zeros = 0) const;

    /// Keeps the last `count` frames of `all`, which may be null if `count` is 0. Throws `internal` if `count` exceeds
    /// the capacity.
    void keep(Graph & g, ggml_tensor * all, int64_t count);

    /// Starts with `count` frames of zeros instead of none.
    void start_with_zeros(int64_t count) { count_ = count; }

  private:
    ggml_tensor * slot_ = nullptr; // null if the capacity is 0
    int64_t channels_ = 0;
    int64_t capacity_ = 0;
    int64_t count_ = 0;
};

/// The input of a convolution with `left` + 1 + `right` taps: the stream, with zeros before its first frame and after
/// its last.
class Window {
  public:
    Window() = default;
    Window(StreamState & state, const std::string & name, int64_t channels, int64_t left, int64_t right);

    /// [C, left + n + right] for the n output frames that can now be computed; null if n is 0. `last` says that x ends
    /// the stream.
    ggml_tensor * push(Graph & g, ggml_tensor * x, bool last);

    /// The n frames in the middle of such a window: the input of a residual connection around the convolution.
    ggml_tensor * center(Graph & g, ggml_tensor * window) const;
    /// The number of these frames; 0 if `window` is null.
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

/// Delays frames by at most `capacity` frames, until a parallel path with more lookahead has reached them.
class Delay {
  public:
    Delay() = default;
    Delay(StreamState & state, const std::string & name, int64_t channels, int64_t capacity)
        : frames_(state, name, channels, capacity) {}

    /// The first `count` of the kept frames and those of x; the rest is kept. Null if `count` is 0.
    ggml_tensor * push(Graph & g, ggml_tensor * x, int64_t count);

    /// The number of frames that are kept.
    int64_t pending() const { return frames_.count(); }

  private:
    ContextBuffer frames_;
};

/// The last `capacity` frames of a stream, without padding: the keys and values of a banded attention.
class LeftContext {
  public:
    LeftContext() = default;
    LeftContext(StreamState & state, const std::string & name, int64_t channels, int64_t capacity)
        : frames_(state, name, channels, capacity), capacity_(capacity) {}

    /// The kept frames, then those of x. Afterwards the last `capacity` of them are kept.
    ggml_tensor * push(Graph & g, ggml_tensor * x);

    int64_t count() const { return frames_.count(); }

  private:
    ContextBuffer frames_;
    int64_t capacity_ = 0;
};

/// The frames of a piece together with earlier frames of the stream, contiguous in memory. Layers that look back, look
/// ahead or wait read views of it, so that only the frames that the next piece needs are copied.
class StreamBuffer {
  public:
    StreamBuffer() = default;
    /// Keeps `before` frames from before a piece, and adds `after` frames of zeros at the end of the stream.
    StreamBuffer(StreamState & state, const std::string & name, int64_t channels, int64_t before, int64_t after);

    /// Writes frames from `first` on of a tensor, and returns it with them.
    using Writer = std::function<ggml_tensor *(ggml_tensor * all, int64_t first)>;

    /// The next `count` frames are those that `write` writes; it is not called for none. Once a graph.
    void push(Graph & g, int64_t count, const Writer & write, bool last);

    /// Appends the output of a convolution of `window`; a null window appends nothing. To be called once in each graph.
    void push(Graph & g, const PackedConv1d & conv, ggml_tensor * window, Conv1dOptions options, bool last);

    /// The same for a convolution of another buffer's frames with "same" padding (stride 1), as far as its input has
    /// arrived. Adds the frames of `residual`.
    void push(Graph & g, const PackedConv1d & conv, const StreamBuffer & from, Conv1dOptions options, bool last,
              const StreamBuffer * residual = nullptr);

    /// Frames first .. first + count of the stream, counted from its start. Frames with a negative index are zeros.
    ggml_tensor * frames(Graph & g, int64_t first, int64_t count) const;

    /// The number of the stream's frames so far.
    int64_t end() const { return end_; }

  private:
    ggml_tensor * slot_ = nullptr; // null if no earlier frames are kept
    int64_t channels_ = 0;
    int64_t before_ = 0;
    int64_t after_ = 0;
    int64_t end_ = 0;
    ggml_tensor * all_ = nullptr; // the frames in this graph
    int64_t start_ = 0;           // the index of the first frame of all_
};

/// The number of frames of x; 0 if x is null.
inline int64_t frame_count(const ggml_tensor * x) {
    return x == nullptr ? 0 : x->ne[1];
}

/// Frames first .. first + count of x, as a view.
ggml_tensor * frames_of(Graph & g, ggml_tensor * x, int64_t first, int64_t count);

/// Channels first .. first + count of x, as a view.
ggml_tensor * channels_of(Graph & g, ggml_tensor * x, int64_t first, int64_t count);

} // namespace moss
