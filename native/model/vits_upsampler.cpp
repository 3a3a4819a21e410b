#include "vits_upsampler.h"

#include <algorithm>

namespace moss {

namespace {

int64_t lookahead(const std::vector<PackedConv1d> & convs) {
    int64_t sum = 0;
    for (const PackedConv1d & conv : convs) {
        sum += conv.right();
    }
    return sum;
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

Upsampler::Stream::Stream(const Upsampler & upsampler, StreamState & state) {
    for (size_t i = 0; i < upsampler.up_.size(); i++) {
        up_.push_back(window_of(state, upsampler.name_ + ".up." + std::to_string(i), upsampler.up_[i]));
    }
    const size_t kernels = upsampler.shape_.res_kernels.size();
    for (size_t i = 0; i < upsampler.res_.size(); i++) {
        const ResBlock & block = upsampler.res_[i];
        const std::string name = upsampler.name_ + ".res." + std::to_string(i);
        const int64_t channels = block.first[0].in_channels();
        ResStream stream;
        for (size_t j = 0; j < block.first.size(); j++) {
            const std::string index = "." + std::to_string(j);
            stream.first.push_back(window_of(state, name + ".conv1" + index, block.first[j]));
            if (!block.second.empty()) {
                stream.second.push_back(window_of(state, name + ".conv2" + index, block.second[j]));
                stream.pending.emplace_back(state, name + ".pending" + index, channels,
                                            block.first[j].right() + block.second[j].right());
            }
        }
        int64_t slowest = 0;
        for (size_t k = i / kernels * kernels; k < i / kernels * kernels + kernels; k++) {
            slowest = std::max(slowest, lookahead(upsampler.res_[k].first) + lookahead(upsampler.res_[k].second));
        }
        stream.output =
            Delay(state, name + ".output", channels, slowest - lookahead(block.first) - lookahead(block.second));
        res_.push_back(std::move(stream));
    }
}

ggml_tensor * Upsampler::push(Graph & g, Stream & stream, ggml_tensor * x, bool last) const {
    const size_t kernels = shape_.res_kernels.size();
    for (size_t i = 0; i < up_.size(); i++) {
        x = stream.up_[i].push(g, x, last);
        if (x != nullptr) {
            x = conv1d(g, x, up_[i], leaky_input(shape_.slope)); // [C / 2, rate T]
        }
        std::vector<ggml_tensor *> branches;
        int64_t ready = INT64_MAX; // rows that all branches have
        for (size_t k = i * kernels; k < (i + 1) * kernels; k++) {
            branches.push_back(residual(g, res_[k], stream.res_[k], x, last));
            ready = std::min(ready, stream.res_[k].output.pending() + row_count(branches.back()));
        }
        x = nullptr;
        for (size_t k = 0; k < kernels; k++) {
            ggml_tensor * y = stream.res_[i * kernels + k].output.push(g, branches[k], ready);
            x = x == nullptr ? y : ggml_add(g, x, y);
        }
        if (x != nullptr) {
            x = g.stage(ggml_scale(g, x, 1.0F / static_cast<float>(kernels)), name_ + ".up." + std::to_string(i));
        }
    }
    return x;
}

ggml_tensor * Upsampler::residual(Graph & g, const ResBlock & block, ResStream & stream, ggml_tensor * x,
                                  bool last) const {
    for (size_t i = 0; i < block.first.size(); i++) {
        ggml_tensor * window = stream.first[i].push(g, x, last);
        Conv1dOptions options = leaky_input(shape_.slope);
        if (block.second.empty()) { // x + conv(x)
            if (window != nullptr) {
                options.residual = stream.first[i].center(g, window);
            }
            x = window == nullptr ? nullptr : conv1d(g, window, block.first[i], options);
            continue;
        }
        ggml_tensor * y = window == nullptr ? nullptr : conv1d(g, window, block.first[i], options);
        window = stream.second[i].push(g, y, last);
        const int64_t ready = window == nullptr ? 0 : stream.second[i].center(g, window)->ne[1];
        options.residual = stream.pending[i].push(g, x, ready);
        x = window == nullptr ? nullptr : conv1d(g, window, block.second[i], options);
    }
    return x;
}

} // namespace moss
