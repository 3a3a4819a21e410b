#include "core/turn/transcriber.h"

#include "core/turn/lm_context.h"

namespace moss {

namespace {

/// Transcribes with an encoder whose CTC units are letters: the units are the text, and there are no token ids.
class CtcTranscriber : public Transcriber {
  public:
    explicit CtcTranscriber(Hearing & hearing) : hearing_(hearing) {}

    Transcript transcribe(const std::vector<float> & samples, const Transcribing & /*options*/, uint64_t /*seed*/,
                          const Progress & progress) override {
        return {hearing_.encode(samples, progress), {}};
    }

  private:
    Hearing & hearing_;
};

/// The transcribers and the bundles that they fit. The first one that fits is used.
constexpr struct {
    bool (*fits)(const Model::Parts & parts);
    std::unique_ptr<Transcriber> (*make)(const Model::Parts & parts, Runner & runner, Hearing & hearing);
} transcribers[] = {
    {[](const Model::Parts & parts) { return !parts.lm && parts.info.ctc.has_value(); },
     [](const Model::Parts &, Runner &, Hearing & hearing) -> std::unique_ptr<Transcriber> {
         return std::make_unique<CtcTranscriber>(hearing);
     }},
    {[](const Model::Parts & parts) { return parts.lm && parts.listener && parts.listener->aligner() != nullptr; },
     [](const Model::Parts & parts, Runner & runner, Hearing & hearing) -> std::unique_ptr<Transcriber> {
         return std::make_unique<LmTranscriber>(parts, runner, hearing);
     }},
};

} // namespace

Transcript LmTranscriber::transcribe(const std::vector<float> & samples, const Transcribing & options, uint64_t seed,
                                     const Progress & progress) {
    const Sampling sampling = options.sampling.value_or(parts_.info.sampling);
    const double rate = parts_.info.input_sample_rate;
    const std::vector<Span> utterances = utterances_of(parts_, runner_, samples, options.vad);
    Transcript transcript;
    transcript.sounds.no_speech = utterances.empty();
    for (const Span & span : utterances) {
        const Heard heard = hearing_.hear(samples, span);
        append_sounds(transcript.sounds, heard_sounds(parts_, heard, span, runner_.cancel));
        transcript.segments.push_back({static_cast<float>(static_cast<double>(span.begin) / rate),
                                       static_cast<float>(static_cast<double>(span.end) / rate),
                                       text_of(heard, sampling, seed, options.max_tokens)});
        if (progress) {
            progress(static_cast<double>(span.end) / rate);
        }
    }
    return transcript;
}

std::vector<int32_t> LmTranscriber::text_of(const Heard & heard, Sampling sampling, uint64_t seed, int max_tokens) {
    if (!context_) {
        context_.emplace(*parts_.lm, parts_.info.n_ctx, parts_.kv_type, parts_.kv_memory);
    }
    context_->truncate(0);
    LmContext context(parts_, runner_, *context_);
    context.append_text(parts_.turn_template.transcribe_prefix, Tails::none);
    context.append_embeddings(heard.embeddings.data(),
                              heard.embeddings.size() / static_cast<size_t>(parts_.lm->config().embedding_length));
    sampling.seed = seed;
    Sampler sampler(sampling);
    std::vector<int32_t> text;
    context.generate_text(context.append_text(parts_.turn_template.assistant_prefix, Tails::text), sampler, max_tokens,
                          [&](int32_t id) { text.push_back(id); });
    return text;
}

std::unique_ptr<Transcriber> make_transcriber(const Model::Parts & parts, Runner & runner, Hearing & hearing) {
    for (const auto & way : transcribers) {
        if (way.fits(parts)) {
            return way.make(parts, runner, hearing);
        }
    }
    throw MossError(code::unsupported,
                    "this model has no encoder, aligner and language model: it cannot transcribe speech");
}

} // namespace moss
