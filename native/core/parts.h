#pragma once

#include "core/hearing/syllables.h"
#include "core/moss.h"
#include "core/turn/step_batcher.h"
#include "model/endpoint.h"
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

/// A loaded bundle. Networks that it lacks are null.
struct Model::Parts {
    /// `options.threads` > 0.
    Parts(const GgufFile & file, const std::string & fallback_name, const LoadOptions & options, CancelToken & cancel);

    ModelInfo info;
    std::shared_ptr<ThreadPools> pools;          // shared by all sessions
    std::shared_ptr<const WeightMemory> weights; // holds the tensors of all networks
    std::unique_ptr<Lm> lm;
    std::unique_ptr<StepBatcher> steps;  // takes the sessions' steps of the language model together
    KvType kv_type;                      // of the sessions' KV caches
    std::shared_ptr<KvMemory> kv_memory; // that they share
    Vocabulary vocabulary;               // only set for a bundle with an lm
    TurnTemplate turn_template;          // only set for a bundle with an lm
    std::unique_ptr<Vad> vad;
    std::unique_ptr<Listener> listener;
    std::unique_ptr<Endpoint> endpoint; // only set for a bundle whose listener streams
    std::optional<Syllables> syllables; // only set if the file has a table of Mandarin syllables
    std::unique_ptr<VoiceModel> voice;

    /// Whether recordings are encoded in overlapping windows (Listener::hear): the encoder is not causal, and there is
    /// no aligner.
    bool hears_in_windows() const { return !listener->frontend().config().causal && listener->aligner() == nullptr; }
    /// The longest speech that encode() accepts. The context does not limit it, but memory grows with it.
    double encode_seconds() const;
    /// The number of positions that an utterance of `samples` samples takes.
    int64_t speech_positions(size_t samples) const;
    /// The number of positions of a turn besides the user's input and the reply.
    int prompt_overhead() const;
    /// The number of positions that a prompt must leave free for the reply.
    int reply_reserve() const { return info.n_ctx / 8; }
    /// The number of encoder frames that are computed at a time; 0 means the whole utterance.
    int chunk_size() const;
};

} // namespace moss
