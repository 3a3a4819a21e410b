#include "kv_attention.h"

#include "cpu_features.h"
#include "vector_ops.h"
#include "work.h"
#include "workspace.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace moss {

const KvKernel & kv_kernel() {
#if defined(__x86_64__) || defined(_M_X64)
    if (cpu_features().avx512) {
        return kv_kernel_avx512;
    }
    if (cpu_features().avx2) {
        return kv_kernel_avx2;
    }
#endif
    return kv_kernel_portable;
}

namespace {

using Sequences = std::vector<KvSequence>;

std::byte * keys_of(const KvPlace & place, std::byte * page, int64_t head) {
    return page + place.offset + 2 * head * kv_half_bytes(place.type, place.dim);
}

std::byte * values_of(const KvPlace & place, std::byte * page, int64_t head) {
    return keys_of(place, page, head) + kv_half_bytes(place.type, place.dim);
}

int64_t value_bytes(KvType type) {
    return type == KvType::f32 ? 4 : type == KvType::f16 ? 2 : 1;
}

/// Vectors of one position that lie in a page with a distance of `step` values from value to value, and their scales
/// with `scale_step` from scale to scale.
struct Places {
    KvType type;
    std::byte * values;
    float * scales;
    int64_t step, scale_step;

    Places(const KvPlace & place, std::byte * half, int64_t first, int64_t value_step, int64_t first_scale,
           int64_t step_of_scales)
        : type(place.type), step(value_step), scale_step(step_of_scales) {
        values = half + first * value_bytes(type);
        scales = reinterpret_cast<float *>(half + kv_values_bytes(place.type, place.dim)) + first_scale;
    }

    static Places of_key(const KvPlace & place, std::byte * page, int64_t position, int64_t head) {
        return {place, keys_of(place, page, head), position, kv_page_positions, position, kv_page_positions};
    }

    static Places of_value(const KvPlace & place, std::byte * page, int64_t position, int64_t head) {
        const int64_t dim = kv_padded(place.dim);
        return {place, values_of(place, page, head), position * dim, 1, position * dim / kv_block, 1};
    }

    template <class T>
    T & at(int64_t i) const {
        return reinterpret_cast<T *>(values)[i * step];
    }

    /// Stores `count` values; the rest up to `padded` are zeros.
    void write(const float * from, int64_t count, int64_t padded) const {
        if (type != KvType::q8) {
            for (int64_t i = 0; i < padded; i++) {
                const float value = i < count ? from[i] : 0.0F;
                if (type == KvType::f32) {
                    at<float>(i) = value;
                } else {
                    at<ggml_fp16_t>(i) = ggml_fp32_to_fp16(value);
                }
            }
            return;
        }
        for (int64_t first = 0; first < padded; first += kv_block) {
            const int64_t end = std::min(first + kv_block, count);
            float largest = 0.0F;
            for (int64_t i = first; i < end; i++) {
                largest = std::max(largest, std::fabs(from[i]));
            }
            const float scale = largest / 127.0F, inverse = largest > 0.0F ? 127.0F / largest : 0.0F;
            scales[first / kv_block * scale_step] = scale;
            for (int64_t i = first; i < std::min(first + kv_block, padded); i++) {
                at<int8_t>(i) = static_cast<int8_t>(i < end ? std::nearbyint(from[i] * inverse) : 0.0F);
            }
        }
    }

    void read(float * to, int64_t count) const {
        for (int64_t i = 0; i < count; i++) {
            to[i] = type == KvType::f32   ? at<float>(i)
                    : type == KvType::f16 ? ggml_fp16_to_fp32(at<ggml_fp16_t>(i))
                                          : scales[i / kv_block * scale_step] * static_cast<float>(at<int8_t>(i));
        }
    }
};

int64_t scale_count(KvType type, int64_t values) {
    return type == KvType::q8 ? (values + kv_block - 1) / kv_block : 0;
}

/// Copies `count` values and their scales as they are stored. Returns where the copy ends.
std::byte * load(const Places & from, int64_t count, std::byte * to) {
    const auto size = static_cast<size_t>(value_bytes(from.type));
    for (int64_t i = 0; i < count; i++, to += size) {
        std::memcpy(to, from.values + i * from.step * value_bytes(from.type), size);
    }
    for (int64_t i = 0; i < scale_count(from.type, count); i++, to += sizeof(float)) {
        std::memcpy(to, from.scales + i * from.scale_step, sizeof(float));
    }
    return to;
}

/// The reverse. The values up to `padded` become zeros.
const std::byte * store(const std::byte * from, int64_t count, int64_t padded, const Places & to) {
    const auto size = static_cast<size_t>(value_bytes(to.type));
    for (int64_t i = 0; i < count; i++, from += size) {
        std::memcpy(to.values + i * to.step * value_bytes(to.type), from, size);
    }
    for (int64_t i = count; i < padded; i++) {
        std::memset(to.values + i * to.step * value_bytes(to.type), 0, size);
    }
    for (int64_t i = 0; i < scale_count(to.type, count); i++, from += sizeof(float)) {
        std::memcpy(to.scales + i * to.scale_step, from, sizeof(float));
    }
    return from;
}

/// The rows of a node at a position of the graph.
float * row_of(const ggml_tensor * node, int64_t position, int64_t width) {
    return static_cast<float *>(node->data) + position * width;
}

void append(ggml_tensor * node, int ith, int nth, void * userdata) {
    const auto & sequences = *static_cast<const Sequences *>(userdata);
    const auto place = parameters_of<KvPlace>(node);
    const int64_t width = place.heads * place.dim;
    for (const KvSequence & s : sequences) {
        for (int64_t item = ith; item < s.count * place.heads; item += nth) {
            const int64_t i = item / place.heads, head = item % place.heads, position = s.past + i;
            std::byte * page = s.pages[position / kv_page_positions].get();
            kv_write(place, page, position % kv_page_positions, head,
                     row_of(node->src[0], s.first + i, width) + head * place.dim,
                     row_of(node->src[1], s.first + i, width) + head * place.dim);
        }
    }
}

/// Up to kv_max_rows queries of one conversation that read the same head of the cache.
struct Rows {
    int64_t head;
    int64_t count = 0;
    const float * queries[kv_max_rows];
    float * results[kv_max_rows];
    int64_t seen[kv_max_rows]; // positions that each query sees, in ascending order
};

void attend_rows(const KvPlace & place, const KvSequence & s, const Rows & rows, Scratch & scratch) {
    const KvKernel & kernel = kv_kernel();
    const VectorOps & ops = vector_ops();
    const int64_t total = rows.seen[rows.count - 1];
    const int64_t pages = (total + kv_page_positions - 1) / kv_page_positions, step = pages * kv_page_positions;
    const int64_t dim = kv_padded(place.dim);
    scratch.scores.resize(static_cast<size_t>(rows.count * step)); // [rows][positions]
    scratch.mixed.assign(static_cast<size_t>(rows.count * dim), 0.0F);
    const auto tile_of = [&](std::byte * half, int64_t page) {
        KvTile tile{};
        tile.page = half;
        tile.dim = place.dim;
        tile.count = std::min(kv_page_positions, total - page * kv_page_positions);
        tile.rows = rows.count;
        return tile;
    };
    for (int64_t page = 0; page < pages; page++) {
        KvTile tile = tile_of(keys_of(place, s.pages[page].get(), rows.head), page);
        for (int64_t r = 0; r < rows.count; r++) {
            tile.queries[r] = rows.queries[r];
            tile.to[r] = scratch.scores.data() + r * step + page * kv_page_positions;
        }
        kernel.scores(place.type, tile);
    }
    float shares[kv_max_rows]; // the attention weights are these, times what softmax_weights leaves
    const float scale = 1.0F / std::sqrt(static_cast<float>(place.dim));
    for (int64_t r = 0; r < rows.count; r++) {
        float * weights = scratch.scores.data() + r * step;
        shares[r] = 1.0F / ops.softmax_weights(weights, scale, rows.seen[r]);
        std::fill(weights + rows.seen[r], weights + step, 0.0F);
    }
    for (int64_t page = 0; page < pages; page++) {
        KvTile tile = tile_of(values_of(place, s.pages[page].get(), rows.head), page);
        for (int64_t r = 0; r < rows.count; r++) {
            tile.queries[r] = scratch.scores.data() + r * step + page * kv_page_positions;
            tile.to[r] = scratch.mixed.data() + r * dim;
        }
        kernel.mix(place.type, tile);
    }
    for (int64_t r = 0; r < rows.count; r++) {
        const float * sums = scratch.mixed.data() + r * dim;
        std::transform(sums, sums + place.dim, rows.results[r], [&](float sum) { return shares[r] * sum; });
    }
}

void attend(ggml_tensor * node, int ith, int nth, void * userdata) {
    with_scratch(node, ith, [&](Scratch & scratch) {
        const auto & sequences = *static_cast<const Sequences *>(userdata);
        const auto place = parameters_of<KvPlace>(node);
        const int64_t width = node->ne[0], group = width / place.dim / place.heads; // queries that share a head
        int64_t item = 0;
        for (const KvSequence & s : sequences) {
            for (int64_t head = 0; head < place.heads; head++) {
                for (int64_t begin = 0; begin < s.count * group; begin += kv_max_rows, item++) {
                    if (item % nth != ith) { // in turn, because later positions see more
                        continue;
                    }
                    Rows rows{};
                    rows.head = head;
                    rows.count = std::min(kv_max_rows, s.count * group - begin);
                    for (int64_t r = 0; r < rows.count; r++) {
                        const int64_t i = (begin + r) / group, query = head * group + (begin + r) % group;
                        rows.queries[r] = row_of(node->src[0], s.first + i, width) + query * place.dim;
                        rows.results[r] = row_of(node, s.first + i, width) + query * place.dim;
                        rows.seen[r] = s.past + i + 1;
                    }
                    attend_rows(place, s, rows, scratch);
                }
            }
        }
    });
}

void require(bool condition, const char * what) {
    if (!condition) {
        throw std::invalid_argument(std::string("kv_attention: ") + what);
    }
}

bool fits(const ggml_tensor * t, int64_t width, int64_t count) {
    return t->type == GGML_TYPE_F32 && ggml_is_contiguous(t) && ggml_nelements(t) == width * count;
}

int64_t positions_of(const Sequences & sequences) {
    int64_t count = 0;
    for (const KvSequence & s : sequences) {
        require(s.first == count && s.count > 0 && s.past >= 0, "the sequences do not follow one another");
        count += s.count;
    }
    require(count > 0, "no positions");
    return count;
}

} // namespace

ggml_tensor * kv_append(ggml_context * context, ggml_tensor * k, ggml_tensor * v, const KvPlace & place,
                        const std::vector<KvSequence> & sequences) {
    const int64_t count = positions_of(sequences);
    require(fits(k, place.heads * place.dim, count) && fits(v, place.heads * place.dim, count), "k and v do not fit");
    ggml_tensor * sources[] = {k, v};
    ggml_tensor * y = ggml_custom_4d(context, GGML_TYPE_F32, 1, 1, 1, 1, sources, 2, append, GGML_N_TASKS_MAX,
                                     const_cast<Sequences *>(&sequences)); // append does not change them
    set_parameters(y, place);
    return y;
}

ggml_tensor * kv_attention(ggml_context * context, ggml_tensor * q, ggml_tensor * appended, const KvPlace & place,
                           const std::vector<KvSequence> & sequences) {
    const int64_t count = positions_of(sequences), width = q->ne[0] * q->ne[1];
    require(q->ne[0] == place.dim && q->ne[1] % place.heads == 0 && fits(q, width, count), "the queries do not fit");
    ggml_tensor * sources[] = {q, appended};
    ggml_tensor * y = ggml_custom_4d(context, GGML_TYPE_F32, width, count, 1, 1, sources, 2, attend, GGML_N_TASKS_MAX,
                                     const_cast<Sequences *>(&sequences));
    set_parameters(y, place);
    double work = 0;
    for (const KvSequence & s : sequences) {
        work += 2.0 * static_cast<double>(width) * static_cast<double>(s.count) *
                (static_cast<double>(s.past) + static_cast<double>(s.count) / 2);
    }
    set_work(y, work);
    return y;
}

void kv_read(const KvPlace & place, const std::byte * page, int64_t position, int64_t head, float * key,
             float * value) {
    std::byte * from = const_cast<std::byte *>(page); // is only read
    Places::of_key(place, from, position, head).read(key, place.dim);
    Places::of_value(place, from, position, head).read(value, place.dim);
}

void kv_write(const KvPlace & place, std::byte * page, int64_t position, int64_t head, const float * key,
              const float * value) {
    kv_write_key(place, page, position, head, key);
    Places::of_value(place, page, position, head).write(value, place.dim, kv_padded(place.dim));
}

void kv_write_key(const KvPlace & place, std::byte * page, int64_t position, int64_t head, const float * key) {
    Places::of_key(place, page, position, head).write(key, place.dim, place.dim);
}

void kv_copy_value(const KvPlace & place, const std::byte * from, int64_t from_position, std::byte * to,
                   int64_t to_position, int64_t head) {
    const Places source = Places::of_value(place, const_cast<std::byte *>(from), from_position, head); // is only read
    const Places target = Places::of_value(place, to, to_position, head);
    const int64_t padded = kv_padded(place.dim); // a value and its scales lie in one piece
    std::memmove(target.values, source.values, static_cast<size_t>(padded * value_bytes(place.type)));
    std::memmove(target.scales, source.scales, static_cast<size_t>(scale_count(place.type, padded)) * sizeof(float));
}

int64_t kv_stored_bytes(const KvPlace & place) {
    return 2 * (place.dim * value_bytes(place.type) +
                scale_count(place.type, place.dim) * static_cast<int64_t>(sizeof(float)));
}

void kv_load(const KvPlace & place, const std::byte * page, int64_t position, int64_t head, std::byte * stored) {
    std::byte * from = const_cast<std::byte *>(page); // is only read
    stored = load(Places::of_key(place, from, position, head), place.dim, stored);
    load(Places::of_value(place, from, position, head), place.dim, stored);
}

void kv_store(const KvPlace & place, std::byte * page, int64_t position, int64_t head, const std::byte * stored) {
    stored = store(stored, place.dim, place.dim, Places::of_key(place, page, position, head));
    store(stored, place.dim, kv_padded(place.dim), Places::of_value(place, page, position, head));
}

} // namespace moss
