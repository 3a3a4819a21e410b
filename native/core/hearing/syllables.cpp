#include "core/hearing/syllables.h"

#include "core/hearing/log_sum_exp.h"
#include "io/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace moss {

namespace {

// These constants gave the best results on voices held out of training and on speakers of the encoder's training data.
// Costs and deficits are differences of log probabilities.

// Cost of a syllable on the path: syllable_cost + rank_cost * ln(frequency rank).
constexpr double syllable_cost = 1;
constexpr double rank_cost = 0.2;
// A syllable is taken for a word of another language if, since the end of the syllable before it, the likeliest units
// are likelier than the path by more than this.
constexpr double foreign_deficit = 8;
// The tone of a syllable gets the seconds that the tone module gives it, and additionally this much if the CTC head
// marks it. If the CTC head marks no tone, the neutral tone gets unmarked_seconds.
constexpr float marked_seconds = 0.2F;
constexpr float unmarked_seconds = 0.05F;
// Seconds from the start of a syllable in which the tone module counts, if no other syllable begins earlier.
constexpr double longest_tone = 0.6;
// Speech is Mandarin if, for each unit, the likeliest units are likelier than the path by less than mandarin_deficit
// plus tonal_deficit times the share of the time in which a tone is heard. With these constants 7 % of a new speaker's
// Mandarin is taken for English, and 7 % of English for Mandarin.
constexpr double mandarin_deficit = 1.8;
constexpr double tonal_deficit = 1;

constexpr const char * names_key = "moss-speech.syllable.names";
constexpr const char * spellings_key = "moss-speech.syllable.units";
constexpr size_t most_syllables = 4096, longest_spelling = 32; // limits for the contents of a file

/// Softmax or log softmax of each frame, [T, width].
std::vector<float> softmax(const std::vector<float> & logits, size_t width, bool logarithm) {
    std::vector<float> out(logits.size());
    for (size_t at = 0; at + width <= logits.size(); at += width) {
        const float * row = logits.data() + at;
        const double norm = log_sum_exp(row, width);
        for (size_t i = 0; i < width; i++) {
            const double value = row[i] - norm;
            out[at + i] = static_cast<float>(logarithm ? value : std::exp(value));
        }
    }
    return out;
}

/// For each class of the tone module, its probability summed over the frames [begin, end), in seconds.
std::array<float, tone_classes> seconds_of(const std::vector<float> & tone_probs, size_t begin, size_t end,
                                           double frame_seconds) {
    std::array<float, tone_classes> seconds{};
    for (size_t t = begin; t < std::min(end, tone_probs.size() / tone_classes); t++) {
        for (size_t c = 0; c < tone_classes; c++) {
            seconds[c] += static_cast<float>(frame_seconds) * tone_probs[t * tone_classes + c];
        }
    }
    return seconds;
}

/// Splits a spelling into its symbols, one UTF-8 sequence each.
std::vector<std::string> symbols_of(const std::string & spelling) {
    std::vector<std::string> symbols;
    for (const char c : spelling) {
        if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U && !symbols.empty()) {
            symbols.back() += c;
        } else {
            symbols.emplace_back(1, c);
        }
    }
    return symbols;
}

} // namespace

std::optional<Syllables> Syllables::load(const GgufFile & file, const std::vector<std::string> & units) {
    if (!file.has(names_key)) {
        return std::nullopt;
    }
    return Syllables(file.get_strings(names_key), file.get_strings(spellings_key), units);
}

Syllables::Syllables(std::vector<std::string> names, const std::vector<std::string> & spellings,
                     const std::vector<std::string> & units)
    : names_(std::move(names)), unit_count_(units.size()), pauses_{0} {
    if (names_.empty() || names_.size() > most_syllables || spellings.size() != names_.size()) {
        throw model_format_error(spellings_key, "one for each name, 1 to " + std::to_string(most_syllables),
                                 std::to_string(spellings.size()) + " for " + std::to_string(names_.size()) + " names");
    }
    for (const char * mark : {"→", "↗", "↓", "↘"}) {
        const auto found = std::find(units.begin(), units.end(), mark);
        if (found == units.end()) {
            throw model_format_error("moss-speech.units", std::string("the tone ") + mark, "none");
        }
        marks_.push_back(static_cast<int32_t>(found - units.begin()));
    }
    for (size_t i = 1; i < units.size(); i++) {
        if (units[i].size() == 1 && std::string(" ,.?!").find(units[i]) != std::string::npos) {
            pauses_.push_back(static_cast<int32_t>(i));
        }
    }
    UnitIds ids;
    for (size_t i = 1; i < units.size(); i++) {
        ids.emplace(units[i], static_cast<int32_t>(i)); // of equal symbols the first
    }
    Children children;
    for (size_t i = 0; i < spellings.size(); i++) {
        add(children, i, spellings[i], ids);
    }
}

int32_t Syllables::child(Children & children, int32_t parent, int32_t skipped, int32_t unit) {
    const auto [found, added] = children.emplace(std::make_pair(parent, unit), static_cast<int32_t>(nodes_.size()));
    if (added) {
        nodes_.push_back({unit, {parent, skipped}, none, 0});
    }
    return found->second;
}

void Syllables::add(Children & children, size_t syllable, const std::string & spelling, const UnitIds & units) {
    const auto refuse = [&](const std::string & why) {
        throw model_format_error(spellings_key, why, "'" + spelling + "'");
    };
    const std::vector<std::string> symbols = symbols_of(spelling);
    if (symbols.size() > longest_spelling || symbols.empty() || symbols[0] == "0") {
        refuse("1 to " + std::to_string(longest_spelling) + " symbols, the first of them a unit");
    }
    int32_t at = root, before_tone = none;
    for (const std::string & symbol : symbols) {
        int32_t unit = tone_slot;
        if (symbol != "0") {
            const auto found = units.find(symbol);
            if (found == units.end()) {
                refuse("only symbols of moss-speech.units and 0");
            }
            unit = found->second;
        } else if (nodes_[static_cast<size_t>(at)].unit == tone_slot) {
            refuse("not two tones in a row");
        }
        const int32_t parent = at;
        at = child(children, parent, unit == tone_slot ? none : before_tone, unit);
        before_tone = unit == tone_slot ? parent : none;
    }
    // A syllable ends at its last node and, if that is the tone, also at the node before it, because the neutral tone
    // has no mark. Of homophones the first is kept, which is the most frequent.
    for (const int32_t end : {at, before_tone}) {
        if (end >= 0 && nodes_[static_cast<size_t>(end)].syllable == none) {
            Node & node = nodes_[static_cast<size_t>(end)];
            node.syllable = static_cast<int32_t>(syllable);
            node.cost = syllable_cost + rank_cost * std::log(static_cast<double>(syllable) + 2);
            ends_.push_back(end);
        }
    }
}

Syllables::Path Syllables::best_path(const std::vector<float> & log_probs, size_t frames,
                                     const std::atomic<bool> * cancel) const {
    struct Score {
        double value = -std::numeric_limits<double>::infinity();
        int32_t begin = 0, before = none;
        bool operator<(const Score & other) const { return value < other.value; }
    };
    std::vector<Score> marked(nodes_.size()); // paths that end in a frame of the node's unit
    std::vector<Score> blank(nodes_.size());  // paths that end in a blank after that unit
    std::vector<Link> links;
    Score between; // paths that end between syllables, in silence, pauses or blanks
    between.value = 0;
    for (size_t t = 0; t < frames; t++) {
        if (cancel != nullptr && *cancel) {
            throw MossError(code::aborted, "cancelled");
        }
        const float * row = log_probs.data() + t * unit_count_;
        float tone = row[marks_[0]];
        for (const int32_t mark : marks_) {
            tone = std::max(tone, row[mark]);
        }
        // Children come before their parents, because they need the parents' scores of the previous frame.
        for (size_t i = nodes_.size(); i-- > 0;) {
            const Node & node = nodes_[i];
            Score best = marked[i];
            for (const int32_t parent : node.parents) {
                if (parent == root) {
                    best = std::max(best, Score{between.value, static_cast<int32_t>(t), between.before});
                } else if (parent != none) {
                    const auto p = static_cast<size_t>(parent);
                    best = std::max(best, blank[p]);
                    if (nodes_[p].unit != node.unit) { // equal units in a row need a blank between them
                        best = std::max(best, marked[p]);
                    }
                }
            }
            blank[i] = std::max(blank[i], marked[i]);
            blank[i].value += row[0];
            marked[i] = best;
            marked[i].value += node.unit == tone_slot ? tone : row[node.unit];
        }
        double pause = 0;
        for (const int32_t unit : pauses_) {
            pause += std::exp(static_cast<double>(row[unit]));
        }
        between.value += std::log(std::max(pause, 1e-30));
        const Score * ended = nullptr;
        double best = between.value;
        int32_t syllable = none;
        for (const int32_t end : ends_) {
            const auto e = static_cast<size_t>(end);
            const double value = marked[e].value - nodes_[e].cost;
            if (value > best) {
                best = value;
                ended = &marked[e];
                syllable = nodes_[e].syllable;
            }
        }
        if (ended != nullptr) {
            links.push_back({syllable, ended->begin, static_cast<int32_t>(t) + 1, ended->before, best});
            between = {best, 0, static_cast<int32_t>(links.size()) - 1};
        }
    }
    Path path{{}, between.value};
    for (int32_t at = between.before; at != none; at = links[static_cast<size_t>(at)].before) {
        path.links.push_back(links[static_cast<size_t>(at)]);
    }
    std::reverse(path.links.begin(), path.links.end());
    return path;
}

std::vector<double> Syllables::likeliest(const std::vector<float> & log_probs, size_t frames) const {
    std::vector<double> sums(frames + 1);
    for (size_t t = 0; t < frames; t++) {
        const float * row = log_probs.data() + t * unit_count_;
        sums[t + 1] = sums[t] + static_cast<double>(*std::max_element(row, row + unit_count_));
    }
    return sums;
}

std::vector<char> Syllables::foreign_links(const Path & path, const std::vector<double> & likeliest) const {
    std::vector<char> foreign;
    Link before{};
    for (const Link & link : path.links) {
        const double score = likeliest[static_cast<size_t>(link.end)] - likeliest[static_cast<size_t>(before.end)];
        foreign.push_back(score - (link.score - before.score) > foreign_deficit ? 1 : 0);
        before = link;
    }
    // If all syllables would be foreign, the reason is rather an unclear voice, so all are kept.
    if (std::find(foreign.begin(), foreign.end(), 0) == foreign.end()) {
        std::fill(foreign.begin(), foreign.end(), 0);
    }
    return foreign;
}

bool Syllables::is_mandarin(const std::vector<float> & log_probs, const std::vector<float> & tone_probs, double deficit,
                            double frame_seconds) const {
    const auto longest = static_cast<size_t>(longest_tone / frame_seconds);
    const size_t frames = log_probs.size() / unit_count_;
    double tonal = 0, all = 0;
    size_t units = 0, listening = 0, last = 0; // listening: frames left in which tones count for the current unit
    for (size_t t = 0; t < frames; t++) {
        const float * row = log_probs.data() + t * unit_count_;
        const auto unit = static_cast<size_t>(std::max_element(row, row + unit_count_) - row);
        if (unit != 0 && unit != last) {
            units++;
            listening = longest;
        }
        last = unit;
        if (listening > 0 && !tone_probs.empty()) {
            all += 1;
            tonal += 1 - tone_probs[t * tone_classes];
            listening--;
        }
    }
    const double most = mandarin_deficit + tonal_deficit * (all > 0 ? tonal / all : 0);
    return units > 0 && deficit < static_cast<double>(units) * most;
}

Syllables::Heard Syllables::hear(const std::vector<float> & logits, const std::vector<float> & tone,
                                 double frame_seconds, const std::atomic<bool> * cancel) const {
    const size_t frames = logits.size() / unit_count_;
    const std::vector<float> log_probs = softmax(logits, unit_count_, true);
    const std::vector<float> tone_probs = softmax(tone, tone_classes, false);
    const Path path = best_path(log_probs, frames, cancel);
    const std::vector<double> likeliest = this->likeliest(log_probs, frames);
    std::string pinyin;
    const std::vector<char> foreign = foreign_links(path, likeliest);
    for (size_t i = 0; i < path.links.size(); i++) {
        if (foreign[i] != 0) {
            continue;
        }
        const Link & link = path.links[i];
        const auto begin = static_cast<size_t>(link.begin);
        const size_t end = i + 1 < path.links.size() ? static_cast<size_t>(path.links[i + 1].begin) : frames;
        const size_t tone_end = std::min(end, begin + static_cast<size_t>(longest_tone / frame_seconds));
        const auto seconds = seconds_of(tone_probs, begin, tone_end, frame_seconds);
        std::array<float, tone_classes - 1> votes{}; // for tones 1-4 and the neutral tone, in seconds
        std::copy(seconds.begin() + 1, seconds.end(), votes.begin());
        float marked = 0;
        for (size_t m = 0; m < marks_.size(); m++) {
            float sum = 0;
            for (size_t t = begin; t < end; t++) {
                sum += std::exp(log_probs[t * unit_count_ + static_cast<size_t>(marks_[m])]);
            }
            votes[m] += marked_seconds * std::min(sum, 1.0F);
            marked += sum;
        }
        votes.back() += unmarked_seconds * std::max(0.0F, 1 - marked);
        const auto best = std::max_element(votes.begin(), votes.end()) - votes.begin();
        pinyin += (pinyin.empty() ? "" : " ") + names_[static_cast<size_t>(link.syllable)] + std::to_string(best + 1);
    }
    return {pinyin, is_mandarin(log_probs, tone_probs, likeliest.back() - path.score, frame_seconds)};
}

} // namespace moss
