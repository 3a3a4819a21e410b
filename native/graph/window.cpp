#include "window.h"

#include "../io/error.h"
#include "../kernels/cpu/join.h"

#include <algorithm>

namespace moss {

ggml_tensor * rows_of(Graph & g, ggml_tensor * x, int64_t first, int64_t count) {
    return ggml_view_2d(g, x, x->ne[0], count, x->nb[1], static_cast<size_t>(first) * x->nb[1]);
}

ggml_tensor * channels_of(Graph & g, ggml_tensor * x, int64_t first, int64_t count) {
    return ggml_view_2d(g, x, count, x->ne[1], x->nb[1], static_cast<size_t>(first) * x->nb[0]);
}

KeptRows::KeptRows(StreamState & state, const std::string & name, int64_t channels, int64_t capacity)
    : slot_(capacity > 0 ? state.add(name, GGML_TYPE_F32, {channels, capacity}) : nullptr), channels_(channels),
      capacity_(capacity) {}

ggml_tensor * KeptRows::join(Graph & g, ggml_tensor * x, int64_t zeros) const {
    if (count_ == 0) {
        return x == nullptr || zeros == 0 ? x : join_rows(g, x, nullptr, zeros);
    }
    return join_rows(g, rows_of(g, slot_, 0, count_), x, zeros); // [C, kept + T + zeros]
}

void KeptRows::keep(Graph & g, ggml_tensor * all, int64_t count) {
    if (count > capacity_) {
        throw MossError(code::internal, "a streamed layer holds more rows than it can need");
    }
    if (count > 0) {
        g.effect(ggml_cpy(g, rows_of(g, all, all->ne[1] - count, count), rows_of(g, slot_, 0, count)));
    }
    count_ = count;
}

Window::Window(StreamState & state, const std::string & name, int64_t channels, int64_t left, int64_t right)
    : rows_(state, name, channels, left + right), left_(left), right_(right) {
    rows_.start_with_zeros(left);
}

ggml_tensor * Window::push(Graph & g, ggml_tensor * x, bool last) {
    const int64_t total = rows_.count() + row_count(x) + (last ? right_ : 0);
    const int64_t ready = total - left_ - right_;
    if (x == nullptr && (!last || ready <= 0)) {
        return nullptr;
    }
    ggml_tensor * all = rows_.join(g, x, last ? right_ : 0);
    if (last) {
        rows_.keep(g, nullptr, 0);
        return all;
    }
    rows_.keep(g, all, std::min(total, left_ + right_));
    return ready > 0 ? all : nullptr;
}

ggml_tensor * Window::center(Graph & g, ggml_tensor * window) const {
    return rows_of(g, window, left_, center_count(window));
}

int64_t Window::center_count(const ggml_tensor * window) const {
    return window == nullptr ? 0 : window->ne[1] - left_ - right_;
}

ggml_tensor * Delay::push(Graph & g, ggml_tensor * x, int64_t count) {
    const int64_t total = rows_.count() + row_count(x);
    if (total == 0) {
        return nullptr;
    }
    ggml_tensor * all = rows_.join(g, x);
    rows_.keep(g, all, total - count);
    return count > 0 ? rows_of(g, all, 0, count) : nullptr;
}

ggml_tensor * History::push(Graph & g, ggml_tensor * x) {
    ggml_tensor * all = rows_.join(g, x);
    rows_.keep(g, all, std::min(row_count(all), capacity_));
    return all;
}

Trail::Trail(StreamState & state, const std::string & name, int64_t channels, int64_t before, int64_t after)
    : slot_(before > 0 ? state.add(name, GGML_TYPE_F32, {channels, before}) : nullptr), channels_(channels),
      before_(before), after_(after) {}

void Trail::push(Graph & g, const PackedConv1d & conv, ggml_tensor * window, Conv1dOptions options, bool last) {
    const int64_t count = window == nullptr ? 0 : conv.out_frames(window->ne[1], 0, 0);
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
    options.into = all_;
    options.into_first = before_;
    all_ = conv1d(g, window, conv, options); // the same memory: whoever reads it waits for the convolution
    if (before_ > 0 && !last) {
        g.effect(ggml_cpy(g, rows(g, end_ - before_, before_), slot_));
    }
}

void Trail::push(Graph & g, const PackedConv1d & conv, const Trail & from, Conv1dOptions options, bool last,
                 const Trail * residual) {
    const int64_t count = from.end_ - (last ? 0 : conv.right()) - end_;
    if (count <= 0) {
        push(g, conv, nullptr, options, last);
        return;
    }
    options.residual = residual != nullptr ? residual->rows(g, end_, count) : nullptr;
    push(g, conv, from.rows(g, end_ - conv.left(), count + conv.span() - 1), options, last);
}

ggml_tensor * Trail::rows(Graph & g, int64_t first, int64_t count) const {
    if (all_ == nullptr || first < start_ || first - start_ + count > all_->ne[1]) {
        throw MossError(code::internal, "a streamed layer keeps fewer rows than are read");
    }
    return rows_of(g, all_, first - start_, count);
}

} // namespace moss
