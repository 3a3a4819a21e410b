// The library: an immutable Model, shared by any number of threads, and a mutable Session for each conversation.
//
//     moss::load_backends(folder);                       // once: where ggml's libraries stand
//     auto model = moss::Model::load("nano.gguf");
//     moss::Session session(model);
//     moss::CancelToken cancel;
//     moss::Request request;
//     request.samples = samples;                         // 16 kHz mono
//     session.generate(request, [](moss::Chunk && chunk) { play(chunk.audio); }, cancel);
//
// Everything throws MossError (io/error.h).

#pragma once

#include "core/cancel.h"
#include "core/turn/sampler.h"
#include "io/error.h"
#include "model/voice_model.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moss {

/// Loads the backends that stand as libraries in `folder` (no other place is searched) and silences ggml, unless the
/// environment variable MOSS_SPEECH_LOG is set. To be called before anything else; later calls do nothing. Thread-safe.
/// @throws MossError MOSS_ADDON when there is no CPU backend.
void initialize(const std::string & folder);

/// One network of the bundle, as the file has it.
struct ComponentInfo {
    std::string name; ///< "vad", "frontend", "tone", "encoder", "aligner", "lm", "decoder", "voice"
    uint64_t parameters = 0;
    uint64_t bytes = 0;
    std::vector<std::string> types; ///< ggml's names, the one with most bytes first
};

/// How the units of a CTC head are text, for encoders whose units are letters or pieces of words.
struct CtcText {
    std::string word_delimiter;   ///< within a unit it ends a word; empty: there is none
    std::string separator;        ///< between the units of a word
    bool lower_case = false;      ///< the text is to be lowered
    std::vector<int32_t> special; ///< units that are no text: start and end of a sentence, unknown
};

/// What a model is and can do. Lists are empty and numbers 0 where the bundle lacks the component.
struct ModelInfo {
    std::string architecture; ///< "moss-speech", or of an imported language model "qwen3" or "llama"
    std::string name;
    std::string license;
    std::string description;
    std::vector<std::string> units; ///< [0] is the CTC blank
    std::optional<CtcText> ctc;     ///< nothing where units are sounds
    std::vector<Voice> voices;
    int default_voice_en = 0;
    int default_voice_zh = 0;
    std::vector<std::string> emotions; ///< [0] is neutral
    int input_sample_rate = 0;         ///< Hz
    int sample_rate = 0;               ///< of the decoder or voice, Hz
    int feature_size = 0;              ///< of a frame of the encoder's hidden states
    double frame_seconds = 0;          ///< from one such frame to the next
    std::string voice_text; ///< of an imported voice: how text becomes its units (`moss-speech.voice.text`), else empty
    std::string tokenizer;  ///< a Hugging Face tokenizer.json
    struct {
        int im_start = 0, im_end = 0, sosp = 0, modality_pad = 0, pad = 0;
    } tokens;
    int n_ctx = 0;                ///< positions of a session's context
    int max_n_ctx = 0;            ///< positions that the language model was trained for
    double max_input_seconds = 0; ///< the longest recording that can be transcribed, or searched for a turn's speech
    double max_turn_seconds = 0;  ///< the longest speech of one turn in an empty session
    bool finds_speech = false;    ///< whether there is a voice activity network
    Sampling sampling;            ///< the model's defaults
    std::vector<ComponentInfo> components;
    int threads = 0;
};

struct LoadOptions {
    /// Threads of a computation, 1..256; 0: half of the logical CPUs, at most 8, but 2 where there are 2.
    int threads = 0;
    /// Positions of a session's context, up to ModelInfo::max_n_ctx; 0: all of them, but 4096 at most in an imported
    /// language model.
    int context_length = 0;
};

/// Weights and configuration of a bundle. Immutable; sessions share it.
class Model {
  public:
    /// Reads and checks a GGUF file (path in UTF-8): a bundle of ours, or a Qwen3 or Llama model as llama.cpp writes
    /// them.
    /// @throws MossError MOSS_MODEL_NOT_FOUND, MOSS_MODEL_FORMAT (names the key or tensor, expected and found) or
    /// MOSS_OUT_OF_MEMORY.
    static std::shared_ptr<const Model> load(const std::string & path, const LoadOptions & options = {});

    /// The same, which `cancel` stops: throws MOSS_ABORTED soon.
    static std::shared_ptr<const Model> load(const std::string & path, const LoadOptions & options,
                                             CancelToken & cancel);

    /// The same for a file's bytes, which are needed during the call only.
    static std::shared_ptr<const Model> from_memory(const void * data, size_t size, const LoadOptions & options = {});

    ~Model();
    Model(const Model &) = delete;
    Model & operator=(const Model &) = delete;

    const ModelInfo & info() const;

    struct Parts; ///< the networks (core/parts.h)
    const Parts & parts() const { return *parts_; }

  private:
    explicit Model(std::unique_ptr<const Parts> parts);
    std::unique_ptr<const Parts> parts_;
};

enum class Output {
    speech, ///< text is still generated, for the turn's memory, but not delivered
    text,
    both,
};

/// One turn of the user, and how to answer it. Exactly one of `samples` and `text` is not empty.
struct Request {
    std::vector<float> samples; ///< 16 kHz mono, finite
    /// Token ids: the user's words; in an imported language model the whole conversation, as its template has it, up to
    /// the reply. What the session holds of it already is not computed again.
    std::vector<int32_t> text;
    std::vector<int32_t> stop; ///< imported language model: ids that end a reply and are no part of it
    Output output = Output::both;
    Speaking speaking;
    std::optional<Sampling> sampling; ///< its seed is not used; else the model's defaults
    double max_seconds = 60;          ///< of speech; what is longer is cut
    int max_tokens = 512;             ///< of the reply's text
    bool transcribe = false;          ///< spoken input: also transcribe what was heard
    /// Spoken input, with a voice activity network: silence around the speech is left out, and where nobody speaks
    /// there is no turn. False: all of it is heard as it is.
    bool vad = true;
};

/// A unit that the encoder's CTC head heard.
struct HeardUnit {
    int32_t id;
    float start, end; ///< seconds
};

/// What the encoder's CTC head heard, and the tone module.
struct HeardSounds {
    bool no_speech = false; ///< nobody speaks: there is nothing else
    std::vector<HeardUnit> units;
    /// What it is if it is Mandarin: `ni3 hao3`, 5 is neutral. Empty where the encoder's file has no syllables.
    std::string pinyin;
    bool mandarin = false; ///< whether it sounds so
};

/// An utterance in a recording, as the language model transcribed it.
struct Segment {
    float start, end;          ///< seconds
    std::vector<int32_t> text; ///< token ids
};

struct Transcript {
    HeardSounds sounds;
    std::vector<Segment> segments; ///< in order; none without a language model, and where nobody speaks
};

/// How a recording is transcribed.
struct Transcribing {
    std::optional<Sampling> sampling; ///< its seed is not used; else the model's defaults
    std::optional<uint64_t> seed;     ///< else the next one of the session's generator
    int max_tokens = 1 << 30;         ///< of an utterance
    bool vad = true;                  ///< as Request::vad
};

/// Milliseconds of computation, seconds of audio. Time spent in the receiver of chunks is not counted.
struct Timings {
    double encode_ms = 0;      ///< front end, tone module, encoder, aligner
    double prefill_ms = 0;     ///< the language model's reading of the prompt
    double lm_ms = 0;          ///< its steps
    double decode_ms = 0;      ///< units to audio
    double first_audio_ms = 0; ///< from the start to the first audio, or to the first token of a written reply
    double total_ms = 0;
    double input_seconds = 0;
    double reply_seconds = 0;
};

/// Why a reply ended.
enum class FinishReason {
    stop,           ///< the model came to its end
    max_seconds,    ///< the speech was cut at Request::max_seconds
    max_tokens,     ///< the text was cut at Request::max_tokens
    context_length, ///< the context was full
    no_speech,      ///< nobody speaks in what was to be heard: there is no reply, and no turn
};

/// A piece of a reply.
struct Chunk {
    std::vector<float> audio;                       ///< at ModelInfo::sample_rate
    std::vector<int32_t> units;                     ///< spoken units; they run a little ahead of the audio
    std::vector<int32_t> text;                      ///< token ids
    std::optional<HeardSounds> heard;               ///< in the first chunk of a reply to speech
    std::optional<std::vector<int32_t>> heard_text; ///< in the last chunk, when it was asked for
    std::vector<float> features;                    ///< of Session::features(): whole frames, one after the other
    std::optional<FinishReason> finish_reason;      ///< in the last chunk of a reply
    std::optional<Timings> timings;                 ///< in the last chunk
};

/// Receives chunks in order, on the thread that computes. What it throws ends the task.
using Receiver = std::function<void(Chunk &&)>;

/// Seconds of speech heard so far; on the thread that computes.
using Progress = std::function<void(double seconds)>;

class Turn;

/// A conversation: the streaming states, the KV cache and the random numbers. For one thread at a time.
class Session {
  public:
    explicit Session(std::shared_ptr<const Model> model, std::optional<uint64_t> seed = std::nullopt);
    ~Session();
    Session(Session &&) noexcept;
    Session & operator=(Session &&) noexcept;

    /// Answers a turn and remembers it; returns whether there was one to remember, which FinishReason::no_speech is
    /// not. After an error or a cancellation the conversation is what it was before.
    /// @throws MossError MOSS_INVALID_ARGUMENT, MOSS_UNSUPPORTED (the bundle lacks a component), MOSS_PROMPT_TOO_LONG,
    /// MOSS_AUDIO_LENGTH, MOSS_ABORTED or MOSS_OUT_OF_MEMORY.
    bool generate(const Request & request, const Receiver & receiver, CancelToken & cancel);

    /// Begins a spoken turn that is heard while it is spoken, without speech or text in the request: all that is fed is
    /// heard as it is, and whoever feeds decides where the turn ends (Request::vad is not looked at). Every other
    /// function of the session gives up a turn that is not finished, and so does what one of these three throws: the
    /// conversation is what it was before begin().
    ///
    ///     session.begin(request, cancel);
    ///     session.feed(samples, cancel); // as often as samples come, any number of them
    ///     session.finish(receiver, cancel);
    ///
    /// @throws MossError as generate() does.
    void begin(const Request & request, CancelToken & cancel);

    /// Hears the next samples and reads what is whole of them. The reply does not depend on how many come at a time.
    /// @throws MossError MOSS_INVALID_ARGUMENT before begin(), MOSS_AUDIO_LENGTH or MOSS_PROMPT_TOO_LONG where the turn
    /// has become too long; and as generate() does.
    void feed(const std::vector<float> & samples, CancelToken & cancel);

    /// Answers and remembers the turn. Timings::first_audio_ms and total_ms count from here; the others hold the whole
    /// turn. @throws MossError MOSS_AUDIO_LENGTH where nothing was fed; and as generate() does.
    void finish(const Receiver & receiver, CancelToken & cancel);

    /// Gives up a turn that has begun, if any.
    void abandon();

    /// Takes back the last turn that generate() or finish() has answered: the conversation is what it was before it,
    /// and the turn before it is the last one. Turns that failed or were cancelled are none. Without turns it does
    /// nothing.
    void undo();

    /// Reads units aloud: a decoder's (1..65536 of them, none of them blank), or the ids of a sentence for an imported
    /// voice (1..4096). `prosody` is one a unit, or none at all; imported voices refuse another pitch.
    void speak(const std::vector<int32_t> & units, const Speaking & speaking, const Receiver & receiver,
               CancelToken & cancel, const std::vector<UnitProsody> & prosody = {});

    /// What the CTC head hears in 16 kHz samples. Encoders that hear whole utterances hear long ones in overlapping
    /// windows and tell their progress; the others do not.
    HeardSounds encode(const std::vector<float> & samples, CancelToken & cancel, const Progress & progress = {});

    /// The encoder's hidden states, [frames, ModelInfo::feature_size]: what transformers calls last_hidden_state.
    /// Encoders that hear whole utterances deliver a window at a time, as in encode(); the others all at once.
    void features(const std::vector<float> & samples, const Receiver & receiver, CancelToken & cancel);

    /// What encode() gives, and what the language model transcribes, utterance by utterance where there is a voice
    /// activity network. The conversation takes no part in it. Without a language model, where ModelInfo::ctc says how
    /// units are text, there are no segments.
    Transcript transcribe(const std::vector<float> & samples, const Transcribing & options, CancelToken & cancel,
                          const Progress & progress = {});

    /// Positions of the context in use.
    int length() const;

    /// Memory that it has taken so far: of the context, of what it heard, and of computations.
    size_t bytes() const;

    /// Forgets the conversation.
    void reset();

  private:
    struct State;
    Turn & fed_turn();
    std::unique_ptr<State> state_;
};

} // namespace moss
