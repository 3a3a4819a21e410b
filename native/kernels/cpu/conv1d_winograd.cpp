// Convolutions computed by Winograd's algorithm: the transformed input is multiplied with the transformed weights point
// by point, by the same kernels as a direct convolution, and the products are transformed to outputs.

#include "conv1d_paths.h"

#include <algorithm>

namespace moss {

namespace {

/// The number of tiles that are multiplied before the output transform: the weights are read once for each batch.
constexpr int64_t batch_tiles = 24;

/// The matrix product of one point: a row is a Winograd tile, a tap is a segment of taps.
Conv1dTile product_of(const Conv1dCall & call, const LoadedTiles & input, int64_t width) {
    static constexpr float zeros[2 * output_block_channels] = {};
    const Conv1dShape & shape = call.weights.shape;
    Conv1dTile product{};
    product.row_step = input.step;
    product.tap_step = shape.dilation * input.step;
    product.taps = call.weights.scheme->segments(shape.kernel_size);
    product.lanes = shape.in_channels / lane_values(call.plan.kernel->type);
    product.quant_blocks = shape.in_channels / quant_block;
    product.row_scales = product.quant_blocks;
    product.tap_scales = shape.dilation * product.quant_blocks;
    product.biases = zeros;
    product.slope = 1.0F;
    product.y_step = width;
    return product;
}

/// Multiplies tiles first .. first + count of every point by the weights of a pair: [point][batch_tiles][width].
void multiply_points(const Conv1dCall & call, const LoadedTiles & input, const OutputBlockPair & pair,
                     Conv1dTile product, int64_t first, int64_t count, float * products) {
    const Conv1dKernel & kernel = *call.plan.kernel;
    const int64_t width = pair.padded_channels();
    const int64_t point_weights = product.taps * product.lanes * output_block_channels * lane_bytes;
    const int64_t point_scales =
        product.taps * product.quant_blocks * output_block_channels * weight_scale_bytes(kernel.type);
    const int64_t calls = (count + kernel.max_rows - 1) / kernel.max_rows; // with about equal numbers of rows
    const int64_t rows = (count + calls - 1) / calls;
    for (int64_t p = 0; p < call.weights.scheme->count(); p++) {
        product.weights = pair.first->weights + p * point_weights;
        product.scales = pair.first->scales + p * point_scales;
        if (pair.second != nullptr) {
            product.weights2 = pair.second->weights + p * point_weights;
            product.scales2 = pair.second->scales + p * point_scales;
        }
        for (int64_t tile = 0; tile < count; tile += rows) {
            const int64_t at = p * input.count + first + tile;
            product.x = input.data + at * input.step;
            product.input_scales = input.scales == nullptr ? nullptr : input.scales + at * product.quant_blocks;
            product.y = products + (p * batch_tiles + tile) * width;
            kernel.run(product, std::min(rows, count - tile));
        }
    }
}

void multiply(const Conv1dCall & call, const Conv1dShare & share, const LoadedTiles & input,
              const OutputBlockPair & pair, Scratch & scratch) {
    const Conv1dShape & shape = call.weights.shape;
    const Conv1dOutput & output = call.output;
    const WinogradScheme & scheme = *call.weights.scheme;
    const int64_t first_channel = pair.first->first_channel;
    constexpr int64_t unfused_step = 2 * output_block_channels;
    alignas(64) float products[max_winograd_points * batch_tiles * 2 * output_block_channels];
    float biases[2 * output_block_channels];
    output.load_biases(pair, biases);
    const bool fused = output.fused(pair);
    scratch.unfused.resize(fused ? 0 : static_cast<size_t>(share.frames() * unfused_step));
    WinogradOutput transform{};
    transform.products = products;
    transform.width = pair.padded_channels();
    transform.point_step = batch_tiles * transform.width;
    transform.dilation = shape.dilation;
    transform.biases = biases;
    transform.slope = output.activation.negative_slope();
    if (fused && output.residual != nullptr) {
        transform.residual = output.residual_frame(share.first) + first_channel;
        transform.residual_step = output.residual_step;
    }
    transform.y = fused ? output.frame(share.first) + first_channel : scratch.unfused.data();
    transform.y_step = fused ? output.channels : unfused_step;
    transform.frames = share.frames();
    const Conv1dTile product = product_of(call, input, transform.width);
    const int64_t tiles = WinogradTiles{shape.dilation, scheme.outputs}.count(share.frames());
    for (transform.first = 0; transform.first < tiles; transform.first = transform.end) {
        transform.end = std::min(tiles, transform.first + batch_tiles);
        multiply_points(call, input, pair, product, transform.first, transform.end - transform.first, products);
        call.plan.kernel->winograd[call.weights.scheme - winograd_scheme].output(transform);
    }
    if (!fused) {
        output.finish(pair, share.first, share.frames(), scratch.unfused.data(), unfused_step);
    }
}

} // namespace

void run_winograd(const Conv1dCall & call, const Conv1dShare & share, Scratch & scratch) {
    const LoadedTiles input = load_tiles(call.input, call.weights, call.plan, share.first, share.last, scratch);
    for_each_pair(call, share, [&](const OutputBlockPair & pair, int64_t /*index*/) {
        multiply(call, share, input, pair, scratch);
    });
}

} // namespace moss
