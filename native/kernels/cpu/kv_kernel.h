// The inner loops of attention to cached keys and values, compiled once for each instruction set.

#pragma once

#include <cstddef>
#include <cstdint>

namespace moss {

/// How cached keys and values are stored: F32, F16, or INT8 with an F32 scale for each 32 values of a position.
enum class KvType : int32_t { f32, f16, q8 };

/// Positions of a page of the cache.
constexpr int64_t kv_page_positions = 64;

/// The most queries of one call.
constexpr int64_t kv_max_rows = 4;

/// The values of a position are padded to a multiple of this, which is also the number of values that share a scale.
constexpr int64_t kv_block = 32;

constexpr int64_t kv_padded(int64_t dim) {
    return (dim + kv_block - 1) / kv_block * kv_block;
}

/// Bytes of the values of a page's keys, or of its values, for one head; the scales of `q8` follow them.
constexpr int64_t kv_values_bytes(KvType type, int64_t dim) {
    return kv_page_positions * kv_padded(dim) * (type == KvType::f32 ? 4 : type == KvType::f16 ? 2 : 1);
}

/// Bytes of a page's keys, or of its values, for one head.
constexpr int64_t kv_half_bytes(KvType type, int64_t dim) {
    return kv_values_bytes(type, dim) +
           (type == KvType::q8 ? kv_page_positions * kv_padded(dim) / kv_block * static_cast<int64_t>(sizeof(float))
                               : 0);
}

/// A call for up to kv_max_rows queries and one page.
struct KvTile {
    const std::byte *
        page;      // keys [dim][64], with scales [dim / 32][64]; or values [64][dim], with scales [64][dim / 32]
    int64_t dim;   // of a head
    int64_t count; // positions of the page that are used, 1 .. 64
    int64_t rows;  // 1 .. kv_max_rows
    const float * queries[kv_max_rows]; // [dim] each; for `mix` the attention weights of the page's positions
    float * to[kv_max_rows]; // scores of the page's positions; for `mix` sums [padded dim], which are added to
};

struct KvKernel {
    /// Writes q . k for each row and position. May write past `count`, up to 64 scores a row.
    void (*scores)(KvType type, const KvTile & tile);
    /// Adds the values of the page, weighted, to the sums of each row.
    void (*mix)(KvType type, const KvTile & tile);
};

extern const KvKernel kv_kernel_portable;
#if defined(__x86_64__) || defined(_M_X64)
extern const KvKernel kv_kernel_avx2;
extern const KvKernel kv_kernel_avx512;
#endif

/// The kernel for this CPU's best instruction set.
const KvKernel & kv_kernel();

} // namespace moss
