// Winograd's algorithm, after Toom and Cook: convolutions of stride 1 with fewer multiplications.
//
// m outputs of r taps, each the sum over j of w[j] x[i + j], depend on n = m + r - 1 inputs. They are computed with n
// products of transformed values:
//
//     y = A ((G w) * (B x)),     A [m][n], G [n][r], B [n][n]
//
// where row p of G is the value, at the p-th of n points, of the polynomial whose coefficients are w. A and B follow
// from the same points. The products of one point, summed over input channels, are a matrix product, for which there
// are kernels (conv1d_kernel.h). B x is computed once for all output channels, and A is applied once to the sum over
// all input channels.
//
// The points are 0, pairs of opposite numbers, and infinity. More points mean fewer multiplications and larger rounding
// errors: the error of a sum is 2e-6 of its size with 10 points, 4e-6 with 12, and 3e-7 when it is computed directly.
// The points below are the best of those that F32 represents exactly.
//
// A kernel of more than r taps is cut into segments of m taps, the last one of up to r. The transformed inputs of each
// segment are those of a later tile, and the products of all segments are summed before A is applied.

#pragma once

#include <cstdint>

namespace moss {

constexpr int max_winograd_pairs = 5;
constexpr int64_t max_winograd_points = 2 * max_winograd_pairs + 2;
constexpr int64_t max_winograd_outputs = 8;

struct WinogradScheme {
    int pairs;
    int outputs;                       // m, the outputs of a tile
    double points[max_winograd_pairs]; // the positive point of each pair

    constexpr int64_t count() const { return 2 * pairs + 2; }        // n, the number of points
    constexpr int64_t taps() const { return count() - outputs + 1; } // r, the most taps of the last segment
    /// The number of segments for a kernel of `kernel` taps.
    constexpr int64_t segments(int64_t kernel) const {
        return kernel <= taps() ? 1 : 1 + (kernel - taps() + outputs - 1) / outputs;
    }
};

constexpr int winograd_schemes = 3;
inline constexpr WinogradScheme winograd_scheme[winograd_schemes] = {
    {4, 8, {0.5, 0.75, 1.25, 2.5}},     // 3 taps: 10 instead of 24 multiplications
    {4, 6, {0.5, 0.75, 1.25, 2.5}},     // 5: 10 instead of 30
    {5, 6, {0.375, 0.75, 1, 1.5, 3.0}}, // 7: 12 instead of 42; 11: 24 instead of 66
};

/// The scheme for a kernel of `kernel` taps, at least 3.
constexpr int winograd_for(int64_t kernel) {
    return kernel <= 3 ? 0 : kernel <= 5 ? 1 : 2;
}

/// G w: `count` weights of each tap, [kernel][count] -> [point][segment][count].
void winograd_weights(const WinogradScheme & scheme, int64_t kernel, int64_t count, const float * weights, float * to);

/// Where tiles begin, in output frames. The m outputs of a tile are `dilation` frames apart, so that `dilation` tiles
/// that begin at consecutive frames cover dilation * m frames; the next tiles begin after these.
struct WinogradTiles {
    int64_t dilation;
    int64_t outputs; // m

    /// The first output frame of a tile.
    int64_t start(int64_t tile) const { return tile / dilation * dilation * outputs + tile % dilation; }
    /// The number of tiles for `frames` output frames.
    int64_t count(int64_t frames) const {
        const int64_t rest = frames % (dilation * outputs);
        return frames / (dilation * outputs) * dilation + (rest < dilation ? rest : dilation);
    }
};

/// The arguments of the input transform B x of tiles 0 .. count.
struct WinogradInput {
    const float * x; // the frame where tile 0 begins; frames are x_step floats apart
    int64_t x_step;
    int64_t dilation;
    int64_t count;
    int64_t channels;   // a multiple of 16
    float slope;        // leaky(x) is transformed; with slope 1 that is x
    float * to;         // [channels] of each tile and point; tiles are tile_step, points point_step floats apart
    int64_t tile_step;  //
    int64_t point_step; //
};

/// The arguments of the output transform y = leaky(A products + bias) + residual of tiles first .. end.
struct WinogradOutput {
    const float * products; // [width] of each tile and point, of tile `first` first; points are point_step floats apart
    int64_t point_step;
    int64_t dilation;
    int64_t first, end;
    int64_t width;          // output channels: 16 or 32
    const float * biases;   // [width]
    float slope;            // 1 without activation
    const float * residual; // of the frame where tile 0 begins, or null; its frames are residual_step floats apart
    int64_t residual_step;  //
    float * y;              // the same frame of the output; frames are y_step floats apart
    int64_t y_step;         //
    int64_t frames;         // frames of y: outputs of a tile beyond them are not written
};

/// The transforms of a scheme, for one instruction set.
struct WinogradTransforms {
    void (*input)(const WinogradInput & tiles);
    void (*output)(const WinogradOutput & tiles);
};

} // namespace moss
