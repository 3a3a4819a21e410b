#pragma once

#include "core/hearing/syllables.h"
#include "core/moss.h"
#include "model/listener.h"
#include "model/lm.h"
#include "model/vad.h"
#include "model/voice_model.h"

#include <memory>
#include <optional>
#include <vector>

namespace moss {

/// The fixed text of a turn, as token ids (training/data/template.py): `moss-speech.template.*`.
struct TurnTemplate {
    std::vector<int32_t> user_prefix, transcribe_prefix, assistant_prefix, turn_end;

    static TurnTemplate load(const GgufFile & file, const LmConfig & lm);
};

/// A loaded bundle. What it lacks is null.
struct Model::Parts {
    /// `options.threads` > 0.
    Parts(const GgufFile & file, const std::string & fallback_name, const LoadOptions & options, CancelToken & cancel);

    ModelInfo info;
    std::shared_ptr<ThreadPools> pools;          // of all sessions
    std::shared_ptr<const WeightMemory> weights; // of all networks
    std::unique_ptr<Lm> lm;
    Vocabulary vocabulary;      // with a bundle's lm
    TurnTemplate turn_template; // with a bundle's lm
    std::unique_ptr<Vad> vad;
    std::unique_ptr<Listener> listener;
    std::optional<Syllables> syllables; // with a listener that knows Mandarin
    std::unique_ptr<VoiceModel> voice;

    /// Whether the encoder, of a model without aligner, hears whole utterances in overlapping windows: Listener::hear.
    bool hears_in_windows() const { return !listener->frontend().config().causal && listener->aligner() == nullptr; }
    /// The longest speech whose units can be had: no context bounds it, but memory grows with it.
    double encode_seconds() const;
    /// Positions that an utterance of so many samples takes.
    int64_t speech_positions(size_t samples) const;
    /// Positions of a turn other than the user's input and the reply.
    int prompt_overhead() const;
    /// Positions that a reply can count on.
    int reply_reserve() const { return info.n_ctx / 8; }
    /// Encoder frames that are computed at a time; 0: the whole utterance.
    int chunk_size() const;
};

} // namespace moss
