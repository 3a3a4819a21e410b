// Attention to cached keys and values compared to a reference in double precision, for all types and instruction sets.

#include "test.h"

#include "graph/graph.h"
#include "graph/kv_cache.h"
#include "io/error.h"
#include "kernels/cpu/cpu_features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

using namespace moss;
using namespace moss::test;

namespace {

std::vector<float> noise(size_t count, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    return values;
}

/// A conversation whose keys, values and queries are known for all positions.
struct Conversation {
    int64_t heads, heads_kv, dim;
    std::vector<float> q, k, v; // [positions][heads * dim], and of the keys and values
    KvCache cache;
    int64_t length = 0;

    Conversation(KvType type, int64_t h, int64_t hkv, int64_t d, int64_t positions, uint32_t seed)
        : heads(h), heads_kv(hkv), dim(d), q(noise(static_cast<size_t>(h * d * positions), seed)),
          k(noise(static_cast<size_t>(hkv * d * positions), seed + 1)),
          v(noise(static_cast<size_t>(hkv * d * positions), seed + 2)),
          cache(std::make_shared<KvMemory>(), type, {1, static_cast<int>(hkv)}, static_cast<int>(d)) {
        cache.reserve(static_cast<int>(positions));
    }

    /// The attention output of one position, [heads * dim].
    std::vector<double> expected(int64_t position) const {
        std::vector<double> y;
        for (int64_t h = 0; h < heads; h++) {
            const float * query = q.data() + (position * heads + h) * dim;
            const int64_t shared = h / (heads / heads_kv);
            std::vector<double> weights;
            for (int64_t j = 0; j <= position; j++) {
                const float * key = k.data() + (j * heads_kv + shared) * dim;
                double score = 0;
                for (int64_t d = 0; d < dim; d++) {
                    score += double(query[d]) * double(key[d]);
                }
                weights.push_back(std::exp(score / std::sqrt(double(dim))));
            }
            for (int64_t d = 0; d < dim; d++) {
                double sum = 0, total = 0;
                for (int64_t j = 0; j <= position; j++) {
                    sum += weights[size_t(j)] * double(v[size_t((j * heads_kv + shared) * dim + d)]);
                    total += weights[size_t(j)];
                }
                y.push_back(sum / total);
            }
        }
        return y;
    }
};

/// Appends the next positions of the conversations in one graph, a count each; returns the outputs of all positions.
std::vector<float> append(Runner & runner, const std::vector<std::pair<Conversation *, int64_t>> & shares) {
    Graph g(runner, 64);
    std::vector<KvSequence> sequences;
    std::vector<float> q, k, v, y;
    int64_t count = 0;
    for (const auto & [c, fresh] : shares) {
        sequences.push_back({c->cache.pages(), c->length, count, fresh});
        const auto add = [&, from = c->length, n = fresh](std::vector<float> & to, const std::vector<float> & all,
                                                          int64_t width) {
            to.insert(to.end(), all.begin() + from * width, all.begin() + (from + n) * width);
        };
        add(q, c->q, c->heads * c->dim);
        add(k, c->k, c->heads_kv * c->dim);
        add(v, c->v, c->heads_kv * c->dim);
        count += fresh;
        c->length += fresh;
    }
    const Conversation & c = *shares.front().first;
    const KvPlace & place = c.cache.place(1);
    ggml_tensor * appended = kv_append(g, g.input(GGML_TYPE_F32, {c.dim, c.heads_kv, count}, k.data()),
                                       g.input(GGML_TYPE_F32, {c.dim * c.heads_kv, count}, v.data()), place, sequences);
    g.output(kv_attention(g, g.input(GGML_TYPE_F32, {c.dim, c.heads, count}, q.data()), appended, place, sequences), y);
    g.run();
    return y;
}

double tolerance(KvType type) {
    return type == KvType::f32 ? 2e-6 : type == KvType::f16 ? 2e-3 : 3e-2; // 24, 11 and 7 bits of values of up to 3
}

constexpr KvType types[] = {KvType::f32, KvType::f16, KvType::q8};

std::vector<const KvKernel *> kernels() {
    std::vector<const KvKernel *> all = {&kv_kernel_portable};
#if defined(__x86_64__) || defined(_M_X64)
    if (cpu_features().avx2) {
        all.push_back(&kv_kernel_avx2);
    }
    if (cpu_features().avx512) {
        all.push_back(&kv_kernel_avx512);
    }
#endif
    return all;
}

} // namespace

TEST(positions_attend_to_all_up_to_their_own) {
    struct Case {
        int64_t heads, heads_kv, dim;
    };
    for (const auto & [heads, heads_kv, dim] :
         {Case{4, 2, 32}, Case{3, 3, 8}, Case{9, 3, 64}, Case{5, 1, 80}, Case{2, 2, 128}}) {
        for (const KvType type : types) {
            Conversation c(type, heads, heads_kv, dim, 200, 7);
            for (const int threads : {1, 2}) {
                Runner runner(threads);
                c.length = 0;
                int64_t position = 0;
                for (const int64_t count : {1, 3, 59, 1, 1, 70, 1, 64}) { // across the ends of pages
                    const std::vector<float> y = append(runner, {{&c, count}});
                    for (int64_t i = 0; i < count; i++, position++) {
                        const std::vector<double> expected = c.expected(position);
                        for (size_t d = 0; d < expected.size(); d++) {
                            CHECK_NEAR(y[size_t(i) * expected.size() + d], expected[d], tolerance(type));
                        }
                    }
                }
                CHECK_EQ(position, 200);
            }
        }
    }
}

TEST(neighbours_in_a_graph_change_no_bit) {
    Runner runner(2);
    for (const KvType type : types) {
        std::vector<Conversation> together, alone;
        for (uint32_t i = 0; i < 3; i++) {
            for (auto * some : {&together, &alone}) {
                some->emplace_back(type, 6, 2, 64, 150, 20 * i);
                append(runner, {{&some->back(), 10 + 50 * int64_t(i)}});
            }
        }
        for (const std::array<int64_t, 3> & counts : {std::array<int64_t, 3>{1, 1, 1}, {5, 1, 2}, {1, 20, 1}}) {
            std::vector<float> apart;
            for (size_t i = 0; i < 3; i++) {
                const std::vector<float> y = append(runner, {{&alone[i], counts[i]}});
                apart.insert(apart.end(), y.begin(), y.end());
            }
            CHECK(append(runner, {{&together[0], counts[0]}, {&together[1], counts[1]}, {&together[2], counts[2]}}) ==
                  apart);
        }
    }
}

TEST(what_is_written_to_a_page_can_be_read) {
    for (const KvType type : types) {
        KvCache cache(std::make_shared<KvMemory>(), type, {2, 3}, 40);
        cache.reserve(64);
        std::byte * page = cache.pages()[0].get();
        const std::vector<float> keys = noise(40 * 64 * 3, 1), values = noise(40 * 64 * 3, 2);
        const auto each = [](auto && body) {
            for (int64_t position = 0; position < 64; position++) {
                for (int64_t head = 0; head < 3; head++) {
                    body(position, head, (position * 3 + head) * 40);
                }
            }
        };
        each([&](int64_t position, int64_t head, int64_t at) {
            kv_write(cache.place(1), page, position, head, keys.data() + at, values.data() + at);
        });
        each([&](int64_t position, int64_t head, int64_t at) {
            float key[40], value[40];
            kv_read(cache.place(1), page, position, head, key, value);
            for (int64_t i = 0; i < 40; i++) {
                CHECK_NEAR(key[i], keys[size_t(at + i)], tolerance(type));
                CHECK_NEAR(value[i], values[size_t(at + i)], tolerance(type));
            }
        });
    }
}

TEST(instruction_sets_agree) {
    constexpr int64_t dim = 96;
    for (const KvType type : types) {
        KvCache cache(std::make_shared<KvMemory>(), type, {1}, dim);
        cache.reserve(64);
        const KvPlace & place = cache.place(0);
        const std::vector<float> data = noise(dim * 64 * 2, 3), queries = noise(dim * 4, 4), weights = noise(64 * 4, 5);
        for (int64_t i = 0; i < 64; i++) {
            kv_write(place, cache.pages()[0].get(), i, 0, data.data() + i * dim, data.data() + (64 + i) * dim);
        }
        for (int64_t rows = 1; rows <= kv_max_rows; rows++) {
            std::vector<std::vector<float>> results;
            for (const KvKernel * kernel : kernels()) {
                std::vector<float> scores(4 * 64), sums(4 * dim, 0.25F);
                KvTile tile{};
                tile.page = cache.pages()[0].get();
                tile.dim = dim;
                tile.count = 64;
                tile.rows = rows;
                for (int64_t r = 0; r < rows; r++) {
                    tile.queries[r] = queries.data() + r * dim;
                    tile.to[r] = scores.data() + r * 64;
                }
                kernel->scores(type, tile);
                tile.page += kv_half_bytes(type, dim);
                tile.count = 50;
                for (int64_t r = 0; r < rows; r++) {
                    tile.queries[r] = weights.data() + r * 64;
                    tile.to[r] = sums.data() + r * dim;
                }
                kernel->mix(type, tile);
                scores.insert(scores.end(), sums.begin(), sums.end());
                results.push_back(scores);
            }
            for (const std::vector<float> & result : results) {
                for (size_t i = 0; i < result.size(); i++) {
                    CHECK_NEAR(result[i], results[0][i], 1e-4); // the order of sums of up to 96 products
                }
            }
        }
    }
}

TEST(memory_of_conversations_has_a_limit) {
    const auto memory = std::make_shared<KvMemory>(100'000);
    KvCache a(memory, KvType::f16, {2}, 32); // 16 kB a page
    a.reserve(5 * 64);
    CHECK_EQ(memory->used(), a.bytes());
    {
        KvCache b(memory, KvType::f16, {2}, 32);
        CHECK_THROWS_WITH(b.reserve(64 * 10), "kvCacheBytes");
        CHECK(memory->used() <= 100'000);
    }
    CHECK_EQ(memory->used(), a.bytes()); // that of `b` was given back
    a.shrink(65);
    CHECK_EQ(a.bytes(), size_t(2 * 16384));
    KvCache moved = std::move(a);
    CHECK_EQ(memory->used(), moved.bytes());
}
