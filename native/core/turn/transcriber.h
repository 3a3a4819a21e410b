// From a recording to text, in each of the ways that a bundle may have.
//
// A network that writes what it hears by itself derives from Transcriber, in a file of its own, and stands in the table
// of transcriber.cpp.

#pragma once

#include "core/hearing/hearing.h"

#include <memory>
#include <optional>
#include <vector>

namespace moss {

/// Makes text of recordings, one after the other; keeps what it computes with.
class Transcriber {
  public:
    Transcriber() = default;
    virtual ~Transcriber() = default;
    Transcriber(const Transcriber &) = delete;
    Transcriber & operator=(const Transcriber &) = delete;

    /// `samples` at ModelInfo::input_sample_rate. Throws what Session::transcribe() throws.
    virtual Transcript transcribe(const std::vector<float> & samples, const Transcribing & options, uint64_t seed,
                                  const Progress & progress) = 0;

    /// Memory of its own.
    virtual size_t bytes() const { return 0; }
};

/// A bundle's language model writes what the aligner's embeddings say.
class LmTranscriber : public Transcriber {
  public:
    LmTranscriber(const Model::Parts & parts, Runner & runner, Hearing & hearing)
        : parts_(parts), runner_(runner), hearing_(hearing) {}

    Transcript transcribe(const std::vector<float> & samples, const Transcribing & options, uint64_t seed,
                          const Progress & progress) override;
    size_t bytes() const override { return context_ ? context_->bytes() : 0; }

    /// The token ids of an utterance that was heard.
    std::vector<int32_t> text_of(const Heard & heard, Sampling sampling, uint64_t seed, int max_tokens);

  private:
    const Model::Parts & parts_;
    Runner & runner_;
    Hearing & hearing_;
    std::optional<Lm::State> context_; // made when first needed
};

/// How this bundle makes text of recordings; all three must outlive it. Throws unsupported where it cannot.
std::unique_ptr<Transcriber> make_transcriber(const Model::Parts & parts, Runner & runner, Hearing & hearing);

} // namespace moss
