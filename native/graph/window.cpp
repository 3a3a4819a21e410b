#include "window.h"

#include "../io/error.h"
#include "../kernels/cpu/join.h"

#include <algorithm>

namespace moss {

ggml_tensor * frames_of(Graph & g, ggml_tensor * x, int64_t first, int64_t count) {
    return ggml_view_2d(g, x, x->ne[0], count, x->nb[1], static_cast<size_t>(first) * x->nb[1]);
}

ggml_tensor * channels_of(Graph & g, ggml_tensor * x, int64_t first, int64_t count) {
    return ggml_view_2d(g, x, count, x->ne[1], x->nb[1], static_cast<size_t>(first) * x->nb[0]);
}

ContextBuffer::ContextBuffer(StreamState & state, const std::string & name, int64_t channels, int64_t capacity)
    : slot_(capacity > 0 ? state.add(name, GGML_TYPE_F32, {channels, capacity}) : nullptr), channels_(channels),
      capacity_(capacity) {}

ggml_tensor * ContextBuffer::join(Graph & g, ggml_tensor * x, int64_t zeros) const {
    if (count_ == 0) {
        return x == nullptr || zeros == 0 ? x : join_rows(g, x, nullptr, zeros);
    }
    return join_rows(g, frames_of(g, slot_, 0, count_), x, zeros); // [C, kept + T + zeros]
}

void ContextBuffer::keep(Graph & g, ggml_tensor * all, int64_t count) {
    if (count > capacity_) {
        throw MossError(code::internal, "a streamed layer holds more frames than it can need");
    }
    if (count > 0) {
        g.effect(ggml_cpy(g, frames_of(g, all, all->ne[1] - count, count), frames_of(g, slot_, 0, count)));
    }
    count_ = count;
}

Window::Window(StreamState & state, const std::string & name, int64_t channels, int64_t left, int64_t right)
    : frames_(state, name, channels, left + right), left_(left), right_(right) {
    frames_.start_with_zeros(left);
}

ggml_tensor * Window::push(Graph & g, ggml_tensor * x, bool last) {
    const int64_t total = frames_.count() + frame_count(x) + (last ? right_ : 0);
    const int64_t ready = total - left_ - right_;
    if (x == nullptr && (!last || ready <= 0)) {
        return nullptr;
    }
    ggml_tensor * all = frames_.join(g, x, last ? right_ : 0);
    if (last) {
        frames_.keep(g, nullptr, 0);
        return all;
    }
    frames_.keep(g, all, std::min(total, left_ + right_));
    return ready > 0 ? all : nullptr;
}

ggml_tensor * Window::center(Graph & g, ggml_tensor * window) const {
    return frames_of(g, window, left_, center_count(window));
}

int64_t Window::center_count(const ggml_tensor * window) const {
    return window == nullptr ? 0 : window->ne[1] - left_ - right_;
}

ggml_tensor * Delay::push(Graph & g, ggml_tensor * x, int64_t count) {
    const int64_t total = frames_.count() + frame_count(x);
    if (total == 0) {
        return nullptr;
    }
    ggml_tensor * all = frames_.join(g, x);
    frames_.keep(g, all, total - count);
    return count > 0 ? frames_of(g, all, 0, count) : nullptr;
}

ggml_tensor * LeftContext::push(Graph & g, ggml_tensor * x) {
    ggml_tensor * all = frames_.join(g, x);
    frames_.keep(g, all, std::min(frame_count(all), capacity_));
    return all;
}

StreamBuffer::StreamBuffer(StreamState & state, const std::string & name, int64_t channels, int64_t before,
                           int64_t after)
    : slot_(before > 0 ? state.add(name, GGML_TYPE_F32, {channels, before}) : nullptr), channels_(channels),
      before_(before), after_(after) {}

void StreamBuffer::push(Graph & g, int64_t count, const Writer & write, bool last) {
    const int64_t zeros = last ? after_ : 0;
    start_ = end_ - before_;
    end_ += count;
    all_ = nullptr;
    if (before_ + count + zeros == 0) {
        return;
    }
    all_ = room_between(g, slot_, channels_, count, zeros);
    if (count == 0) {
        return;
    }
    all_ = write(all_, before_); // the same memory: whoever reads it waits for what is written
    if (before_ > 0 && !last) {
        g.effect(ggml_cpy(g, frames(g, end_ - before_, before_), slot_));
    }
}

void StreamBuffer::push(Graph & g, const PackedConv1d & conv, ggml_tensor * window, Conv1dOptions options, bool last) {
    const int64_t count = window == nullptr ? 0 : conv.out_frames(window->ne[1], 0, 0);
    const auto write = [&](ggml_tensor * all, int64_t first) {
        options.into = all;
        options.into_first = first;
        return conv1d(g, window, conv, options);
    };
    push(g, count, write, last);
}

void StreamBuffer::push(Graph & g, const PackedConv1d & conv, const StreamBuffer & from, Conv1dOptions options,
                        bool last, const StreamBuffer * residual) {
    const int64_t count = from.end_ - (last ? 0 : conv.right()) - end_;
    if (count <= 0) {
        push(g, conv, nullptr, options, last);
        return;
    }
    options.residual = residual != nullptr ? residual->frames(g, end_, count) : nullptr;
    push(g, conv, from.frames(g, end_ - conv.left(), count + conv.span() - 1), options, last);
}

ggml_tensor * StreamBuffer::frames(Graph & g, int64_t first, int64_t count) const {
    if (all_ == nullptr || first < start_ || first - start_ + count > all_->ne[1]) {
        throw MossError(code::internal, "a streamed layer keeps fewer frames than are read");
    }
    return frames_of(g, all_, first - start_, count);
}

} // namespace moss
