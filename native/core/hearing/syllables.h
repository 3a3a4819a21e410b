// Finds Mandarin syllables in the output of the CTC head, for the pinyin of a recording.

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

/// The Mandarin syllables and their spelling in units, as a prefix tree. Immutable.
class Syllables {
  public:
    /// Loads `moss-speech.syllable.names` (pinyin without tones, the most frequent first) and `.units` (their
    /// spellings, such as `xau0`: symbols of units, and 0 in the place of the tone). Returns nothing if the file has no
    /// such keys. Throws model_format_error.
    static std::optional<Syllables> load(const GgufFile & file, const std::vector<std::string> & units);

    /// @param units  symbols of the CTC head; [0] is the blank
    Syllables(std::vector<std::string> names, const std::vector<std::string> & spellings,
              const std::vector<std::string> & units);

    /// Speech read as Mandarin, whatever its language is.
    struct Heard {
        std::string pinyin; ///< `ni3 hao3`; 5 is the neutral tone
        bool mandarin;      ///< false if other units are far likelier than those of syllables, and few tones are heard
    };

    /// Finds the likeliest syllables by a Viterbi search. Syllables that are far less likely than other units are left
    /// out as words of another language, unless that would leave out all. The CTC head and the tone module together
    /// decide the tones.
    /// @param logits  [T, units] of the CTC head
    /// @param tone    [T, tone_classes] logits; may be empty
    /// @param cancel  the search throws MOSS_ABORTED when it becomes true; may be null
    Heard hear(const std::vector<float> & logits, const std::vector<float> & tone, double frame_seconds,
               const std::atomic<bool> * cancel = nullptr) const;

  private:
    /// A node of the prefix tree: a unit of a spelling, or the place of its tone. Children have higher indices than
    /// their parents.
    struct Node {
        int32_t unit;       // tone_slot stands for any of the four tone marks
        int32_t parents[2]; // or none. The second parent skips a tone, because a neutral syllable has no tone mark
        int32_t syllable;   // the syllable that ends here, or none
        double cost;        // subtracted from the score of a path through that syllable
    };
    /// A syllable on the best path to a frame.
    struct Link {
        int32_t syllable, begin, end; // frames
        int32_t before;               // index of the previous link, or none
        double score;                 // score of the path up to the end of this syllable
    };
    static constexpr int32_t none = -1, tone_slot = -2, root = -3;

    struct Path {
        std::vector<Link> links; // first syllable first
        double score;            // log probability minus the costs of the syllables
    };

    Path best_path(const std::vector<float> & log_probs, size_t frames, const std::atomic<bool> * cancel) const;
    /// Cumulative log probabilities of the likeliest unit of each frame, [frames + 1].
    std::vector<double> likeliest(const std::vector<float> & log_probs, size_t frames) const;
    /// For each link, whether it is probably a word of another language (1) or a syllable (0).
    std::vector<char> foreign_links(const Path & path, const std::vector<double> & likeliest) const;
    /// @param deficit  log probability of the likeliest units minus the score of the path
    bool is_mandarin(const std::vector<float> & log_probs, const std::vector<float> & tone_probs, double deficit,
                     double frame_seconds) const;
    /// Indices of nodes by parent and unit.
    using Children = std::map<std::pair<int32_t, int32_t>, int32_t>;
    using UnitIds = std::map<std::string, int32_t>;
    int32_t child(Children & children, int32_t parent, int32_t skipped, int32_t unit);
    void add(Children & children, size_t syllable, const std::string & spelling, const UnitIds & units);

    std::vector<std::string> names_;
    size_t unit_count_;
    std::vector<int32_t> marks_;  // the units of tones 1-4
    std::vector<int32_t> pauses_; // the units between words, including the blank
    std::vector<Node> nodes_;
    std::vector<int32_t> ends_; // the nodes where a syllable ends
};

} // namespace moss
