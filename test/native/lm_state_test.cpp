// What is done with keys and values besides attention: removal of positions, and copies of them.

#include "golden.h"

#include "model/rope_shift.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace moss;
using namespace moss::test;

namespace {

std::vector<int32_t> some_ids(size_t count) {
    std::vector<int32_t> ids(count);
    for (size_t i = 0; i < count; i++) {
        ids[i] = static_cast<int32_t>(1 + i * 37 % 60);
    }
    return ids;
}

/// A list of keys, or of values.
using Floats = std::vector<float>;

/// The keys and the values of a block at all positions.
std::pair<Floats, Floats> floats(const Lm & lm, const Lm::State & state, size_t block) {
    const int dim = lm.config().key_length, heads = lm.config().head_counts_kv[block];
    // In a page of its own, from which they can be read.
    const KvPlace place{state.type(), heads, dim, 0};
    std::vector<float> page(static_cast<size_t>(place.bytes()) / sizeof(float)), key(static_cast<size_t>(dim)),
        value(key);
    auto * memory = reinterpret_cast<std::byte *>(page.data());
    std::pair<Floats, Floats> all;
    for (int position = 0; position < state.length(); position++) {
        const std::vector<uint8_t> bytes = state.read(block, position, 1);
        const auto * from = reinterpret_cast<const std::byte *>(bytes.data());
        for (int head = 0; head < heads; head++, from += kv_stored_bytes(place)) {
            kv_store(place, memory, 0, head, from);
            kv_read(place, memory, 0, head, key.data(), value.data());
            all.first.insert(all.first.end(), key.begin(), key.end());
            all.second.insert(all.second.end(), value.begin(), value.end());
        }
    }
    return all;
}

/// Removes positions in front of others, and compares the first block with that of a context that has never held them:
/// keys and values of the first block depend on the id and the position alone.
void check_removal(const Lm & lm, Runner & runner, KvType type, double tolerance) {
    const std::vector<int32_t> ids = some_ids(200);
    const int kept = 5, removed = 120, last = 75;
    Lm::State state(lm, 256, type), fresh(lm, 256, type);
    lm.push(runner, state, ids.data(), ids.data(), 200, Tails::none);
    state.remove(kept, kept + removed);
    lm.push(runner, fresh, ids.data(), ids.data(), kept, Tails::none);
    lm.push(runner, fresh, ids.data() + kept + removed, ids.data() + kept + removed, last, Tails::none);
    CHECK_EQ(state.length(), kept + last);
    const auto [keys, values] = floats(lm, state, 0);
    const auto [fresh_keys, fresh_values] = floats(lm, fresh, 0);
    CHECK_EQ(keys.size(), fresh_keys.size());
    const auto [least, most] = std::minmax_element(fresh_keys.begin(), fresh_keys.end());
    CHECK(max_difference(keys, fresh_keys) <= tolerance * double(*most - *least));
    CHECK(max_difference(values, fresh_values) <= 1e-6); // the values are only moved, not computed
}

} // namespace

TEST(keys_after_a_removal_are_those_of_their_new_positions) {
    TestModel tiny("tiny.gguf");
    check_removal(*tiny.lm, tiny.runner, KvType::f32, 2e-5);
    // With F16 both are rounded to 11 bits, with INT8 to 8 bits, and the removal rounds once more.
    check_removal(*tiny.lm, tiny.runner, KvType::f16, 1e-3);
    for (const char * name : {"lm-qwen3", "lm-llama", "lm-llama-linear"}) { // among them YaRN and scaled frequencies
        Imported model(name);
        check_removal(model.lm, model.runner, KvType::f32, 2e-5);
        check_removal(model.lm, model.runner, KvType::f16, 1e-3);
        check_removal(model.lm, model.runner, KvType::q8, 1e-2);
    }
}

TEST(many_small_removals_are_one_large_one) {
    TestModel tiny("tiny.gguf");
    const std::vector<int32_t> ids = some_ids(200);
    Lm::State steps(*tiny.lm, 256), once(*tiny.lm, 256);
    for (Lm::State * state : {&steps, &once}) {
        tiny.lm->push(tiny.runner, *state, ids.data(), ids.data(), 200, Tails::none);
    }
    for (int i = 0; i < 30; i++) {
        steps.remove(0, 5);
    }
    once.remove(0, 150);
    for (size_t block = 0; block < once.position_bytes().size(); block++) {
        CHECK(max_difference(floats(*tiny.lm, steps, block).first, floats(*tiny.lm, once, block).first) <= 1e-5);
    }
}

TEST(the_next_position_after_a_removal_is_the_length) {
    TestModel tiny("tiny.gguf");
    const std::vector<int32_t> ids = some_ids(40);
    Lm::State state(*tiny.lm, 64), fresh(*tiny.lm, 64);
    tiny.lm->push(tiny.runner, state, ids.data(), ids.data(), 20, Tails::none);
    state.remove(0, 20); // all of them: nothing is left that could differ
    CHECK_EQ(state.length(), 0);
    const LmLogits a = tiny.lm->push(tiny.runner, state, ids.data() + 20, ids.data() + 20, 20, Tails::both);
    const LmLogits b = tiny.lm->push(tiny.runner, fresh, ids.data() + 20, ids.data() + 20, 20, Tails::both);
    CHECK(a.text == b.text);
    CHECK(a.audio == b.audio);
    state.remove(20, 20); // nothing
    CHECK_EQ(state.length(), 20);
    CHECK_THROWS_WITH(state.remove(10, 21), "not in the context");
    CHECK_THROWS_WITH(state.remove(-1, 2), "not in the context");
}

TEST(keys_turn_by_the_angle_of_the_distance) {
    RopeConfig rope;
    rope.freq_base = 10000;
    std::vector<float> key{1, 0, 0, 1}; // pairs (0, 2) and (1, 3)
    RopeShift(rope, {}, 4, -3).rotate(key.data());
    CHECK_NEAR(key[0], std::cos(3.0), 1e-6);
    CHECK_NEAR(key[2], -std::sin(3.0), 1e-6);
    CHECK_NEAR(key[1], std::sin(0.03), 1e-6); // the second pair turns a hundredth as fast
    CHECK_NEAR(key[3], std::cos(0.03), 1e-6);
}

TEST(a_copy_of_keys_and_values_goes_on_as_the_original) {
    TestModel tiny("tiny.gguf");
    const std::vector<int32_t> ids = some_ids(150);
    for (const KvType type : {KvType::f32, KvType::f16, KvType::q8}) {
        Lm::State state(*tiny.lm, 256, type), copy(*tiny.lm, 512, type);
        tiny.lm->push(tiny.runner, state, ids.data(), ids.data(), 100, Tails::none);
        copy.extend(100);
        const std::vector<size_t> bytes = state.position_bytes();
        for (size_t block = 0; block < bytes.size(); block++) {
            for (int begin = 0; begin < 100; begin += 33) {
                const std::vector<uint8_t> part = state.read(block, begin, std::min(33, 100 - begin));
                CHECK_EQ(part.size(), bytes[block] * static_cast<size_t>(std::min(33, 100 - begin)));
                copy.write(block, begin, part);
            }
        }
        const LmLogits a = tiny.lm->push(tiny.runner, state, ids.data(), ids.data() + 50, 50, Tails::both);
        const LmLogits b = tiny.lm->push(tiny.runner, copy, ids.data(), ids.data() + 50, 50, Tails::both);
        CHECK(a.text == b.text);
        CHECK(a.audio == b.audio);
    }
    Lm::State state(*tiny.lm, 64);
    state.extend(10);
    CHECK_THROWS_WITH(state.read(99, 0, 1), "not in the context");
    CHECK_THROWS_WITH(state.read(0, 5, 6), "not in the context");
    CHECK_THROWS_WITH(state.write(0, 0, std::vector<uint8_t>(3)), "not in the context");
    CHECK_THROWS_WITH(state.write(0, 0, std::vector<uint8_t>(11 * state.position_bytes()[0])), "not in the context");
    CHECK_THROWS_WITH(state.extend(65), "55 positions for a context of 64");
}
