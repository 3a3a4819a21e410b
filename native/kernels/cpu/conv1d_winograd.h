// Convolutions of stride 1 with fewer multiplications, after Toom, Cook and Winograd.
//
// m outputs of r taps, sum over j of w[j] x[i + j], depend on n = m + r - 1 inputs. Transformed, they are n products:
//
//     y = A ((G w) * (B x)),     A [m][n], G [n][r], B [n][n]
//
// where row p of G is the polynomial with the coefficients w at the p-th point, which is what A and B are made of too.
// Summed over input channels the products of one point are a matrix product, for which we have kernels; B x is shared
// by all output channels, and A is applied once for all input channels. The points are 0, pairs of opposite numbers,
// and infinity; with more of them there is less to multiply, and more to lose to rounding: a sum's error is 2e-6 of its
// size with 10 points, 4e-6 with 12 (3e-7 directly), with the best of the points that F32 holds exactly.
//
// Of more than r taps, blocks of m are convolutions of their own, of which the transformed inputs are those of a later
// tile, and whose products are summed before A.

#pragma once

#include <cstdint>

namespace moss {

constexpr int max_winograd_pairs = 5;
constexpr int64_t max_winograd_points = 2 * max_winograd_pairs + 2;
constexpr int64_t max_winograd_outputs = 8;

struct WinogradScheme {
    int pairs;
    int outputs;                       // m, of a tile
    double points[max_winograd_pairs]; // those above zero: of each pair one

    constexpr int64_t count() const { return 2 * pairs + 2; }        // n, of points
    constexpr int64_t taps() const { return count() - outputs + 1; } // r, of the last block
    constexpr int64_t blocks(int64_t kernel) const {
        return kernel <= taps() ? 1 : 1 + (kernel - taps() + outputs - 1) / outputs;
    }
};

constexpr int winograd_schemes = 3;
inline constexpr WinogradScheme winograd_scheme[winograd_schemes] = {
    {4, 8, {0.5, 0.75, 1.25, 2.5}},     // 3 taps: 10 instead of 24 multiplications
    {4, 6, {0.5, 0.75, 1.25, 2.5}},     // 5: 10 instead of 30
    {5, 6, {0.375, 0.75, 1, 1.5, 3.0}}, // 7: 12 instead of 42; 11: 24 instead of 66
};

/// The scheme for so many taps, at least 3.
constexpr int winograd_for(int64_t kernel) {
    return kernel <= 3 ? 0 : kernel <= 5 ? 1 : 2;
}

/// G w: `count` weights of each tap, [kernel][count] -> [point][block][count].
void winograd_weights(const WinogradScheme & scheme, int64_t kernel, int64_t count, const float * weights, float * to);

/// Tiles of which `dilation` begin at consecutive frames, each with outputs a dilation apart: a group. The next group
/// begins where its outputs end, dilation * m frames later.
struct WinogradTiles {
    int64_t dilation;
    int64_t outputs; // m

    int64_t start(int64_t tile) const { return tile / dilation * dilation * outputs + tile % dilation; }
    /// Of so many output frames.
    int64_t count(int64_t frames) const {
        const int64_t rest = frames % (dilation * outputs);
        return frames / (dilation * outputs) * dilation + (rest < dilation ? rest : dilation);
    }
};

/// B x of tiles 0 .. count.
struct WinogradInput {
    const float * x; // frame 0; frames are x_step floats apart
    int64_t x_step;
    int64_t dilation;
    int64_t count;
    int64_t channels;   // a multiple of 16
    float slope;        // leaky(x); 1: x
    float * to;         // [channels] of each tile, tile_step floats apart, of each point
    int64_t tile_step;  //
    int64_t point_step; //
};

/// y = leaky(A products + bias) + residual of tiles first .. end.
struct WinogradOutput {
    const float * products; // [width] of each tile, of each point, point_step floats apart
    int64_t point_step;
    int64_t dilation;
    int64_t first, end;
    int64_t width;          // output channels: 16 or 32
    const float * biases;   // [width]
    float slope;            // 1: no activation
    const float * residual; // of frame 0, or null; its frames are residual_step floats apart
    int64_t residual_step;  //
    float * y;              // frame 0; frames are y_step floats apart
    int64_t y_step;         //
    int64_t frames;         // those that are written
};

/// The transforms of a scheme, for one instruction set.
struct WinogradTransforms {
    void (*input)(const WinogradInput & tiles);
    void (*output)(const WinogradOutput & tiles);
};

} // namespace moss
