#include "vits_voice.h"

#include "noise.h"

#include "../graph/graph.h"
#include "../graph/state.h"
#include "../io/error.h"

#include <algorithm>
#include <cmath>

namespace moss {

namespace {

constexpr double longest_unit = 10; // seconds

// The frames in a piece of the flow: the first piece, and all others. The weights of the flow do not fit into the cache
// and are read from memory for every piece, so pieces must be long, however few frames the caller wants at a time.
constexpr int64_t first_flow_frames = 128;
constexpr int64_t flow_frames = 256;

void require(bool condition, const char * option, const std::string & expected) {
    if (!condition) {
        throw MossError(code::invalid_argument, std::string(option) + ": expected " + expected,
                        {{"option", option}, {"expected", expected}});
    }
}

FlowShape flow_shape(const VoiceConfig & config) {
    FlowShape shape;
    shape.channels = config.flow_size;
    shape.count = config.flow_count;
    shape.hidden = config.wavenet_hidden;
    shape.layers = config.wavenet_layers;
    shape.kernel = config.wavenet_kernel;
    shape.dilation_rate = config.wavenet_dilation_rate;
    shape.speaker = config.gin_channels;
    return shape;
}

} // namespace

VoiceOptions VoiceOptions::of(const VoiceConfig & config) {
    VoiceOptions options;
    options.speaker = config.default_speaker;
    options.noise_scale = config.noise_scale;
    options.noise_w = config.noise_w;
    options.length_scale = config.length_scale;
    return options;
}

VitsVoice::VitsVoice(const GgufFile & file, const Weights & weights)
    : config_(VoiceConfig::load(file)), info_(VoiceInfo::load(file, config_)),
      speakers_(config_.gin_channels > 0
                    ? weights.get_f32("voice.speaker.weight", {config_.gin_channels, config_.speaker_count})
                    : nullptr),
      text_(config_, weights), duration_(config_, weights), flow_(flow_shape(config_), weights, "voice.flow"),
      generator_(config_, weights, flow_.reverses()) {}

struct VitsVoice::Stream::State {
    State(const VitsVoice & spoken, Runner & graphs, const VoiceOptions & chosen)
        : voice(spoken), runner(graphs), options(chosen), gains(spoken.config_.hop_length()), slots(graphs.device()),
          flow(spoken.flow_, slots), generator(spoken.generator_, slots) {
        slots.allocate();
        if (voice.speakers_ != nullptr) {
            speaker.resize(static_cast<size_t>(voice.config_.gin_channels));
            ggml_backend_tensor_get(voice.speakers_, speaker.data(),
                                    static_cast<size_t>(options.speaker) * voice.speakers_->nb[1],
                                    speaker.size() * sizeof(float));
        }
    }

    ggml_tensor * speaker_input(Graph & g) const {
        return speaker.empty() ? nullptr : g.input(GGML_TYPE_F32, {voice.config_.gin_channels}, speaker.data());
    }

    void encode(const std::vector<int32_t> & ids, const std::vector<UnitProsody> & prosody);
    std::vector<float> draw(int64_t count);
    void push_flow();
    std::vector<float> push_generator();

    const VitsVoice & voice;
    Runner & runner;
    VoiceOptions options;
    FrameGains gains;
    std::vector<float> speaker; // [G]
    StreamState slots;
    Flow::Stream flow;
    VoiceGenerator::Stream generator;

    std::vector<float> stats;   // [2 Z] for each id
    std::vector<int> durations; // frames
    size_t unit = 0;            // the id whose frames are next
    int done = 0;               // frames of this id so far
    int64_t frame = 0;          // index of the next frame
    int64_t frames = 0;         // the total
    std::vector<float> ahead;   // outputs of the flow that the generator has not read, [Z] for each frame
    bool ended = false;         // the generator has read all frames
};

void VitsVoice::Stream::State::encode(const std::vector<int32_t> & ids, const std::vector<UnitProsody> & prosody) {
    const VoiceConfig & config = voice.config_;
    const auto count = static_cast<int64_t>(ids.size());
    std::vector<float> noise[2];
    std::vector<float> log_durations;
    Graph g(runner);
    const VoiceText::Output text = voice.text_(g, g.input(GGML_TYPE_I32, {count}, ids.data()));
    ggml_tensor * inputs[2] = {};
    if (config.stochastic) {
        for (int64_t i = 0; i < count; i++) {
            float values[2];
            normal_noise(options.seed, NoiseUse::duration, i, 2, values);
            noise[0].push_back(values[0] * options.noise_w);
            noise[1].push_back(values[1] * options.noise_w);
        }
        inputs[0] = g.input(GGML_TYPE_F32, {1, count}, noise[0].data());
        inputs[1] = g.input(GGML_TYPE_F32, {1, count}, noise[1].data());
    }
    g.output(text.stats, stats);
    g.output(voice.duration_(g, text.hidden, speaker_input(g), inputs), log_durations);
    g.run();
    const double most = longest_unit * config.sample_rate / config.hop_length();
    for (const float value : log_durations) {
        const float speed = options.speed * (prosody.empty() ? 1.0F : prosody[durations.size()].speed);
        const float length = std::ceil(std::exp(value) * (options.length_scale / speed));
        durations.push_back(length > 0.0F ? static_cast<int>(std::min<double>(length, most))
                                          : 0); // NaN becomes no frames
        frames += durations.back();
    }
    if (frames == 0) { // all durations are 0
        frames = durations.back() = 1;
    }
    for (size_t i = 0; i < durations.size(); i++) {
        gains.push(prosody.empty() ? 1.0F : prosody[i].gain, durations[i]);
    }
}

/// Samples the prior of the next `count` frames, [Z] for each.
std::vector<float> VitsVoice::Stream::State::draw(int64_t count) {
    const auto size = static_cast<size_t>(voice.config_.flow_size);
    std::vector<float> prior(static_cast<size_t>(count) * size);
    for (auto z = prior.begin(); z != prior.end(); z += static_cast<std::ptrdiff_t>(size)) {
        while (done == durations[unit]) {
            unit++;
            done = 0;
        }
        done++;
        const float * mean = stats.data() + 2 * size * unit;
        normal_noise(options.seed, NoiseUse::prior, frame++, voice.config_.flow_size, &*z);
        for (size_t i = 0; i < size; i++) {
            float & value = z[static_cast<std::ptrdiff_t>(i)];
            value = mean[i] + value * std::exp(mean[size + i]) * options.noise_scale;
        }
    }
    return prior;
}

/// Runs the flow for the next frames of the prior.
void VitsVoice::Stream::State::push_flow() {
    const int64_t size = voice.config_.flow_size;
    const int64_t least = std::max<int64_t>(options.chunk_frames, frame == 0 ? first_flow_frames : flow_frames);
    const int64_t count = std::min(least, frames - frame);
    const std::vector<float> prior = draw(count);
    std::vector<float> moved;
    Graph g(runner);
    ggml_tensor * x = g.input(GGML_TYPE_F32, {size, count}, prior.data());
    x = voice.flow_.push(g, flow, x, speaker_input(g), frame == frames);
    if (x != nullptr) {
        g.output(g.stage(x, "voice.z"), moved);
    }
    g.run();
    ahead.insert(ahead.end(), moved.begin(), moved.end());
}

/// Turns a chunk of the flow's frames, or the rest of them, into audio, as far as it becomes final.
std::vector<float> VitsVoice::Stream::State::push_generator() {
    const int64_t size = voice.config_.flow_size;
    const int64_t count = std::min<int64_t>(options.chunk_frames, static_cast<int64_t>(ahead.size()) / size);
    const auto end = ahead.begin() + static_cast<std::ptrdiff_t>(count * size);
    ended = frame == frames && end == ahead.end();
    std::vector<float> audio;
    Graph g(runner);
    ggml_tensor * x = g.input(GGML_TYPE_F32, {size, count}, ahead.data());
    x = voice.generator_.push(g, generator, x, speaker_input(g), ended); // [1, hop T]
    if (x != nullptr) {
        g.output(x, audio);
    }
    g.run();
    ahead.erase(ahead.begin(), end);
    gains.apply(audio);
    return audio;
}

VitsVoice::Stream::Stream(const VitsVoice & voice, Runner & runner, const std::vector<int32_t> & ids,
                          const VoiceOptions & options, const std::vector<UnitProsody> & prosody) {
    const VoiceConfig & config = voice.config_;
    require(!ids.empty() && ids.size() <= max_ids, "units", "1 to " + std::to_string(max_ids) + " of them");
    require(std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return id >= 0 && id < config.vocab_size; }), "units",
            "ids from 0 to " + std::to_string(config.vocab_size - 1));
    require(options.speaker >= 0 && options.speaker < config.speaker_count, "voice",
            "0 to " + std::to_string(config.speaker_count - 1));
    require(options.speed >= 0.25F && options.speed <= 4.0F, "speed", "0.25 to 4");
    require(options.noise_scale >= 0.0F && options.noise_scale <= 2.0F, "noiseScale", "0 to 2");
    require(options.noise_w >= 0.0F && options.noise_w <= 2.0F, "noiseW", "0 to 2");
    require(options.length_scale >= 0.1F && options.length_scale <= 10.0F, "lengthScale", "0.1 to 10");
    require(options.chunk_frames >= 1 && options.chunk_frames <= 4096, "chunk_frames", "1 to 4096");
    require(prosody.empty() || prosody.size() == ids.size(), "prosody", "one an id");
    if (std::any_of(prosody.begin(), prosody.end(), [](const UnitProsody & p) { return p.pitch != 0.0F; })) {
        throw MossError(code::unsupported, "the pitch of an imported voice cannot be changed",
                        {{"component", "pitch"}});
    }
    state_ = std::make_unique<State>(voice, runner, options);
    state_->encode(ids, prosody);
}

VitsVoice::Stream::~Stream() = default;
VitsVoice::Stream::Stream(Stream &&) noexcept = default;
VitsVoice::Stream & VitsVoice::Stream::operator=(Stream &&) noexcept = default;

std::vector<float> VitsVoice::Stream::next() {
    State & s = *state_;
    std::vector<float> audio;
    while (audio.empty() && !s.ended) {
        const auto chunk = static_cast<size_t>(s.options.chunk_frames) * static_cast<size_t>(s.voice.config_.flow_size);
        while (s.ahead.size() < chunk && s.frame < s.frames) {
            s.push_flow();
        }
        audio = s.push_generator();
    }
    return audio;
}

const std::vector<int> & VitsVoice::Stream::durations() const {
    return state_->durations;
}

VoiceFacts VitsVoice::facts() const {
    VoiceFacts facts;
    facts.sample_rate = config_.sample_rate;
    for (const std::string & speaker : info_.speakers) {
        facts.voices.push_back({speaker, info_.language});
    }
    facts.default_voice_en = facts.default_voice_zh = config_.default_speaker;
    facts.text = info_.text;
    return facts;
}

std::unique_ptr<VoiceStream> VitsVoice::open(Runner & runner, const Speaking & speaking, uint64_t seed) const {
    // Collects the ids of a sentence. Nothing is computed before finish(), because attention sees the whole sentence.
    class Sentence : public VoiceStream {
      public:
        Sentence(const VitsVoice & voice, Runner & runner, const VoiceOptions & options)
            : voice_(voice), runner_(runner), options_(options) {}
        void push(const int32_t * ids, size_t count, const UnitProsody * prosody) override {
            ids_.insert(ids_.end(), ids, ids + count);
            if (prosody != nullptr) {
                prosody_.insert(prosody_.end(), prosody, prosody + count);
            }
        }
        void finish() override { stream_.emplace(voice_, runner_, ids_, options_, prosody_); }
        std::vector<float> next() override { return stream_ ? stream_->next() : std::vector<float>(); }

      private:
        const VitsVoice & voice_;
        Runner & runner_;
        VoiceOptions options_;
        std::vector<int32_t> ids_;
        std::vector<UnitProsody> prosody_;
        std::optional<Stream> stream_;
    };
    VoiceOptions options = VoiceOptions::of(config_);
    options.speaker = speaking.voice;
    options.speed = speaking.speed;
    options.noise_scale = speaking.noise_scale.value_or(options.noise_scale);
    options.noise_w = speaking.noise_w.value_or(options.noise_w);
    options.length_scale = speaking.length_scale.value_or(options.length_scale);
    options.seed = seed;
    return std::make_unique<Sentence>(*this, runner, options);
}

} // namespace moss
