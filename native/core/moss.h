// The library: an immutable Model, shared by any number of threads, and a mutable Session for each conversation.
//
//     moss::initialize(folder);                          // once, with the folder of ggml's libraries
//     auto model = moss::Model::load("nano.gguf");
//     moss::Session session(model);
//     moss::CancelToken cancel;
//     moss::Request request;
//     request.samples = samples;                         // 16 kHz mono
//     session.generate(request, [](moss::Chunk && chunk) { play(chunk.audio); }, cancel);
//
// All functions report errors as MossError (io/error.h).

#pragma once

#include "core/cancel.h"
#include "core/turn/sampler.h"
#include "io/error.h"
#include "kernels/cpu/kv_kernel.h"
#include "model/voice_model.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace moss {

/// Loads ggml's backend libraries from `folder` (no other folder is searched) and turns ggml's log off, unless the
/// environment variable MOSS_SPEECH_LOG is set. Must be called before anything else; later calls do nothing.
/// Thread-safe.
/// @throws MossError MOSS_ADDON when there is no CPU backend.
void initialize(const std::string & folder);

/// One network of the bundle and how the file stores it.
struct ComponentInfo {
    std::string name; ///< "vad", "frontend", "tone", "encoder", "aligner", "lm", "decoder", "voice"
    uint64_t parameters = 0;
    uint64_t bytes = 0;
    std::vector<std::string> types; ///< ggml's type names, the one with the most bytes first
};

/// How units of a CTC head are joined to text, for encoders whose units are letters or pieces of words.
struct CtcText {
    std::string word_delimiter;   ///< ends a word where it occurs in a unit; empty if there is no such symbol
    std::string separator;        ///< written between the units of a word
    bool lower_case = false;      ///< whether the text is to be converted to lower case
    std::vector<int32_t> special; ///< units that are not text: start and end of a sentence, unknown
};

/// Properties and abilities of a model. Lists are empty and numbers 0 if the bundle lacks the component.
struct ModelInfo {
    std::string architecture; ///< "moss-speech"; "qwen3" or "llama" for an imported language model
    std::string name;
    std::string license;
    std::string description;
    std::vector<std::string> units; ///< [0] is the CTC blank
    std::optional<CtcText> ctc;     ///< not set if units are sounds
    std::vector<Voice> voices;
    int default_voice_en = 0;
    int default_voice_zh = 0;
    std::vector<std::string> emotions; ///< [0] is neutral
    int input_sample_rate = 0;         ///< Hz
    int sample_rate = 0;               ///< of the decoder or voice, Hz
    int feature_size = 0;              ///< values in a frame of the encoder's hidden states
    double frame_seconds = 0;          ///< time from one frame to the next
    std::string voice_text; ///< for an imported voice, how text becomes its ids (`moss-speech.voice.text`); else empty
    std::string tokenizer;  ///< the content of a Hugging Face tokenizer.json
    struct {
        int im_start = 0, im_end = 0, sosp = 0, modality_pad = 0, pad = 0;
    } tokens;
    int n_ctx = 0;                ///< positions of a session's context
    int max_n_ctx = 0;            ///< the context length that the language model was trained for
    double max_input_seconds = 0; ///< the longest recording that can be transcribed or searched for speech
    double max_turn_seconds = 0;  ///< the longest speech of one turn in an empty session
    bool finds_speech = false;    ///< whether there is a voice activity network for recordings
    bool ends_turns = false;      ///< whether Session::completeness() can tell that a fed turn is complete
    int vad_window = 0;           ///< samples of a window of the voice activity network; 0 if there is none
    Sampling sampling;            ///< the model's defaults
    std::vector<ComponentInfo> components;
    int threads = 0;
};

struct LoadOptions {
    /// Threads of a computation, 1..256. 0 means half of the logical CPUs, at least 2 if there are 2, at most 8.
    int threads = 0;
    /// Positions of a session's context, up to ModelInfo::max_n_ctx. 0 means max_n_ctx, but at most 4096 for an
    /// imported language model.
    int context_length = 0;
    /// How the keys and values of conversations are stored.
    KvType kv_type = KvType::f16;
    /// The most bytes that the keys and values of all conversations may take together.
    size_t kv_limit = SIZE_MAX;
    /// Whether only the voice activity network is to be loaded, and everything else left out.
    bool only_vad = false;
};

/// Weights and configuration of a bundle. Immutable and shared by its sessions.
class Model {
  public:
    /// Reads and checks a GGUF file (path in UTF-8): a moss-speech bundle, or a Qwen3 or Llama model in llama.cpp's
    /// layout.
    /// @throws MossError MOSS_MODEL_NOT_FOUND, MOSS_MODEL_FORMAT (names the key or tensor, expected and found) or
    /// MOSS_OUT_OF_MEMORY.
    static std::shared_ptr<const Model> load(const std::string & path, const LoadOptions & options = {});

    /// Loads a file as above. Throws MOSS_ABORTED soon after `cancel` is cancelled.
    static std::shared_ptr<const Model> load(const std::string & path, const LoadOptions & options,
                                             CancelToken & cancel);

    /// Loads the bytes of a file, which are only read during the call.
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
    speech, ///< text is still generated, because the turn in the context includes it, but not delivered
    text,
    both,
};

/// One turn of the user and options for the reply. Exactly one of `samples` and `text` is not empty.
struct Request {
    std::vector<float> samples; ///< 16 kHz mono, finite
    /// Token ids of the user's words. For an imported language model, the whole conversation in its chat template, up
    /// to the reply; positions that the session's KV cache already holds are not computed again.
    std::vector<int32_t> text;
    std::vector<int32_t> stop; ///< ids that end the reply of an imported language model and do not belong to it
    /// Whether old turns were left out of `text` because the context is full. Their positions are then removed from the
    /// KV cache; the positions of later turns are kept, though they were computed while the old turns were there.
    bool shortened = false;
    Output output = Output::both;
    Speaking speaking;
    std::optional<Sampling> sampling; ///< the model's defaults if not set; the seed in it is not used
    double max_seconds = 60;          ///< the reply's speech is cut at this length
    int max_tokens = 512;             ///< the reply's text is cut at this length
    bool transcribe = false;          ///< whether spoken input is also transcribed
    /// Whether spoken input passes the voice activity network, if there is one: silence around the speech is left out,
    /// and a recording without speech is no turn. If false, the encoder hears all samples.
    bool vad = true;
};

/// A turn that took place elsewhere, for a bundle.
struct PastTurn {
    std::vector<int32_t> text;  ///< token ids of the user's words
    std::vector<int32_t> units; ///< of a spoken reply; empty if the reply is written
    std::vector<int32_t> reply; ///< token ids of the reply
};

/// How many turns and positions were removed from a context because it was full.
struct Dropped {
    int64_t turns = 0, positions = 0;
};

/// What there is to a conversation besides the keys and values of its context.
struct Snapshot {
    int length = 0;                     ///< positions of the context
    std::vector<int32_t> turns;         ///< the context's length before each turn
    std::vector<int32_t> ids;           ///< of an imported language model, at all positions
    std::array<uint64_t, 4> random{};   ///< the state of the generator of seeds
    std::string type;                   ///< of keys and values, "f32", "f16" or "q8"; empty without a language model
    std::vector<size_t> position_bytes; ///< of the keys and values of a position, for each block
};

/// A unit that the encoder's CTC head recognized.
struct HeardUnit {
    int32_t id;
    float start, end; ///< seconds
};

/// What the encoder's CTC head and the tone module recognized.
struct HeardSounds {
    bool no_speech = false; ///< true if nobody speaks; the other members are then empty
    std::vector<HeardUnit> units;
    /// The speech read as Mandarin, whatever the language is: `ni3 hao3`, 5 is the neutral tone. Empty if the encoder's
    /// file has no table of syllables.
    std::string pinyin;
    bool mandarin = false; ///< whether the speech sounds like Mandarin
};

/// An utterance in a recording, as the language model transcribed it.
struct Segment {
    float start, end;          ///< seconds
    std::vector<int32_t> text; ///< token ids
};

struct Transcript {
    HeardSounds sounds;
    std::vector<Segment> segments; ///< in order; none without a language model or if nobody speaks
};

/// Options for transcribing a recording.
struct Transcribing {
    std::optional<Sampling> sampling; ///< the model's defaults if not set; the seed in it is not used
    std::optional<uint64_t> seed;     ///< drawn from the session's random numbers if not set
    int max_tokens = 1 << 30;         ///< limit for each utterance
    bool vad = true;                  ///< as Request::vad
};

/// Computation times in milliseconds and audio lengths in seconds. Time spent in the receiver of chunks is not counted.
struct Timings {
    double encode_ms = 0;      ///< front end, tone module, encoder, aligner
    double prefill_ms = 0;     ///< language model, prefill of the prompt
    double lm_ms = 0;          ///< language model, generation
    double decode_ms = 0;      ///< decoder or voice, units to audio
    double heard_ms = 0;       ///< from the start until all speech was encoded; 0 if there was none
    double ready_ms = 0;       ///< from the start until the language model had read the prompt
    double first_token_ms = 0; ///< from the start to the first unit of a spoken reply, or token of a written one
    double first_audio_ms = 0; ///< from the start to the first audio, or to the first token of a written reply
    double total_ms = 0;
    double input_seconds = 0;
    double reply_seconds = 0;
};

/// Why a reply ended.
enum class FinishReason {
    stop,           ///< the model ended the reply
    max_seconds,    ///< the speech was cut at Request::max_seconds
    max_tokens,     ///< the text was cut at Request::max_tokens
    context_length, ///< the context was full
    no_speech,      ///< nobody speaks in the recording, so there is neither a reply nor a turn
};

/// A piece of a reply.
struct Chunk {
    std::vector<float> audio;                       ///< at ModelInfo::sample_rate
    std::vector<int32_t> units;                     ///< spoken units; they come a little ahead of their audio
    std::vector<float> unit_ends;                   ///< seconds of the audio at which the next units end
    std::vector<int32_t> text;                      ///< token ids
    std::optional<HeardSounds> heard;               ///< in the first chunk of a reply to speech
    std::optional<std::vector<int32_t>> heard_text; ///< in the last chunk, if Request::transcribe is set
    std::vector<float> features;                    ///< from Session::features(): [frames, ModelInfo::feature_size]
    std::optional<FinishReason> finish_reason;      ///< in the last chunk of a reply
    std::optional<Timings> timings;                 ///< in the last chunk
};

/// Receives chunks in order, on the computing thread. An exception from it ends the task.
using Receiver = std::function<void(Chunk &&)>;

/// Receives the seconds of speech heard so far, on the computing thread.
using Progress = std::function<void(double seconds)>;

class Turn;

/// A conversation: the streaming states, the KV cache and the random number generator. To be used by one thread at a
/// time.
class Session {
  public:
    /// With `slide`, a bundle's session removes its oldest turns when a new one does not fit the context.
    explicit Session(std::shared_ptr<const Model> model, std::optional<uint64_t> seed = std::nullopt,
                     bool slide = false);
    ~Session();
    Session(Session &&) noexcept;
    Session & operator=(Session &&) noexcept;

    /// Answers a turn and keeps it in the context. Returns whether there was a turn: false with
    /// FinishReason::no_speech. An error or a cancellation leaves the conversation as it was before.
    /// @throws MossError MOSS_INVALID_ARGUMENT, MOSS_UNSUPPORTED (the bundle lacks a component), MOSS_PROMPT_TOO_LONG,
    /// MOSS_AUDIO_LENGTH, MOSS_ABORTED or MOSS_OUT_OF_MEMORY.
    bool generate(const Request & request, const Receiver & receiver, CancelToken & cancel);

    /// Begins a turn that is heard while the user speaks. The request has neither samples nor text. The encoder hears
    /// all samples that are fed, and the caller decides where the turn ends; Request::vad is ignored. An error in
    /// begin(), feed() or finish(), or a call of any other function of the session, gives up an unfinished turn and
    /// leaves the conversation as it was before begin().
    ///
    ///     session.begin(request, cancel);
    ///     session.feed(samples, cancel); // whenever samples arrive, any number of them
    ///     session.finish(receiver, cancel);
    ///
    /// @throws MossError as generate() does.
    void begin(const Request & request, CancelToken & cancel);

    /// Encodes the next samples and prefills the KV cache with the finished embeddings. The reply does not depend on
    /// how many samples are fed at a time.
    /// @throws MossError MOSS_INVALID_ARGUMENT before begin(), MOSS_AUDIO_LENGTH or MOSS_PROMPT_TOO_LONG when the turn
    /// has become too long; and as generate() does.
    void feed(const std::vector<float> & samples, CancelToken & cancel);

    /// The probability that the speaker has finished the turn, 0 … 1; to be asked at a pause, some 200 ms after the
    /// speech. The turn goes on as if this had not been called.
    /// @throws MossError MOSS_INVALID_ARGUMENT before begin(), MOSS_UNSUPPORTED if not ModelInfo::ends_turns; and as
    /// feed() does.
    float completeness(CancelToken & cancel);

    /// Answers the turn and keeps it in the context. The times of Timings that count from the start count from this
    /// call; the others cover the whole turn.
    /// @throws MossError MOSS_AUDIO_LENGTH if nothing was fed; and as generate() does.
    void finish(const Receiver & receiver, CancelToken & cancel);

    /// Gives up the unfinished turn, if there is one.
    void abandon();

    /// Shortens the spoken reply of the last finish() to its first `units` units and to `text`, so that the
    /// conversation holds what the user has heard. To be called next after finish(), whether that has returned or was
    /// cancelled: a cancelled turn is kept until another function of the session is called. If `text` is not set, the
    /// language model writes one for the units that are left; it may be more than what these units say. Without units,
    /// the whole turn is removed. Of a written reply, all that there is is kept. May be called repeatedly, with fewer
    /// units or another text. Returns the text of a spoken reply.
    /// @throws MossError MOSS_INVALID_ARGUMENT if there is no such reply or for an id out of range. Any error removes
    /// the turn.
    std::vector<int32_t> shorten(size_t units, const std::optional<std::vector<int32_t>> & text, CancelToken & cancel);

    /// Removes the last turn that generate() or finish() has answered, so that the conversation is as it was before
    /// that turn. May be called repeatedly. Turns that failed or were cancelled do not count. Does nothing if there is
    /// no turn.
    void undo();

    /// Reads units aloud: 1..65536 units of the bundle, without blanks, or for an imported voice the 1..4096 ids of a
    /// sentence. `prosody` has a value for each unit or is empty; imported voices reject a change of pitch.
    void speak(const std::vector<int32_t> & units, const Speaking & speaking, const Receiver & receiver,
               CancelToken & cancel, const std::vector<UnitProsody> & prosody = {});

    /// Returns the CTC head's hypothesis for 16 kHz samples. Encoders that are not causal process long recordings in
    /// overlapping windows and report their progress; the others do not.
    HeardSounds encode(const std::vector<float> & samples, CancelToken & cancel, const Progress & progress = {});

    /// Delivers the encoder's hidden states, [frames, ModelInfo::feature_size], transformers' last_hidden_state.
    /// Encoders that are not causal deliver a window at a time, as in encode(); the others all at once.
    void features(const std::vector<float> & samples, const Receiver & receiver, CancelToken & cancel);

    /// Returns the hypothesis of encode() and the language model's transcript, by utterance if there is a voice
    /// activity network. The conversation neither influences the transcript nor is changed by it. Without a language
    /// model there are no segments; ModelInfo::ctc tells how the units become text.
    Transcript transcribe(const std::vector<float> & samples, const Transcribing & options, CancelToken & cancel,
                          const Progress & progress = {});

    /// Adds a turn that took place elsewhere: prefills the context with it. Makes room for it as for a turn.
    /// @throws MossError MOSS_UNSUPPORTED for an imported language model, MOSS_INVALID_ARGUMENT for an id out of range,
    /// MOSS_PROMPT_TOO_LONG, MOSS_ABORTED or MOSS_OUT_OF_MEMORY; the conversation is then as it was before.
    void recall(const PastTurn & turn, CancelToken & cancel);

    /// What there is to the conversation besides keys and values. Gives up an unfinished turn.
    Snapshot snapshot();

    /// Makes this the conversation of a snapshot, once write_context() has written all keys and values.
    /// @throws MossError MOSS_INVALID_ARGUMENT if the snapshot does not fit the model or itself, MOSS_PROMPT_TOO_LONG
    /// if it is longer than the context, MOSS_OUT_OF_MEMORY.
    void restore(const Snapshot & snapshot);

    /// The keys and values of a block at `count` positions from `begin` on, as they are stored.
    /// @throws MossError MOSS_INVALID_ARGUMENT for positions that the context does not hold.
    std::vector<uint8_t> read_context(size_t block, int begin, int count) const;

    /// Writes what read_context() has returned. @throws MossError MOSS_INVALID_ARGUMENT
    void write_context(size_t block, int begin, const std::vector<uint8_t> & bytes);

    /// Positions of the context in use.
    int length() const;

    /// What has been removed so far because the context was full.
    Dropped dropped() const;

    /// Bytes that the session has allocated so far for the KV cache, the encoder's state and computations.
    size_t bytes() const;

    /// Forgets the conversation.
    void reset();

  private:
    struct State;
    Turn & fed_turn();
    std::unique_ptr<State> state_;
};

/// Tells how probable it is that somebody speaks, while audio arrives. To be used by one thread at a time.
class SpeechDetector {
  public:
    /// @throws MossError MOSS_UNSUPPORTED if the model has no voice activity network.
    explicit SpeechDetector(std::shared_ptr<const Model> model);
    ~SpeechDetector();
    SpeechDetector(SpeechDetector &&) noexcept;
    SpeechDetector & operator=(SpeechDetector &&) noexcept;

    /// Takes the next samples, 16 kHz mono and any number of them. Returns a probability for each window of
    /// ModelInfo::vad_window samples that has become complete. An error or a cancellation resets it.
    /// @throws MossError MOSS_INVALID_ARGUMENT for samples that are not finite; MOSS_ABORTED or MOSS_OUT_OF_MEMORY.
    std::vector<float> push(const std::vector<float> & samples, CancelToken & cancel);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace moss
