// Weights of convolutions, packed for the kernels.

#include "conv1d.h"

#include "conv1d_kernel.h"
#include "cpu_features.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

namespace moss {

namespace {

constexpr int64_t panel_width = 16;
constexpr int64_t lane_bytes = 4;

void require(bool condition, const char * what) {
    if (!condition) {
        throw std::invalid_argument(std::string("conv1d: ") + what);
    }
}

/// Rounded to the nearest, ties to even; the upper half of an F32.
uint16_t to_bf16(float value) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

float from_bf16(uint16_t value) {
    const uint32_t bits = static_cast<uint32_t>(value) << 16;
    float result = 0;
    std::memcpy(&result, &bits, sizeof(result));
    return result;
}

/// What a run of weights is multiplied by.
float scale_of(const float * row, int64_t count) {
    float largest = 0.0F;
    for (int64_t i = 0; i < count; i++) {
        largest = std::max(largest, std::fabs(row[i]));
    }
    return largest / 127.0F;
}

int8_t to_int8(float value, float scale) {
    return scale > 0.0F ? static_cast<int8_t>(std::clamp(std::nearbyint(value / scale), -127.0F, 127.0F)) : int8_t{0};
}

/// A block of values, `step` floats apart, in I16; returns its scale.
float to_words(const float * from, int64_t step, int16_t (&to)[conv1d_block]) {
    constexpr auto most = static_cast<float>(conv1d_i16_most);
    float largest = 0.0F;
    for (int64_t i = 0; i < conv1d_block; i++) {
        largest = std::max(largest, std::fabs(from[i * step]));
    }
    for (int64_t i = 0; i < conv1d_block; i++) {
        to[i] = static_cast<int16_t>(largest > 0.0F ? std::nearbyint(from[i * step] * (most / largest)) : 0.0F);
    }
    return largest / most;
}

/// A panel's values [32 blocks][16] as lanes of I16 [16 blocks][16], with scales [blocks][16].
void round_panel(const float * from, int64_t blocks, std::byte * to, std::byte * scales) {
    for (int64_t block = 0; block < blocks; block++) {
        for (int64_t i = 0; i < panel_width; i++, scales += sizeof(float)) {
            int16_t values[conv1d_block];
            const float scale = to_words(from + block * conv1d_block * panel_width + i, panel_width, values);
            std::memcpy(scales, &scale, sizeof(scale));
            for (int64_t lane = 0; lane < conv1d_block / 2; lane++) {
                std::memcpy(to + ((block * conv1d_block / 2 + lane) * panel_width + i) * lane_bytes, values + 2 * lane,
                            lane_bytes);
            }
        }
    }
}

/// ggml's, which it does not publish.
struct BlockQ8 {
    uint16_t scale; // F16
    int8_t values[conv1d_block];
};
static_assert(sizeof(BlockQ8) == 34, "ggml's Q8_0");

/// Is it worth transforming? Few channels are moved more than they are multiplied. Many are a transformer's, of few
/// frames: reading its weights takes the time, and transformed they are more.
bool fits_winograd(const Conv1dShape & shape) {
    constexpr int64_t width = 16; // channels are transformed so many at once
    return conv1d_winograd_allowed() && shape.stride == 1 && shape.groups == 1 && shape.kernel_size >= 3 &&
           shape.in_channels % width == 0 && shape.in_channels >= 32 && shape.out_channels >= 32 &&
           shape.in_channels * shape.out_channels <= 1 << 17;
}

WeightRows<float> in_memory(const float * weight, int64_t row) {
    return [weight, row](int64_t first, int64_t) { return weight + first * row; };
}

} // namespace

/// Some rows of weights as they come: [out][tap][channel], floats or blocks of Q8_0.
class PackedConv1d::Rows {
  public:
    Rows(const float * values, int64_t row) : values_(values), row_(row) {}
    Rows(const BlockQ8 * blocks, int64_t row) : blocks_(blocks), row_(row) {}

    static RowReader of(const WeightRows<float> & weight, int64_t row) {
        return [&weight, row](int64_t first, int64_t count) { return Rows(weight(first, count), row); };
    }

    bool zero(int64_t out, int64_t first, int64_t count) const { // of floats
        const float * from = values_ + out * row_ + first;
        return std::all_of(from, from + count, [](float w) { return w == 0.0F; });
    }

    /// Values first .. first + count of a row as lanes of `type`, `scales` to be found at every 16th place.
    void encode(int64_t out, int64_t first, int64_t count, ConvType type, ConvType rounded, int32_t weight_zero,
                std::byte * to, std::byte * scales) const {
        const float * from = blocks_ == nullptr ? values_ + out * row_ + first : nullptr;
        auto * bytes = reinterpret_cast<uint8_t *>(to);
        if (type == ConvType::q8_0) {
            for (int64_t block = 0; block < count / conv1d_block; block++, bytes += conv1d_block) {
                const BlockQ8 & q = from != nullptr ? rounded_block(from + block * conv1d_block)
                                                    : blocks_[(out * row_ + first) / conv1d_block + block];
                std::memcpy(scales + block * panel_width * 2, &q.scale, 2);
                for (int64_t i = 0; i < conv1d_block; i++) {
                    bytes[i] = static_cast<uint8_t>(q.values[i] + weight_zero);
                }
            }
            return;
        }
        if (type == ConvType::i16) {
            for (int64_t block = 0; block < count / conv1d_block; block++) {
                int16_t values[conv1d_block];
                const float scale = to_words(from + block * conv1d_block, 1, values);
                std::memcpy(scales + block * panel_width * 4, &scale, 4);
                std::memcpy(to + block * conv1d_block * 2, values, sizeof(values));
            }
            return;
        }
        for (int64_t i = 0; i < count; i++) {
            const uint16_t half = to_bf16(from[i]);
            const float value = rounded == ConvType::bf16 ? from_bf16(half) : from[i];
            if (type == ConvType::bf16) {
                std::memcpy(to + i * 2, &half, 2);
            } else {
                std::memcpy(to + i * 4, &value, 4);
            }
        }
    }

  private:
    static BlockQ8 rounded_block(const float * from) {
        const float scale = scale_of(from, conv1d_block);
        BlockQ8 block;
        block.scale = ggml_fp32_to_fp16(scale);
        for (int64_t i = 0; i < conv1d_block; i++) {
            block.values[i] = to_int8(from[i], scale);
        }
        return block;
    }

    const float * values_ = nullptr;
    const BlockQ8 * blocks_ = nullptr;
    int64_t row_;
};

PackedConv1d::PackedConv1d(const Conv1dShape & shape, int64_t phases, int64_t left)
    : shape_(shape), phases_(phases), left_(left) {
    constexpr int64_t most = 1 << 20; // products of two stay far inside int64_t
    for (const int64_t size :
         {shape.in_channels, shape.out_channels, shape.kernel_size, shape.stride, shape.dilation, shape.groups}) {
        require(size > 0 && size <= most, "sizes must be between 1 and 2^20");
    }
    require(shape.in_channels % shape.groups == 0 && shape.out_channels % shape.groups == 0,
            "channels must be divisible by groups");
    if (left_ < 0) {
        left_ = (span() - 1) / 2;
    }
}

PackedConv1d::PackedConv1d(const Conv1dShape & shape, const float * weight, const float * bias, ConvType type)
    : PackedConv1d(shape, 1, -1) {
    const int64_t row = shape.kernel_size * shape.in_channels / shape.groups;
    pack(Rows::of(in_memory(weight, row), row), bias, type);
}

PackedConv1d::PackedConv1d(const Conv1dShape & shape, const WeightRows<float> & weight, const float * bias,
                           ConvType type)
    : PackedConv1d(shape, 1, -1) {
    pack(Rows::of(weight, shape.kernel_size * shape.in_channels / shape.groups), bias, type);
}

PackedConv1d PackedConv1d::linear_q8_0(int64_t in, int64_t out, const WeightRows<uint8_t> & blocks,
                                       const float * bias) {
    PackedConv1d linear({in, out}, 1, -1);
    require(has_kernel(ConvType::q8_0, in), "no kernel for Q8_0");
    const auto rows = [&](int64_t first, int64_t count) {
        return Rows(reinterpret_cast<const BlockQ8 *>(blocks(first, count)), in);
    };
    linear.pack(rows, bias, ConvType::q8_0);
    return linear;
}

bool PackedConv1d::has_kernel(ConvType type, int64_t channels) {
    const int64_t unit = conv1d_scale_bytes(type) > 0 ? conv1d_block : conv1d_lane(type);
    return conv1d_kernel(type).type == type && channels % unit == 0;
}

ConvType PackedConv1d::fallback(int64_t channels) {
    // Where F32 has twice as wide vectors, it is as fast.
    const bool faster = !cpu_features().avx512 || cpu_features().avx512_vnni;
    return faster && has_kernel(ConvType::i16, channels) ? ConvType::i16 : ConvType::f32;
}

ConvType PackedConv1d::type() const {
    return kernel_ == nullptr ? ConvType::f32 : kernel_->type;
}

PackedConv1d PackedConv1d::transposed(const Conv1dShape & shape, int64_t drop, const float * weight, const float * bias,
                                      ConvType type) {
    require(shape.groups == 1 && shape.dilation == 1 && drop >= 0, "unsupported transposed convolution");
    require(shape.stride > 0 && shape.kernel_size > drop, "the dropped samples exceed the kernel");
    // Sample stride * q + p of the output sums over x[q - j] with the tap k = stride * j + p + drop of the kernel.
    const int64_t stride = shape.stride;
    const int64_t last = (shape.kernel_size - 1 - drop) / stride; // of j: frames before q
    const int64_t first = -((stride - 1 + drop) / stride);        // and after it
    const int64_t taps = last - first + 1;
    const int64_t channels = shape.in_channels;
    PackedConv1d conv({channels, stride * shape.out_channels, taps, 1, 1, 1}, stride, last);
    std::vector<float> phased(static_cast<size_t>(stride * shape.out_channels * taps * channels), 0.0F);
    std::vector<float> biases(static_cast<size_t>(stride * shape.out_channels), 0.0F);
    for (int64_t p = 0; p < stride; p++) {
        for (int64_t o = 0; o < shape.out_channels; o++) {
            const int64_t row = p * shape.out_channels + o;
            if (bias != nullptr) {
                biases[static_cast<size_t>(row)] = bias[o];
            }
            for (int64_t tap = 0; tap < taps; tap++) { // tap 0 is the earliest frame: j = last
                const int64_t k = stride * (last - tap) + p + drop;
                if (k >= 0 && k < shape.kernel_size) {
                    const float * from = weight + (o * shape.kernel_size + k) * channels;
                    std::copy(from, from + channels, phased.begin() + (row * taps + tap) * channels);
                }
            }
        }
    }
    conv.pack(Rows::of(in_memory(phased.data(), taps * channels), taps * channels), biases.data(), type);
    return conv;
}

void PackedConv1d::choose(ConvType type) {
    const int64_t channels = shape_.in_channels / shape_.groups;
    const bool winograd = fits_winograd(shape_);
    if (!has_kernel(type, channels) || (winograd && conv1d_kernel(type).outdone)) {
        type = shape_.out_channels > 1 ? fallback(channels) : ConvType::f32; // there of one channel that is faster
    }
    if (type != ConvType::f32) {
        kernel_ = &conv1d_kernel(type);
    }
    if (winograd && (kernel_ == nullptr || kernel_->winograd != nullptr)) {
        winograd_ = &winograd_scheme[winograd_for(shape_.kernel_size)];
    }
}

void PackedConv1d::pack(const RowReader & read, const float * bias, ConvType type) {
    const int64_t taps = shape_.kernel_size;
    const int64_t channels = shape_.in_channels / shape_.groups;
    const int64_t outputs = shape_.out_channels / shape_.groups;
    const int64_t panels = shape_.groups * ((outputs + panel_width - 1) / panel_width);
    choose(type);
    if (this->type() == ConvType::f32 && (shape_.out_channels == 1 || depthwise())) {
        pack_plain(read, bias, type);
        return;
    }
    const ConvType before = winograd_ != nullptr ? ConvType::f32 : this->type();                      // its transform
    const int64_t lanes = channels / conv1d_lane(before);                                             // of a tap
    const int64_t steps = winograd_ != nullptr ? winograd_->count() * winograd_->blocks(taps) : taps; // of lanes
    const auto zero_tap = [&](const Rows & rows, int64_t width, int64_t tap) {
        for (int64_t i = 0; i < width; i++) {
            if (!rows.zero(i, tap * channels, channels)) {
                return false;
            }
        }
        return true;
    };
    // Each panel's lanes, then biases, then scales, in whole lines of 64 bytes.
    const int64_t lane_size = panel_width * steps * channels / conv1d_lane(this->type()) * lane_bytes;
    const int64_t scale_bytes = conv1d_scale_bytes(this->type());
    const int64_t scale_size = panel_width * steps * (channels / conv1d_block) * scale_bytes;
    size_t room = static_cast<size_t>(panels * (lane_size + panel_width * 4 + scale_size) + 64);
    storage_.reset(static_cast<std::byte *>(std::calloc(room, 1))); // fresh pages are zero: nothing is written twice
    if (!storage_) {
        throw std::bad_alloc();
    }
    void * aligned = storage_.get();
    auto * to = static_cast<std::byte *>(std::align(64, 1, aligned, room));
    auto * biases = reinterpret_cast<float *>(to + panels * lane_size); // side by side: two panels' are one run
    auto * scales = reinterpret_cast<std::byte *>(biases + panels * panel_width);
    panels_.reserve(static_cast<size_t>(panels));
    std::vector<std::byte> row(static_cast<size_t>(taps * lanes * lane_bytes));
    std::vector<float> direct(winograd_ != nullptr ? static_cast<size_t>(panel_width * taps * channels) : 0);
    std::vector<float> transformed(winograd_ != nullptr && this->type() == ConvType::i16
                                       ? static_cast<size_t>(panel_width * steps * channels)
                                       : 0);
    for (int64_t group = 0; group < shape_.groups; group++) {
        for (int64_t first = 0; first < outputs; first += panel_width) {
            Panel panel{};
            panel.group = group;
            panel.out = group * outputs + first;
            panel.width = std::min(panel_width, outputs - first);
            panel.taps = taps;
            const Rows rows = read(panel.out, panel.width);
            if (phases_ > 1 && winograd_ == nullptr) { // a phase of a transposed convolution does not reach all taps
                while (panel.taps > 1 && zero_tap(rows, panel.width, panel.first_tap)) {
                    panel.first_tap++;
                    panel.taps--;
                }
                while (panel.taps > 1 && zero_tap(rows, panel.width, panel.first_tap + panel.taps - 1)) {
                    panel.taps--;
                }
            }
            panel.weights = to;
            std::byte * packed = winograd_ != nullptr ? reinterpret_cast<std::byte *>(direct.data()) : to;
            panel.biases = biases;
            panel.scales = scales;
            for (int64_t i = 0; i < panel.width; i++) {
                biases[i] = bias != nullptr ? bias[panel.out + i] : 0.0F;
                rows.encode(i, panel.first_tap * channels, panel.taps * channels, before, type,
                            kernel_ != nullptr ? kernel_->weight_zero : 0, row.data(), scales + i * scale_bytes);
                for (int64_t lane = 0; lane < panel.taps * lanes; lane++) {
                    std::memcpy(packed + (lane * panel_width + i) * lane_bytes, row.data() + lane * lane_bytes,
                                lane_bytes);
                }
            }
            if (winograd_ != nullptr) {
                winograd_weights(*winograd_, taps, channels * panel_width, direct.data(),
                                 transformed.empty() ? reinterpret_cast<float *>(to) : transformed.data());
                std::fill(direct.begin(), direct.end(), 0.0F);
            }
            if (!transformed.empty()) {
                round_panel(transformed.data(), steps * channels / conv1d_block, to, scales);
            }
            to += lane_size;
            biases += panel_width;
            scales += scale_size;
            panels_.push_back(panel);
        }
    }
    for (size_t i = 0; i + 1 < panels_.size(); i++) {
        const Panel & next = panels_[i + 1];
        Panel & panel = panels_[i];
        panel.paired = (i == 0 || !panels_[i - 1].paired) && panel.width == panel_width && next.group == panel.group &&
                       next.first_tap == panel.first_tap && next.taps == panel.taps;
    }
}

void PackedConv1d::pack_plain(const RowReader & read, const float * bias, ConvType rounded) {
    const int64_t taps = shape_.kernel_size;
    const int64_t channels = shape_.in_channels / shape_.groups; // of a row: of several groups one
    plain_.resize(static_cast<size_t>(taps * shape_.in_channels));
    plain_biases_.resize(static_cast<size_t>(shape_.out_channels), 0.0F);
    for (int64_t out = 0; out < shape_.out_channels; out++) {
        const Rows row = read(out, 1);
        for (int64_t tap = 0; tap < taps; tap++) {
            auto * to = reinterpret_cast<std::byte *>(plain_.data() + tap * shape_.in_channels + out);
            row.encode(0, tap * channels, channels, ConvType::f32, rounded, 0, to, nullptr);
        }
        if (bias != nullptr) {
            plain_biases_[static_cast<size_t>(out)] = bias[out];
        }
    }
}

double PackedConv1d::multiplications(int64_t out_frames) const {
    double sum = plain_.empty() ? 0.0 : static_cast<double>(shape_.kernel_size * shape_.out_channels);
    for (const Panel & panel : panels_) {
        sum += static_cast<double>(panel.taps * panel.width);
    }
    return sum * static_cast<double>(shape_.in_channels / shape_.groups) * static_cast<double>(out_frames / phases_);
}

int64_t PackedConv1d::out_frames(int64_t frames, int64_t left, int64_t right) const {
    const int64_t room = left + frames + right - span();
    return room < 0 ? 0 : phases_ * (room / shape_.stride + 1);
}

} // namespace moss
