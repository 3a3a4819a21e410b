// Mandarin syllables in a CTC head's frames: what `pinyin` is made of.

#pragma once

#include "core/moss.h"
#include "io/gguf_file.h"
#include "model/tone.h"

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace moss {

/// The tone module's classes: none, tones 1-4, neutral.
constexpr size_t tone_classes = 6;

/// All syllables, as units spell them, in one tree. Immutable.
class Syllables {
  public:
    /// `moss-speech.syllable.names` (toneless pinyin, the frequent ones first) and `.units` (`xau0`: units' symbols, 0
    /// where the tone goes). Nothing in a file without them. Throws model_format_error.
    static std::optional<Syllables> load(const GgufFile & file, const std::vector<std::string> & units);

    /// @param units  symbols of the CTC head; [0] is the blank
    Syllables(std::vector<std::string> names, const std::vector<std::string> & spellings,
              const std::vector<std::string> & units);

    /// What was heard as Mandarin, true or not: `ni3 hao3`, 5 is neutral.
    struct Heard {
        std::string pinyin;
        bool mandarin; ///< not where other units than a syllable's are far likelier, and few tones are heard
    };

    /// A Viterbi search finds the likeliest syllables. Where other units are far likelier than some of them, but not
    /// than all, those are left out, as words of another language. Tones are those of the CTC head and of the tone
    /// module together.
    /// @param logits  [T, units] of the CTC head
    /// @param tone    [T, tone_classes] logits; may be empty
    /// @param cancel  where it becomes true, the search throws MOSS_ABORTED; may be null
    Heard hear(const std::vector<float> & logits, const std::vector<float> & tone, double frame_seconds,
               const std::atomic<bool> * cancel = nullptr) const;

  private:
    /// A unit of a spelling, or its tone. Children stand after their parents.
    struct Node {
        int32_t unit;       // tone_slot: any of the four tones
        int32_t parents[2]; // none: not there. The second is the one before a tone: a neutral syllable has no mark
        int32_t syllable;   // that ends here, or none
        double cost;        // of a path through that syllable
    };
    /// A syllable on the best path to a frame.
    struct Link {
        int32_t syllable, begin, end; // frames
        int32_t before;               // the link before it, or none
        double score;                 // of the path up to its end
    };
    static constexpr int32_t none = -1, tone_slot = -2, root = -3;

    struct Path {
        std::vector<Link> links; // first syllable first
        double score;            // log probability, less the syllables' costs
    };

    Path best_path(const std::vector<float> & log_probs, size_t frames, const std::atomic<bool> * cancel) const;
    /// Scores of the likeliest units up to each frame, [frames + 1].
    std::vector<double> likeliest(const std::vector<float> & log_probs, size_t frames) const;
    /// By link: whether it is a word of another language between syllables.
    std::vector<char> foreign_links(const Path & path, const std::vector<double> & likeliest) const;
    /// @param deficit  how much likelier the likeliest units are than the path
    bool is_mandarin(const std::vector<float> & log_probs, const std::vector<float> & tone_probs, double deficit,
                     double frame_seconds) const;
    /// Nodes by parent and unit.
    using Children = std::map<std::pair<int32_t, int32_t>, int32_t>;
    using UnitIds = std::map<std::string, int32_t>;
    int32_t child(Children & children, int32_t parent, int32_t skipped, int32_t unit);
    void add(Children & children, size_t syllable, const std::string & spelling, const UnitIds & units);

    std::vector<std::string> names_;
    size_t unit_count_;
    std::vector<int32_t> marks_;  // the units of tones 1-4
    std::vector<int32_t> pauses_; // units that stand between words, the blank among them
    std::vector<Node> nodes_;
    std::vector<int32_t> ends_; // nodes with a syllable
};

} // namespace moss
