// Attention of new positions to the cached keys and values of their conversations, as operations of a ggml graph. One
// graph may hold positions of several conversations. The cache is made of pages of 64 positions.

#pragma once

#include "kv_kernel.h"
#include "page_memory.h"

#include "ggml.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace moss {

/// Where a page holds the keys and values of one transformer block: for each of `heads` heads first the keys
/// [dim][64], then the values [64][padded dim].
struct KvPlace {
    KvType type;
    int32_t heads, dim;
    int64_t offset; // bytes from the start of the page; a multiple of 64

    int64_t bytes() const { return 2 * heads * kv_half_bytes(type, dim); }
};

/// The positions of one conversation in a graph.
struct KvSequence {
    const PageMemory * pages; // page i holds positions 64 i .. 64 i + 63
    int64_t past;             // positions that the cache holds already
    int64_t first;            // index of its first position in the graph
    int64_t count;            // its positions in the graph, at least 1
};

/// Writes the keys k [D, Hkv, T] and values v [D * Hkv, T], both contiguous F32, of the graph's positions to the cache.
/// `sequences` must live until the graph has run. The result has no values: it is to be computed, directly or as the
/// last argument of kv_attention.
ggml_tensor * kv_append(ggml_context * context, ggml_tensor * k, ggml_tensor * v, const KvPlace & place,
                        const std::vector<KvSequence> & sequences);

/// Softmax attention of queries q [D, H, T], contiguous F32, to all positions up to their own: those before in the
/// cache, and those that `appended`, the result of kv_append, has written. Scores are scaled by 1 / sqrt(D). H is a
/// multiple of Hkv. -> [D * H, T]. The result of a position does not depend, in any bit, on the other positions and
/// conversations of the graph, nor on the number of threads.
ggml_tensor * kv_attention(ggml_context * context, ggml_tensor * q, ggml_tensor * appended, const KvPlace & place,
                           const std::vector<KvSequence> & sequences);

/// Reads the keys and values [dim] of one position and head from its page, or writes them.
void kv_read(const KvPlace & place, const std::byte * page, int64_t position, int64_t head, float * key, float * value);
void kv_write(const KvPlace & place, std::byte * page, int64_t position, int64_t head, const float * key,
              const float * value);
void kv_write_key(const KvPlace & place, std::byte * page, int64_t position, int64_t head, const float * key);

/// Copies the value of one position and head to another page or position.
void kv_copy_value(const KvPlace & place, const std::byte * from, int64_t from_position, std::byte * to,
                   int64_t to_position, int64_t head);

/// Bytes of the key and the value of one position and head as they are stored: for each of the two `dim` values and,
/// for `q8`, a scale for each 32 of them.
int64_t kv_stored_bytes(const KvPlace & place);

/// Copies these bytes from a page, or to a page, without any change.
void kv_load(const KvPlace & place, const std::byte * page, int64_t position, int64_t head, std::byte * stored);
void kv_store(const KvPlace & place, std::byte * page, int64_t position, int64_t head, const std::byte * stored);

} // namespace moss
