#include "vits_upsampler.h"

#include "../kernels/cpu/join.h"

#include <algorithm>
#include <utility>

namespace moss {

namespace {

int64_t lookahead(const std::vector<PackedConv1d> & convs) {
    int64_t sum = 0;
    for (const PackedConv1d & conv : convs) {
        sum += conv.right();
    }
    return sum;
}

/// How many frames before and after those of a piece are read.
struct Reach {
    int64_t before = 0, after = 0;

    Reach with(const Reach & other) const { return {std::max(before, other.before), std::max(after, other.after)}; }
};

Reach reach(const PackedConv1d & conv) {
    return {conv.span() - 1, conv.right()};
}

/// The reach for the input of residual connection `index`.
Reach reach(const std::vector<PackedConv1d> & first, const std::vector<PackedConv1d> & second, size_t index) {
    const int64_t lag = first[index].right() + (second.empty() ? 0 : second[index].right());
    return reach(first[index]).with({lag, 0});
}

} // namespace

Upsampler::Upsampler(const UpsamplerShape & shape, const Weights & weights, const std::string & name)
    : shape_(shape), name_(name) {
    int64_t channels = shape.channels;
    for (size_t i = 0; i < shape.rates.size(); i++) {
        const std::string up = name + ".up." + std::to_string(i);
        const int64_t kernel = shape.kernels[i];
        const int64_t rate = shape.rates[i];
        up_.push_back(load_conv_transpose1d(weights, up + ".weight", up + ".bias",
                                            {channels, channels / 2, kernel, rate}, (kernel - rate) / 2));
        channels /= 2;
        for (size_t k = 0; k < shape.res_kernels.size(); k++) {
            const std::string res = name + ".res." + std::to_string(res_.size());
            const int64_t res_kernel = shape.res_kernels[k];
            ResBlock block;
            for (size_t j = 0; j < shape.dilations[k].size(); j++) {
                const std::string index = std::to_string(j);
                block.first.push_back(load_conv1d(weights, res + ".conv1." + index,
                                                  {channels, channels, res_kernel, 1, shape.dilations[k][j]}));
                if (shape.resblock_type == 1) {
                    block.second.push_back(
                        load_conv1d(weights, res + ".conv2." + index, {channels, channels, res_kernel}));
                }
            }
            res_.push_back(std::move(block));
        }
    }
}

Upsampler::Stream::Stream(const Upsampler & upsampler, StreamState & state) : done_(upsampler.up_.size()) {
    const size_t kernels = upsampler.shape_.res_kernels.size();
    for (size_t i = 0; i < upsampler.up_.size(); i++) {
        const std::string up = upsampler.name_ + ".up." + std::to_string(i);
        const int64_t channels = upsampler.up_[i].out_channels();
        up_.push_back(window_of(state, up, upsampler.up_[i]));
        Reach input;
        int64_t slowest = 0;
        for (size_t k = i * kernels; k < (i + 1) * kernels; k++) {
            input = input.with(reach(upsampler.res_[k].first, upsampler.res_[k].second, 0));
            slowest = std::max(slowest, lookahead(upsampler.res_[k].first) + lookahead(upsampler.res_[k].second));
        }
        inputs_.emplace_back(state, up + ".blocks", channels, input.before, input.after);
        for (size_t k = i * kernels; k < (i + 1) * kernels; k++) {
            const ResBlock & block = upsampler.res_[k];
            const std::string name = upsampler.name_ + ".res." + std::to_string(k);
            ResStream stream;
            for (size_t j = 0; j < block.first.size(); j++) {
                const std::string index = "." + std::to_string(j);
                if (!block.second.empty()) {
                    const Reach middle = reach(block.second[j]);
                    stream.middle.emplace_back(state, name + ".middle" + index, channels, middle.before, middle.after);
                }
                Reach sum; // the last sum waits for that of the slowest block
                sum.before = slowest - lookahead(block.first) - lookahead(block.second);
                if (j + 1 < block.first.size()) {
                    sum = reach(block.first, block.second, j + 1);
                }
                stream.sums.emplace_back(state, name + ".sum" + index, channels, sum.before, sum.after);
            }
            res_.push_back(std::move(stream));
        }
    }
}

ggml_tensor * Upsampler::push(Graph & g, Stream & stream, ggml_tensor * x, bool last) const {
    const size_t kernels = shape_.res_kernels.size();
    for (size_t i = 0; i < up_.size(); i++) {
        StreamBuffer & input = stream.inputs_[i];
        input.push(g, up_[i], stream.up_[i].push(g, x, last), leaky_input(shape_.slope), last); // [C / 2, rate T]
        std::vector<const StreamBuffer *> blocks;
        int64_t ready = INT64_MAX; // frames that all blocks have computed
        for (size_t k = i * kernels; k < (i + 1) * kernels; k++) {
            blocks.push_back(&residual(g, res_[k], stream.res_[k], input, last));
            ready = std::min(ready, blocks.back()->end());
        }
        const int64_t done = std::exchange(stream.done_[i], ready);
        x = nullptr;
        if (ready > done) {
            std::vector<ggml_tensor *> outputs;
            for (const StreamBuffer * block : blocks) {
                outputs.push_back(block->frames(g, done, ready - done));
            }
            x = g.stage(mean(g, outputs), name_ + ".up." + std::to_string(i));
        }
    }
    return x;
}

const StreamBuffer & Upsampler::residual(Graph & g, const ResBlock & block, ResStream & stream,
                                         const StreamBuffer & input, bool last) const {
    const StreamBuffer * x = &input;
    for (size_t i = 0; i < block.first.size(); i++) {
        StreamBuffer & sum = stream.sums[i];
        const bool one = block.second.empty(); // x + conv(x)
        if (!one) {
            stream.middle[i].push(g, block.first[i], *x, leaky_input(shape_.slope), last);
        }
        sum.push(g, one ? block.first[i] : block.second[i], one ? *x : stream.middle[i], leaky_input(shape_.slope),
                 last, x);
        x = &sum;
    }
    return *x;
}

} // namespace moss
