#include "istft_block.h"

#include "../io/error.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace moss {

IstftBlock::Norm::Norm(const Weights & weights, const std::string & block, const std::string & index,
                       const Shape & shape)
    : scale(weights.values(block + ".norm" + index + ".scale", {shape.channels, shape.voices})),
      shift(weights.values(block + ".norm" + index + ".shift", {shape.channels, shape.voices})),
      alpha(weights.values(block + ".snake" + index + ".alpha", {shape.channels})) {
    if (!std::all_of(alpha.begin(), alpha.end(), [](float a) { return std::isnormal(a); })) {
        throw model_format_error(block + ".snake" + index + ".alpha", "finite numbers other than 0",
                                 "0, an infinity or NaN");
    }
}

SnakeConstants IstftBlock::Norm::mixed(const VoiceMix & mix) const {
    const size_t channels = alpha.size();
    SnakeConstants constants;
    constants.scale.assign(channels, 0.0F);
    constants.shift.assign(channels, 0.0F);
    constants.alpha = alpha;
    for (const float a : alpha) {
        constants.inverse.push_back(1.0F / a);
    }
    for (size_t voice = 0; voice < mix.size(); voice++) {
        for (size_t c = 0; mix[voice] != 0.0F && c < channels; c++) {
            constants.scale[c] += mix[voice] * scale[voice * channels + c];
            constants.shift[c] += mix[voice] * shift[voice * channels + c];
        }
    }
    return constants;
}

IstftBlock::IstftBlock(const Shape & shape, const Weights & weights, const std::string & name)
    : name_(name), channels_(shape.channels) {
    for (size_t i = 0; i < shape.dilations.size(); i++) {
        const std::string index = "." + std::to_string(i);
        norm1_.emplace_back(weights, name, "1" + index, shape);
        norm2_.emplace_back(weights, name, "2" + index, shape);
        first_.push_back(load_conv1d(weights, name + ".conv1" + index,
                                     {shape.channels, shape.channels, shape.kernel, 1, shape.dilations[i]}));
        second_.push_back(
            load_conv1d(weights, name + ".conv2" + index, {shape.channels, shape.channels, shape.kernel}));
    }
}

int64_t IstftBlock::lookahead() const {
    int64_t sum = 0;
    for (size_t i = 0; i < first_.size(); i++) {
        sum += first_[i].right() + second_[i].right();
    }
    return sum;
}

IstftBlock::Stream::Stream(const IstftBlock & block, StreamState & state, const VoiceMix & mix, int64_t wait) {
    const auto buffer = [&](const char * name, size_t index, int64_t before, int64_t after) {
        return StreamBuffer(state, block.name_ + name + std::to_string(index), block.channels_, before, after);
    };
    for (size_t i = 0; i < block.first_.size(); i++) {
        const PackedConv1d & first = block.first_[i];
        const PackedConv1d & second = block.second_[i];
        const bool ends = i + 1 == block.first_.size();
        Stage stage;
        stage.snake1 = block.norm1_[i].mixed(mix);
        stage.snake2 = block.norm2_[i].mixed(mix);
        stage.outer = buffer(".outer.", i, first.span() - 1, first.right());
        stage.inner = buffer(".inner.", i, second.span() - 1, second.right());
        stage.sum = buffer(".sum.", i, ends ? wait : block.first_[i + 1].right() + block.second_[i + 1].right(), 0);
        stages_.push_back(std::move(stage));
    }
}

const StreamBuffer & IstftBlock::push(Graph & g, Stream & stream, const StreamBuffer & x, bool last) const {
    const StreamBuffer * input = &x;
    for (size_t i = 0; i < first_.size(); i++) {
        Stream::Stage & stage = stream.stages_[i];
        const PackedConv1d & conv = first_[i];
        const int64_t start = stage.outer.end();
        const int64_t fresh = input->end() - start;
        const auto activate = [&](ggml_tensor * all, int64_t first) {
            return snake(g, input->frames(g, start, fresh), stage.snake1, all, first);
        };
        stage.outer.push(g, fresh, activate, last);
        const int64_t done = stage.inner.end();
        const int64_t count = std::max<int64_t>(stage.outer.end() - (last ? 0 : conv.right()) - done, 0);
        const auto convolve = [&](ggml_tensor * all, int64_t first) {
            Conv1dOptions options;
            options.into = all;
            options.into_first = first;
            all = conv1d(g, stage.outer.frames(g, done - conv.left(), count + conv.span() - 1), conv, options);
            return snake(g, frames_of(g, all, first, count), stage.snake2, all, first);
        };
        stage.inner.push(g, count, convolve, last);
        stage.sum.push(g, second_[i], stage.inner, {}, last, input);
        input = &stage.sum;
    }
    return *input;
}

} // namespace moss
