#include "core/hearing/syllables.h"

#include "one_hot.h"
#include "test.h"

#include <algorithm>

using moss::Syllables;
using moss::tone_classes;
using moss::test::one_hot;

namespace {

constexpr double frame = 0.02;
const std::vector<std::string> units{"_", " ", "→", "↗", "↓", "↘", "m", "a", "n", "i", "θ"};

Syllables syllables() {
    return Syllables({"ma", "man", "ni", "na", "mi"}, {"ma0", "ma0n", "ni0", "na0", "mi0"}, units);
}

/// The ids of symbols, one for each frame; `_` is the blank.
std::vector<int> ids(const std::vector<std::string> & symbols) {
    std::vector<int> out;
    for (const std::string & symbol : symbols) {
        out.push_back(static_cast<int>(std::find(units.begin(), units.end(), symbol) - units.begin()));
    }
    return out;
}

/// Three frames of each class.
std::vector<float> tones(const std::vector<int> & classes) {
    std::vector<int> path;
    for (const int c : classes) {
        path.insert(path.end(), 3, c);
    }
    return one_hot(path, tone_classes);
}

std::string heard(const std::vector<std::string> & symbols, const std::vector<float> & tone = {}) {
    const auto found = syllables().hear(one_hot(ids(symbols), static_cast<int>(units.size())), tone, frame);
    return found.mandarin ? found.pinyin : "none";
}

} // namespace

TEST(syllables_are_read_from_their_units) {
    CHECK_EQ(heard({"_", "m", "m", "a", "_", "→", "_", "n", "i", "↓", "_"}), "ma1 ni3");
    CHECK_EQ(heard({"m", "a", "↘", "n"}), "man4");
    CHECK_EQ(heard({"m", "a", "↘", "n", "i", "↗"}), "ma4 ni2"); // not "man" and a rest
    CHECK_EQ(heard({"m", "a", "→", "m", "a", "_", "n", "_", "_"}, tones({1, 5, 5})), "ma1 man5");
    CHECK_EQ(heard({"_", "_", "_"}), "none");
    CHECK_EQ(heard({}), "none");
}

TEST(unreadable_units_become_the_most_probable_syllable) {
    std::vector<float> logits = one_hot(ids({"_", "n", "a", "↓", "_"}), static_cast<int>(units.size()));
    logits[1 * units.size() + 10] = 6; // θ is the most probable unit of the frame, by a small margin
    CHECK_EQ(syllables().hear(logits, {}, frame).pinyin, "na3");
}

TEST(a_tone_is_marked_or_heard_for_long_enough) {
    CHECK_EQ(heard({"_", "m", "m", "a", "a", "a", "_", "_", "_"}, tones({0, 3, 3})), "ma3");
    const std::vector<std::string> marked{"m", "a", "→", "_", "_", "_", "_", "_", "_", "_", "_", "_", "_", "_", "_"};
    CHECK_EQ(heard(marked, tones({0, 3, 0, 0, 0})), "ma1"); // 60 ms of another tone do not count as much as the mark
    CHECK_EQ(heard(marked, tones({3, 3, 3, 3, 3})), "ma3"); // 300 ms do
}

TEST(a_syllable_has_no_tone_after_its_longest_time) {
    std::vector<std::string> alone(90, "_");
    alone[0] = "m";
    alone[1] = "a";
    std::vector<int> heard_tones(30, 4); // of 60 ms each
    std::fill_n(heard_tones.begin(), 8, 1);
    CHECK_EQ(heard(alone, tones(heard_tones)), "ma1"); // 480 ms of it, and of the other 120 ms that count
}

TEST(speech_with_tones_is_taken_for_mandarin) {
    std::vector<float> logits = one_hot(ids({"m", "a", "→", "_", "_", "_"}), static_cast<int>(units.size()));
    logits[10] = logits[6] + 5.5F; // θ in place of m: too probable for Mandarin without tones, not with tones
    const auto is_mandarin = [&](int tone) { return syllables().hear(logits, tones({tone, tone}), frame).mandarin; };
    CHECK(!is_mandarin(0));
    CHECK(is_mandarin(1));
}

TEST(words_of_another_language_are_left_out) {
    CHECK_EQ(heard({"m", "a", "→", " ", "θ", "θ", "θ", "i", " ", "m", "a", "↘", "n", "i", "↓"}), "ma1 ma4 ni3");
}

TEST(speech_without_syllables_has_no_pinyin) {
    CHECK_EQ(heard({"θ", "_", "θ", "_", "θ", "i", "θ"}), "none");
    CHECK_EQ(heard({"θ", "a", "θ", "_", "a", "a", "_", "_", "_"}, tones({0, 0, 0})), "none");
}

TEST(spellings_are_checked) {
    const auto make = [](const std::string & spelling) { return Syllables({"ma"}, {spelling}, units); };
    CHECK_THROWS_WITH(make("x0"), "moss-speech.");
    CHECK_THROWS_WITH(make("0ma"), "moss-speech.");
    CHECK_THROWS_WITH(make("ma00"), "moss-speech.");
    CHECK_THROWS_WITH(make(""), "moss-speech.");
    CHECK_THROWS_WITH(Syllables({"ma", "mi"}, {"ma0"}, units), "moss-speech.");
    CHECK_THROWS_WITH(Syllables({}, {}, units), "moss-speech.");
    CHECK_THROWS_WITH(Syllables({"ma"}, {"ma0"}, {"_", "m", "a"}), "moss-speech."); // no tones
}
