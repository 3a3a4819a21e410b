// Transcribes recordings, with the networks that a bundle has for it.
//
// A network that transcribes by itself, such as an encoder-decoder, gets a class derived from Transcriber in a file of
// its own, and an entry in the table in transcriber.cpp.

#pragma once

#include "core/hearing/hearing.h"

#include <memory>
#include <optional>
#include <vector>

namespace moss {

/// Transcribes recordings one after the other. Its memory is kept from one to the next.
class Transcriber {
  public:
    Transcriber() = default;
    virtual ~Transcriber() = default;
    Transcriber(const Transcriber &) = delete;
    Transcriber & operator=(const Transcriber &) = delete;

    /// Transcribes `samples` at ModelInfo::input_sample_rate. Throws as Session::transcribe() does.
    virtual Transcript transcribe(const std::vector<float> & samples, const Transcribing & options, uint64_t seed,
                                  const Progress & progress) = 0;

    /// Bytes that its own state takes.
    virtual size_t bytes() const { return 0; }
};

/// Transcribes with a bundle's language model, which generates the text from the aligner's embeddings.
class LmTranscriber : public Transcriber {
  public:
    LmTranscriber(const Model::Parts & parts, Runner & runner, Hearing & hearing)
        : parts_(parts), runner_(runner), hearing_(hearing) {}

    Transcript transcribe(const std::vector<float> & samples, const Transcribing & options, uint64_t seed,
                          const Progress & progress) override;
    size_t bytes() const override { return context_ ? context_->bytes() : 0; }

    /// Transcribes an encoded utterance to token ids.
    std::vector<int32_t> text_of(const Heard & heard, Sampling sampling, uint64_t seed, int max_tokens);

  private:
    const Model::Parts & parts_;
    Runner & runner_;
    Hearing & hearing_;
    std::optional<Lm::State> context_; // created when first needed
};

/// Makes the transcriber for a bundle, which keeps references to all three arguments. Throws unsupported if the bundle
/// cannot transcribe.
std::unique_ptr<Transcriber> make_transcriber(const Model::Parts & parts, Runner & runner, Hearing & hearing);

} // namespace moss
