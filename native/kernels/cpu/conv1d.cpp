#include "conv1d.h"

#include "conv1d_kernel.h"
#include "vector_ops.h"
#include "work.h"
#include "workspace.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

namespace moss {

namespace {

constexpr int64_t tile_bytes =
    1 << 18; // of input a tile reads: it stays in a core's own cache while the weights pass by

constexpr int64_t linear_lanes = 256; // of a linear layer's input, summed at once: a panel's weights of them, 16 KB,
                                      // and a few rows stay in a core's first cache
constexpr int64_t linear_tile_bytes =
    1 << 19; // of such lanes: they pass by once a panel, and the fewer tiles, the less often the weights are read
constexpr int64_t linear_sums_bytes = 1 << 23; // of what is summed of a tile before its last lanes: the most

constexpr int64_t unit_bytes = 2 * 16 * 4; // of a frame's outputs of two panels

constexpr int64_t winograd_batch =
    24; // tiles whose products are summed before they are transformed: so many for one reading of the weights

/// Where a tile's rows are so many bytes apart, they meet in a few sets of a core's first cache and drive each other
/// out.
bool rows_alias(int64_t frame_bytes, int64_t stride) {
    return frame_bytes * stride % 2048 == 0;
}

void apply(Activation activation, const float * from, float * to, int64_t count) {
    switch (activation.kind) {
    case Activation::none:
        std::copy(from, from + count, to);
        break;
    case Activation::relu:
    case Activation::leaky_relu:
        vector_ops().leaky(from, to, activation.factor(), count);
        break;
    case Activation::gelu:
        vector_ops().gelu(from, to, count);
        break;
    case Activation::tanh:
        vector_ops().tanh(from, to, count);
        break;
    }
}

/// A place in an array that may be absent: then there is none.
template <class T>
const T * offset(const T * array, int64_t count) {
    return array == nullptr ? nullptr : array + count;
}

void require(bool condition, const std::string & what) {
    if (!condition) {
        throw std::invalid_argument("conv1d: " + what);
    }
}

// What one use of a convolution adds to it, kept in the tensor's op_params behind ggml's own (24 bytes).
struct Parameters {
    int32_t left;
    int32_t input, output;
    float input_slope, output_slope;
    int32_t condition, residual; // which source, 0 for none
};
constexpr size_t parameters_offset = 32;
static_assert(parameters_offset + sizeof(Parameters) <= work_offset, "op_params is too small");

void conv1d_op(ggml_tensor * dst, int ith, int nth, void * userdata);

} // namespace

ggml_tensor * conv1d(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv,
                     const Conv1dOptions & options) {
    const auto matrix = [](const ggml_tensor * t) {
        return t->type == GGML_TYPE_F32 && t->ne[2] == 1 && t->ne[3] == 1 && t->nb[0] == sizeof(float) &&
               t->nb[1] % sizeof(float) == 0;
    };
    require(matrix(x) && x->ne[0] == conv.in_channels(),
            "the input must be F32 [" + std::to_string(conv.in_channels()) + ", T], is [" + std::to_string(x->ne[0]) +
                ", " + std::to_string(x->ne[1]) + "]");
    require(options.left >= 0 && options.right >= 0 && options.left <= INT32_MAX, "negative padding");
    const int64_t frames = conv.out_frames(x->ne[1], options.left, options.right);
    require(frames > 0, "the input is shorter than the kernel");
    const int64_t channels = conv.out_channels();
    ggml_tensor * sources[3] = {x};
    int count = 1;
    Parameters parameters = {static_cast<int32_t>(options.left),
                             options.input.kind,
                             options.output.kind,
                             options.input.slope,
                             options.output.slope,
                             0,
                             0};
    if (options.condition != nullptr) {
        require(matrix(options.condition) && options.condition->ne[0] == channels && options.condition->ne[1] == 1,
                "the condition must be F32 [Cout]");
        parameters.condition = count;
        sources[count++] = options.condition;
    }
    if (options.residual != nullptr) {
        require(matrix(options.residual) && options.residual->ne[0] == channels && options.residual->ne[1] == frames,
                "the residual must be F32 [Cout, T']");
        // A transposed convolution's phases are written as one row.
        require(conv.phases() == 1 || options.residual->nb[1] == channels * sizeof(float),
                "the residual of a transposed convolution must be contiguous");
        parameters.residual = count;
        sources[count++] = options.residual;
    }
    auto * packed = const_cast<PackedConv1d *>(&conv);
    ggml_tensor * y = nullptr;
    if (options.into != nullptr) {
        require(matrix(options.into) && options.into->ne[0] == channels && options.into->ne[1] == frames &&
                    ggml_is_contiguous(options.into),
                "what is written to must be contiguous F32 [Cout, T']");
        y = ggml_custom_inplace(context, options.into, sources, count, conv1d_op, GGML_N_TASKS_MAX, packed);
    } else {
        y = ggml_custom_4d(context, GGML_TYPE_F32, channels, frames, 1, 1, sources, count, conv1d_op, GGML_N_TASKS_MAX,
                           packed);
    }
    std::memcpy(reinterpret_cast<char *>(y->op_params) + parameters_offset, &parameters, sizeof(parameters));
    set_work(y, conv.multiplications(frames));
    return y;
}

ggml_tensor * conv1d_same(ggml_context * context, ggml_tensor * x, const PackedConv1d & conv, Conv1dOptions options) {
    options.left = conv.left();
    options.right = conv.right();
    return conv1d(context, x, conv, options);
}

/// One thread's share of one convolution.
class Conv1dTask {
  public:
    Conv1dTask(const ggml_tensor * dst, const PackedConv1d & conv, Scratch & scratch)
        : conv_(conv), scratch_(scratch), y_(static_cast<float *>(dst->data)) {
        std::memcpy(&parameters_, reinterpret_cast<const char *>(dst->op_params) + parameters_offset,
                    sizeof(parameters_));
        ggml_tensor * const * sources = dst->src + (dst->view_src != nullptr ? 1 : 0); // behind what is written to
        x_ = sources[0];
        condition_ =
            parameters_.condition > 0 ? static_cast<const float *>(sources[parameters_.condition]->data) : nullptr;
        residual_ = parameters_.residual > 0 ? sources[parameters_.residual] : nullptr;
        out_ = conv.shape_.out_channels;
        part_ = channels_ = conv.shape_.in_channels;
        frames_ = dst->ne[1] / conv.phases_;
        kernel_ = conv.kernel_ != nullptr ? conv.kernel_ : &conv1d_kernel(ConvType::f32);
        kernel_ = kernel_->few != nullptr && frames_ < conv1d_few_rows ? kernel_->few : kernel_;
        floats_ = conv.winograd_ != nullptr || kernel_->load == nullptr;
        value_bytes_ = floats_ ? 4 : 4 / conv1d_lane(kernel_->type);
        input_ = {static_cast<Activation::Kind>(parameters_.input), parameters_.input_slope};
        output_ = {static_cast<Activation::Kind>(parameters_.output), parameters_.output_slope};
        for (const PackedConv1d::Panel & panel : conv.panels_) {
            units_ += panel.paired ? 0 : 1;
        }
        units_ = conv.plain_.empty() ? units_ : 1;
    }

    void run(int ith, int nth) {
        // Equal tiles of time, a multiple of every kernel's rows; then tiles x panels in equal runs, one a thread.
        const WinogradScheme * winograd = conv_.winograd_;
        const bool linear = sums_in_parts();
        if (linear) {
            const int64_t lanes = conv_.shape_.in_channels / conv1d_lane(kernel_->type);
            const int64_t parts = (lanes + linear_lanes - 1) / linear_lanes;
            part_ = (conv_.shape_.in_channels / parts + conv1d_block - 1) / conv1d_block * conv1d_block;
        }
        const int64_t row = part_ * conv_.shape_.stride;
        const int64_t fit = (linear ? linear_tile_bytes : tile_bytes) / (row * value_bytes_); // frames
        const int64_t most = winograd == nullptr
                                 ? std::clamp<int64_t>(fit, 24, 1024)
                                 : std::clamp<int64_t>(fit / winograd->count(), 12, 24) * winograd->outputs;
        const int64_t multiple = winograd == nullptr ? 12 : winograd->outputs * conv_.shape_.dilation;
        const int64_t tiles = (frames_ + most - 1) / most;
        const int64_t step = ((frames_ + tiles - 1) / tiles + multiple - 1) / multiple * multiple;
        const int64_t items = ((frames_ + step - 1) / step) * units_;
        const bool in_parts = part_ < conv_.shape_.in_channels;
        const int64_t most_units = in_parts ? std::max<int64_t>(1, linear_sums_bytes / (step * unit_bytes)) : units_;
        int64_t item = items * ith / nth;
        const int64_t end = items * (ith + 1) / nth;
        while (item < end) {
            const int64_t tile = item / units_;
            const int64_t stop = std::min({end, (tile + 1) * units_, item + most_units});
            run_tile(tile * step, std::min(frames_, (tile + 1) * step), item % units_, item % units_ + stop - item);
            item = stop;
        }
    }

  private:
    // Output frames first .. last (of the packed convolution), units of panels begin .. end.
    void run_tile(int64_t first, int64_t last, int64_t begin, int64_t end) {
        const int64_t from = first * conv_.shape_.stride - parameters_.left;
        if (conv_.winograd_ != nullptr) {
            load_winograd(first, last);
            run_units(first, last, begin, end);
            return;
        }
        const int64_t to = (last - 1) * conv_.shape_.stride - parameters_.left + conv_.span();
        const int64_t all = conv_.shape_.in_channels;
        if (part_ < all) {
            const auto size = static_cast<size_t>((end - begin) * (last - first) * unit_bytes) / sizeof(float);
            scratch_.sums.resize(std::max(scratch_.sums.size(), size));
            sums_ = scratch_.sums.data();
        }
        for (channel_ = 0; channel_ < all; channel_ += channels_) {
            channels_ = std::min(part_, all - channel_);
            load_input(from, to, false);
            if (conv_.plain_.empty()) {
                run_units(first, last, begin, end);
            } else if (conv_.depthwise()) {
                run_depthwise(first, last);
            } else {
                run_single(first, last);
            }
        }
    }

    // Is it a linear layer, of so many rows that it is worth to read and write what is summed more than once?
    bool sums_in_parts() const {
        const Conv1dShape & shape = conv_.shape_;
        return shape.kernel_size == 1 && shape.groups == 1 && conv_.plain_.empty() && frames_ >= 48;
    }

    void run_units(int64_t first, int64_t last, int64_t begin, int64_t end) {
        int64_t unit = 0;
        for (size_t i = 0; i < conv_.panels_.size() && unit < end; i++, unit++) {
            const PackedConv1d::Panel & panel = conv_.panels_[i];
            const PackedConv1d::Panel * second = panel.paired ? &conv_.panels_[++i] : nullptr;
            if (unit < begin) {
                continue;
            }
            const int64_t sums = (unit - begin) * (last - first) * 32;
            if (second == nullptr || kernel_->both) {
                run_panels(first, last, panel, second, sums);
            } else { // one panel's weights stay in the first cache
                run_panels(first, last, panel, nullptr, sums);
                run_panels(first, last, *second, nullptr, sums + 16);
            }
        }
    }

    // `sums`: where in sums_ theirs are.
    void run_panels(int64_t first, int64_t last, const PackedConv1d::Panel & panel, const PackedConv1d::Panel * second,
                    int64_t sums) {
        if (conv_.winograd_ != nullptr) {
            run_winograd(first, last, panel, second);
        } else {
            run_direct(first, last, panel, second, sums);
        }
    }

    // Sets base_: frames from .. to of the input, padded, activated and in the kernel's type, where need be in a copy.
    // `inactive`: a linear activation is left to who reads it, where there is no copy; is it?
    bool load_input(int64_t from, int64_t to, bool inactive) {
        const int64_t channels = channels_;
        const int64_t x_step = static_cast<int64_t>(x_->nb[1] / sizeof(float));
        const auto * x = static_cast<const float *>(x_->data) + channel_;
        const bool as_it_is = floats_ && from >= 0 && to <= x_->ne[1] &&
                              (input_.kind == Activation::none || (inactive && input_.linear()));
        const auto x_bytes = static_cast<int64_t>(x_->nb[1]);
        if (as_it_is && (inactive || !rows_alias(x_bytes, conv_.shape_.stride))) {
            base_ = reinterpret_cast<const std::byte *>(x + from * x_step);
            step_ = x_bytes;
            return true;
        }
        std::vector<std::byte> & copy = scratch_.input;
        std::vector<float> & scales = scratch_.input_scales;
        std::vector<int32_t> & sums = scratch_.input_sums;
        step_ = channels * value_bytes_;
        step_ += rows_alias(step_, conv_.shape_.stride) ? 64 : 0;
        copy.resize(static_cast<size_t>((to - from) * step_));
        const int64_t blocks = channels / conv1d_block;
        scales.resize(static_cast<size_t>((to - from) * blocks));
        sums.resize(scales.size());
        const int64_t begin = std::clamp<int64_t>(0, from, to), end = std::clamp(x_->ne[1], begin, to); // those inside
        const auto load = [&](int64_t t, int64_t count, const float * frames) {
            load_frames(frames, count, copy.data() + (t - from) * step_, scales.data() + (t - from) * blocks,
                        sums.data() + (t - from) * blocks);
        };
        const bool run = x_step == channels && step_ == channels * value_bytes_;
        const int64_t count = run ? end - begin : 1; // at once
        load(from, begin - from, nullptr);
        for (int64_t t = begin; t < end; t += count) {
            load(t, count, x + t * x_step);
        }
        load(end, to - end, nullptr);
        base_ = copy.data();
        input_scales_ = scales.data();
        input_sums_ = sums.data();
        return false;
    }

    // Frames that follow each other in memory; `x` is null for padding.
    void load_frames(const float * x, int64_t count, std::byte * to, float * scales, int32_t * sums) const {
        const int64_t values = count * channels_, blocks = count * (channels_ / conv1d_block);
        if (x == nullptr) {
            std::fill(to, to + count * step_, std::byte{0});
            std::fill(scales, scales + blocks, 0.0F);
            std::fill(sums, sums + blocks, 0);
        } else if (floats_) {
            apply(input_, x, reinterpret_cast<float *>(to), values);
        } else if (input_.linear()) {
            kernel_->load(x, values, input_.factor(), to, scales, sums);
        } else {
            std::vector<float> & activated = scratch_.activated;
            activated.resize(static_cast<size_t>(values));
            apply(input_, x, activated.data(), values);
            kernel_->load(activated.data(), values, 1.0F, to, scales, sums);
        }
    }

    // One output channel: a panel of 16 would be wasted on it.
    void run_single(int64_t first, int64_t last) {
        const VectorOps & ops = vector_ops();
        const Conv1dShape & shape = conv_.shape_;
        const int64_t channels = shape.in_channels;
        const auto * x = reinterpret_cast<const float *>(base_);
        const int64_t step = step_ / static_cast<int64_t>(sizeof(float));
        const bool run = shape.dilation * step == channels; // taps follow each other in memory
        const float bias = conv_.plain_biases_[0] + (condition_ != nullptr ? condition_[0] : 0.0F);
        for (int64_t t = first; t < last; t++, x += shape.stride * step) {
            float sum = bias;
            for (int64_t tap = 0; tap < (run ? 1 : shape.kernel_size); tap++) {
                sum += ops.dot(x + tap * shape.dilation * step, conv_.plain_.data() + tap * channels,
                               run ? channels * shape.kernel_size : channels);
            }
            y_[t] = sum;
        }
        apply(output_, y_ + first, y_ + first, last - first);
        for (int64_t t = first; residual_ != nullptr && t < last; t++) {
            y_[t] += *reinterpret_cast<const float *>(static_cast<const char *>(residual_->data) +
                                                      t * static_cast<int64_t>(residual_->nb[1]));
        }
    }

    // Each channel on its own: a panel of 16 would be wasted on it.
    void run_depthwise(int64_t first, int64_t last) {
        const VectorOps & ops = vector_ops();
        const Conv1dShape & shape = conv_.shape_;
        const auto * x = reinterpret_cast<const float *>(base_);
        const int64_t step = step_ / static_cast<int64_t>(sizeof(float));
        const int64_t residual_step = residual_row();
        for (int64_t t = first; t < last; t++, x += shape.stride * step) {
            float * y = y_ + t * out_;
            for (int64_t c = 0; c < out_; c++) {
                y[c] = conv_.plain_biases_[static_cast<size_t>(c)] + (condition_ != nullptr ? condition_[c] : 0.0F);
            }
            for (int64_t tap = 0; tap < shape.kernel_size; tap++) {
                ops.add_products(y, x + tap * shape.dilation * step, conv_.plain_.data() + tap * out_, out_);
            }
            apply(output_, y, y, out_);
            if (residual_ != nullptr) {
                ops.add_scaled(y, static_cast<const float *>(residual_->data) + t * residual_step, 1.0F, out_);
            }
        }
    }

    void run_direct(int64_t first, int64_t last, const PackedConv1d::Panel & panel, const PackedConv1d::Panel * second,
                    int64_t sums) {
        const Conv1dShape & shape = conv_.shape_;
        const Conv1dKernel & kernel = *kernel_;
        const int64_t bytes = channels_ / shape.groups * value_bytes_; // of a group's channels
        const int64_t width = panel.width + (second != nullptr ? second->width : 0);
        float biases[32];
        load_biases(panel, second, biases);
        Conv1dTile tile{};
        tile.row_step = shape.stride * step_;
        tile.tap_step = shape.dilation * step_;
        tile.taps = panel.taps;
        tile.lanes = bytes / 4;
        if (tile.tap_step == bytes &&
            (kernel.type == ConvType::f32 || kernel.type == ConvType::bf16)) { // taps follow each other in memory
            tile.lanes *= tile.taps;
            tile.taps = 1;
        }
        const int64_t frame_scales = channels_ / conv1d_block;
        tile.blocks = frame_scales / shape.groups;
        tile.row_scales = shape.stride * frame_scales;
        tile.tap_scales = shape.dilation * frame_scales;
        const int64_t before = channel_ * value_bytes_ * 16; // bytes of the weights of channels that are summed already
        const int64_t before_scales = channel_ / conv1d_block * 16 * conv1d_scale_bytes(kernel.type);
        tile.weights = panel.weights + before;
        tile.weights2 = second != nullptr ? second->weights + before : nullptr;
        tile.scales = panel.scales + before_scales;
        tile.scales2 = second != nullptr ? second->scales + before_scales : nullptr;
        std::vector<int32_t> & weight_sums = scratch_.weight_sums;
        if (kernel.sum_weights != nullptr) {
            const int64_t blocks = tile.taps * tile.blocks;
            weight_sums.resize(std::max(weight_sums.size(), static_cast<size_t>(blocks * 16)));
            kernel.sum_weights(tile.weights, blocks, weight_sums.data());
            tile.weight_sums = weight_sums.data();
        }
        tile.biases = biases;
        const bool complete = channel_ + channels_ == shape.in_channels;
        tile.slope = complete ? output_.factor() : 1.0F;
        const bool fused = is_fused(panel, second);
        const int64_t residual_step = residual_row();
        const float * residual =
            residual_ == nullptr ? nullptr : static_cast<const float *>(residual_->data) + panel.out;
        float cut[12 * 32];
        const int64_t cut_step = second != nullptr ? 32 : 16;
        for (int64_t t = first; t < last; t += kernel.max_rows) {
            const int64_t rows = std::min(kernel.max_rows, last - t);
            tile.x =
                base_ + (t - first) * tile.row_step + panel.first_tap * shape.dilation * step_ + panel.group * bytes;
            const int64_t scale =
                (t - first) * tile.row_scales + panel.first_tap * tile.tap_scales + panel.group * tile.blocks;
            tile.input_scales = offset(input_scales_, scale);
            tile.input_sums = offset(input_sums_, scale);
            if (channel_ > 0) {
                tile.biases = sums_ + sums + (t - first) * 32;
                tile.biases_step = 32;
            }
            if (!complete) {
                tile.y = sums_ + sums + (t - first) * 32;
                tile.y_step = 32;
                kernel.run(tile, rows);
                continue;
            }
            float * y = y_ + t * out_ + panel.out;
            const float * added = residual == nullptr ? nullptr : residual + t * residual_step;
            if (fused) {
                tile.y = y;
                tile.y_step = out_;
                tile.residual = added;
                tile.residual_step = residual_step;
                kernel.run(tile, rows);
                continue;
            }
            tile.y = cut;
            tile.y_step = cut_step;
            kernel.run(tile, rows);
            finish(cut, cut_step, rows, width, y, added);
        }
    }

    // What the kernel adds to a pair of panels, or to one.
    void load_biases(const PackedConv1d::Panel & panel, const PackedConv1d::Panel * second, float (&biases)[32]) const {
        const int64_t width = panel.width + (second != nullptr ? second->width : 0);
        for (int64_t i = 0; i < (second != nullptr ? 32 : 16); i++) {
            biases[i] = panel.biases[i];
            if (condition_ != nullptr && i < width) {
                biases[i] += condition_[(panel.out + i) % conv_.out_channels()];
            }
        }
    }

    // Floats from a row of the residual to the next one: of a transposed convolution's it is `phases` frames.
    int64_t residual_row() const {
        return residual_ == nullptr ? 0
               : conv_.phases_ > 1  ? out_
                                    : static_cast<int64_t>(residual_->nb[1] / sizeof(float));
    }

    // Does the kernel write the output itself? Else it is cut, or its activation is another.
    bool is_fused(const PackedConv1d::Panel & panel, const PackedConv1d::Panel * second) const {
        return panel.width == 16 && (second == nullptr || second->width == 16) && output_.linear();
    }

    // Rows that are not fused, `step` floats apart: `width` of each are wanted.
    void finish(float * from, int64_t step, int64_t rows, int64_t width, float * to, const float * added) const {
        if (!output_.linear()) { // else it was the kernel's
            apply(output_, from, from, rows * step);
        }
        for (int64_t r = 0; r < rows; r++, from += step, to += out_) {
            std::copy(from, from + width, to);
            for (int64_t i = 0; added != nullptr && i < width; i++) {
                to[i] += added[r * residual_row() + i];
            }
        }
    }

    WinogradTiles winograd_tiles() const { return {conv_.shape_.dilation, conv_.winograd_->outputs}; }

    const WinogradTransforms & winograd_transforms() const {
        return kernel_->winograd[conv_.winograd_ - winograd_scheme];
    }

    // Sets base_: the transformed input [point][tile][channel] of the tiles, and of those after them that are the later
    // blocks of taps.
    void load_winograd(int64_t first, int64_t last) {
        const Conv1dShape & shape = conv_.shape_;
        const WinogradScheme & scheme = *conv_.winograd_;
        const WinogradTiles tiles = winograd_tiles();
        const int64_t count = tiles.count(last - first) + (scheme.blocks(shape.kernel_size) - 1) * shape.dilation;
        const int64_t from = first - parameters_.left;
        const bool inactive =
            load_input(from, from + tiles.start(count - 1) + (scheme.count() - 1) * shape.dilation + 1, true);
        WinogradInput input{};
        input.x = reinterpret_cast<const float *>(base_);
        input.x_step = step_ / static_cast<int64_t>(sizeof(float));
        input.dilation = shape.dilation;
        input.count = count;
        input.channels = shape.in_channels;
        input.slope = inactive ? input_.factor() : 1.0F;
        const bool rounded = kernel_->load != nullptr; // then they are a run of blocks, else the kernel reads them
        input.tile_step = shape.in_channels + (!rounded && rows_alias(shape.in_channels * 4, 1) ? 16 : 0);
        input.point_step = count * input.tile_step;
        std::vector<float> & room = scratch_.transformed;
        room.resize(std::max(room.size(), static_cast<size_t>(scheme.count() * input.point_step + 16)));
        void * aligned = room.data();
        size_t size = room.size() * sizeof(float);
        input.to = static_cast<float *>(std::align(64, 1, aligned, size));
        winograd_transforms().input(input);
        base_ = reinterpret_cast<const std::byte *>(input.to);
        step_ = input.tile_step * static_cast<int64_t>(sizeof(float));
        if (rounded) {
            round_winograd(input.to, scheme.count() * count);
        }
        point_step_ = count * step_;
    }

    // base_: so many rows of the transformed input as the kernel's lanes.
    void round_winograd(const float * from, int64_t rows) {
        const int64_t values = rows * conv_.shape_.in_channels;
        std::vector<std::byte> & lanes = scratch_.lanes;
        std::vector<float> & scales = scratch_.lane_scales;
        lanes.resize(std::max(lanes.size(), static_cast<size_t>(values / conv1d_lane(kernel_->type) * 4)));
        scales.resize(std::max(scales.size(), static_cast<size_t>(values / conv1d_block)));
        kernel_->load(from, values, 1.0F, lanes.data(), scales.data(), nullptr);
        base_ = lanes.data();
        step_ = conv_.shape_.in_channels / conv1d_lane(kernel_->type) * 4;
        input_scales_ = scales.data();
    }

    void run_winograd(int64_t first, int64_t last, const PackedConv1d::Panel & panel,
                      const PackedConv1d::Panel * second) {
        const Conv1dShape & shape = conv_.shape_;
        const WinogradScheme & scheme = *conv_.winograd_;
        constexpr float none[32] = {};
        alignas(64) float products[max_winograd_points * winograd_batch * 32]; // [point][tile][32]
        const int64_t width = second != nullptr ? 32 : 16;
        float biases[32];
        load_biases(panel, second, biases);
        Conv1dTile sum{}; // over input channels, of one point
        sum.row_step = step_;
        sum.tap_step = shape.dilation * step_;
        sum.taps = scheme.blocks(shape.kernel_size);
        sum.lanes = shape.in_channels / conv1d_lane(kernel_->type);
        sum.blocks = shape.in_channels / conv1d_block;
        sum.row_scales = sum.blocks;
        sum.tap_scales = shape.dilation * sum.blocks;
        sum.biases = none;
        sum.slope = 1.0F;
        sum.y_step = width;
        const int64_t point = sum.taps * sum.lanes * 16 * 4; // bytes of a panel's weights
        const int64_t point_scales = sum.taps * sum.blocks * 16 * conv1d_scale_bytes(kernel_->type);
        const bool fused = is_fused(panel, second);
        float * y = y_ + first * out_ + panel.out;
        const float * residual = residual_ == nullptr
                                     ? nullptr
                                     : static_cast<const float *>(residual_->data) + first * residual_row() + panel.out;
        std::vector<float> & cut = scratch_.cut;
        cut.resize(fused ? 0 : static_cast<size_t>((last - first) * 32));
        WinogradOutput out{};
        out.products = products;
        out.point_step = winograd_batch * width;
        out.dilation = shape.dilation;
        out.width = width;
        out.biases = biases;
        out.slope = output_.factor();
        out.residual = fused ? residual : nullptr;
        out.residual_step = residual_row();
        out.y = fused ? y : cut.data();
        out.y_step = fused ? out_ : 32;
        out.frames = last - first;
        const int64_t tiles = winograd_tiles().count(last - first);
        for (out.first = 0; out.first < tiles; out.first = out.end) {
            out.end = std::min(tiles, out.first + winograd_batch);
            const int64_t count = out.end - out.first;
            const int64_t runs = (count + kernel_->max_rows - 1) / kernel_->max_rows; // of about equal rows
            const int64_t rows = (count + runs - 1) / runs;
            for (int64_t p = 0; p < scheme.count(); p++) {
                sum.weights = panel.weights + p * point;
                sum.weights2 = second != nullptr ? second->weights + p * point : nullptr;
                sum.scales = panel.scales + p * point_scales;
                sum.scales2 = second != nullptr ? second->scales + p * point_scales : nullptr;
                for (int64_t q = 0; q < count; q += rows) {
                    const int64_t row = out.first + q;
                    sum.x = base_ + p * point_step_ + row * step_;
                    if (kernel_->load != nullptr) {
                        sum.input_scales = input_scales_ + (p * (point_step_ / step_) + row) * sum.blocks;
                    }
                    sum.y = products + (p * winograd_batch + q) * width;
                    kernel_->run(sum, std::min(rows, count - q));
                }
            }
            winograd_transforms().output(out);
        }
        if (!fused) {
            finish(cut.data(), 32, last - first, panel.width + (second != nullptr ? second->width : 0), y, residual);
        }
    }

    const PackedConv1d & conv_;
    Scratch & scratch_;
    const ggml_tensor * x_ = nullptr;
    const ggml_tensor * residual_ = nullptr;
    const float * condition_ = nullptr;
    float * y_;
    Parameters parameters_{};
    const Conv1dKernel * kernel_ = nullptr;
    bool floats_ = true;      // is the input left in F32, for the kernel or for Winograd's transform?
    int64_t value_bytes_ = 4; // of it, as it is loaded
    Activation input_, output_;
    int64_t out_ = 0;        // channels of the packed convolution
    int64_t frames_ = 0;     // of the packed convolution
    int64_t units_ = 0;      // of a tile, for a thread each: single panels and pairs; one where there are no panels
    int64_t part_ = 0;       // input channels to be summed at once
    int64_t channel_ = 0;    // the first one of those that are
    int64_t channels_ = 0;   // their count
    float * sums_ = nullptr; // of the input channels before them [unit][frame][32]
    const std::byte * base_ = nullptr;
    int64_t step_ = 0;       // bytes from one input frame, or tile of Winograd's, to the next
    int64_t point_step_ = 0; // bytes from one point of Winograd's to the next
    const float * input_scales_ = nullptr;
    const int32_t * input_sums_ = nullptr;
};

namespace {

void conv1d_op(ggml_tensor * dst, int ith, int nth, void * userdata) {
    with_scratch(dst, ith, [&](Scratch & scratch) {
        Conv1dTask(dst, *static_cast<const PackedConv1d *>(userdata), scratch).run(ith, nth);
    });
}

} // namespace

} // namespace moss
