#include "vits_decoder.h"

#include "noise.h"

#include "../graph/graph.h"
#include "../graph/state.h"
#include "../graph/window.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace moss {

namespace {

FlowShape flow_shape(const DecoderConfig & config) {
    FlowShape shape;
    shape.channels = config.flow_size;
    shape.count = config.flow_count;
    shape.hidden = config.wavenet_hidden;
    shape.layers = config.wavenet_layers;
    shape.kernel = config.wavenet_kernel;
    shape.speaker = config.gin_channels;
    return shape;
}

} // namespace

VitsDecoder::VitsDecoder(const GgufFile & file, const Weights & weights)
    : config_(DecoderConfig::load(file)), voices_(config_, file, weights),
      speaker_(weights, "decoder.speaker", config_.style_size, config_.gin_channels), units_(config_, weights),
      prosody_(config_, weights), flow_(flow_shape(config_), weights, "decoder.flow"),
      generator_(config_, weights, flow_.reverses()) {}

struct VitsDecoder::Stream::State {
    State(const VitsDecoder & vits, Runner & graphs, const DecoderOptions & chosen);

    void push_prosody(int count, bool last);
    void push_wave(bool last, std::vector<float> & audio);
    void speak(std::vector<float> & audio, bool last);

    const VitsDecoder & decoder;
    Runner & runner;
    DecoderOptions options;
    Emotion emotion;
    std::vector<float> speaker; // [S]

    StreamState slots;
    UnitFrames::Stream units;
    Prosody::Stream prosody;
    Flow::Stream flow;
    Generator::Stream generator;
    Excitation excitation;

    FrameGains gains;         // of the frames so far
    int64_t noise_frame = 0;  // the next frame for which noise is drawn
    std::vector<float> prior; // samples of the prior, [Z] for each frame of a graph
};

VitsDecoder::Stream::State::State(const VitsDecoder & vits, Runner & graphs, const DecoderOptions & chosen)
    : decoder(vits), runner(graphs), options(chosen), slots(graphs.device()), units(vits.units_, graphs, slots),
      prosody(vits.config_, slots), flow(vits.flow_, slots), generator(vits.generator_, slots),
      excitation(vits.config_, chosen.seed, vits.generator_.source_context()), gains(vits.config_.hop_length) {
    emotion = vits.voices_.check(chosen);
    require_argument(chosen.noise_scale >= 0.0F && chosen.noise_scale <= 2.0F, "noise_scale must be between 0 and 2");
    const std::vector<float> shares = vits.voices_.shares(chosen);
    speaker = vits.voices_.speaker(shares);
    units.set_voice(vits.voices_.style(shares), chosen.speed * emotion.speed);
    slots.allocate();
}

/// Predicts the prosody of the next `count` frames and samples the prior of those frames for which it is known.
void VitsDecoder::Stream::State::push_prosody(int count, bool last) {
    const DecoderConfig & config = decoder.config_;
    const std::vector<float> & expanded = units.take(count);
    for (; !units.traits().empty(); units.traits().pop_front()) {
        gains.push(units.traits().front().gain, 1);
    }
    std::vector<float> stats;
    std::vector<float> pitch;
    std::vector<float> voicing;
    Graph g(runner);
    ggml_tensor * x = count == 0 ? nullptr : g.input(GGML_TYPE_F32, {config.hidden_size + 2, count}, expanded.data());
    const Prosody::Output output = decoder.prosody_.push(g, prosody, x, emotion, units.shifts(), last);
    if (output.pitch != nullptr && config.source) {
        g.output(output.pitch, pitch);
        g.output(output.voicing, voicing);
    }
    if (output.stats != nullptr) {
        g.stage(channels_of(g, output.stats, 0, config.flow_size), "decoder.prior_mean");
        g.stage(channels_of(g, output.stats, config.flow_size, config.flow_size), "decoder.prior_log_scale");
        g.output(output.stats, stats);
    }
    g.run();
    for (size_t i = 0; i < pitch.size(); i++) {
        excitation.push(pitch[i], voicing[i]);
    }
    const auto size = static_cast<size_t>(config.flow_size);
    prior.resize(stats.size() / 2);
    for (size_t frame = 0; frame < stats.size() / (2 * size); frame++) {
        const float * mean = stats.data() + 2 * size * frame;
        float * z = prior.data() + size * frame;
        normal_noise(options.seed, NoiseUse::prior, noise_frame++, config.flow_size, z);
        for (size_t i = 0; i < size; i++) {
            z[i] = mean[i] + z[i] * std::exp(mean[size + i]) * options.noise_scale;
        }
    }
}

/// Turns the samples of the prior into audio, as far as it becomes final.
void VitsDecoder::Stream::State::push_wave(bool last, std::vector<float> & audio) {
    const DecoderConfig & config = decoder.config_;
    const auto frames = static_cast<int64_t>(prior.size()) / config.flow_size;
    std::vector<float> wave;
    Graph g(runner);
    ggml_tensor * x = frames == 0 ? nullptr : g.input(GGML_TYPE_F32, {config.flow_size, frames}, prior.data());
    ggml_tensor * vector = g.input(GGML_TYPE_F32, {config.style_size}, speaker.data());
    ggml_tensor * condition = decoder.speaker_(g, vector); // [G]
    x = decoder.flow_.push(g, flow, x, condition, last);
    if (x != nullptr) {
        g.stage(x, "decoder.z");
    }
    x = decoder.generator_.push(g, generator, x, condition, excitation, last); // [1, hop T]
    if (x != nullptr) {
        g.output(x, wave);
    }
    g.run();
    gains.apply(wave);
    audio.insert(audio.end(), wave.begin(), wave.end());
}

/// Computes the frames that fill whole chunks, or with `last` all of them.
void VitsDecoder::Stream::State::speak(std::vector<float> & audio, bool last) {
    while (units.frames() > options.chunk_frames || (!last && units.frames() == options.chunk_frames)) {
        push_prosody(options.chunk_frames, false);
        push_wave(false, audio);
    }
    if (last) {
        push_prosody(static_cast<int>(units.frames()), true);
        push_wave(true, audio);
    }
}

VitsDecoder::Stream::Stream(const VitsDecoder & decoder, Runner & runner, const DecoderOptions & options)
    : state_(std::make_unique<State>(decoder, runner, options)) {}
VitsDecoder::Stream::~Stream() = default;
VitsDecoder::Stream::Stream(Stream &&) noexcept = default;
VitsDecoder::Stream & VitsDecoder::Stream::operator=(Stream &&) noexcept = default;

std::vector<float> VitsDecoder::Stream::push(const int32_t * units, size_t count, const UnitProsody * prosody) {
    std::vector<float> audio;
    state_->units.push(units, count, prosody, [&] { state_->speak(audio, false); });
    return audio;
}

std::vector<float> VitsDecoder::Stream::finish() {
    std::vector<float> audio;
    if (state_->units.finish()) {
        state_->speak(audio, true);
    }
    return audio;
}

const std::vector<int> & VitsDecoder::Stream::durations() const {
    return state_->units.durations();
}

std::vector<size_t> VitsDecoder::Stream::ends() const {
    return state_->units.ends();
}

VoiceFacts VitsDecoder::facts() const {
    VoiceFacts facts = voices_.presets().facts(config_.sample_rate);
    facts.mixes_voices = true;
    return facts;
}

std::unique_ptr<VoiceStream> VitsDecoder::open(Runner & runner, const Speaking & speaking, uint64_t seed) const {
    class Units : public VoiceStream {
      public:
        Units(const VitsDecoder & decoder, Runner & runner, const DecoderOptions & options)
            : stream_(decoder, runner, options) {}
        void push(const int32_t * units, size_t count, const UnitProsody * prosody) override {
            append(stream_.push(units, count, prosody));
        }
        void finish() override { append(stream_.finish()); }
        std::vector<float> next() override { return std::exchange(audio_, {}); }
        std::vector<size_t> ends() const override { return stream_.ends(); }

      private:
        void append(const std::vector<float> & samples) { audio_.insert(audio_.end(), samples.begin(), samples.end()); }

        Stream stream_;
        std::vector<float> audio_;
    };
    DecoderOptions options;
    options.take(speaking);
    options.noise_scale = speaking.noise_scale.value_or(options.noise_scale);
    options.seed = seed;
    return std::make_unique<Units>(*this, runner, options);
}

} // namespace moss
