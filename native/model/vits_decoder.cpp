#include "vits_decoder.h"

#include "noise.h"

#include "../graph/graph.h"
#include "../graph/state.h"
#include "../graph/window.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

namespace moss {

namespace {

constexpr size_t least_units = 4;  // a graph for fewer units would cost more time than starting earlier saves
constexpr size_t most_units = 256; // the most units in a graph, which bounds its memory
constexpr int longest_unit = 10;   // seconds
const float semitone = std::log(2.0F) / 12;

void require(bool condition, const std::string & what) {
    if (!condition) {
        throw MossError(code::invalid_argument, what);
    }
}

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
    : config_(DecoderConfig::load(file)), presets_(DecoderPresets::load(file)),
      speakers_(
          weights.get_f32("decoder.voice.speaker", {config_.style_size, static_cast<int64_t>(presets_.voices.size())})),
      styles_(
          weights.get_f32("decoder.voice.style", {config_.style_size, static_cast<int64_t>(presets_.voices.size())})),
      speaker_(weights, "decoder.speaker", config_.style_size, config_.gin_channels), text_(config_, weights),
      duration_(config_, weights), prosody_(config_, weights), flow_(flow_shape(config_), weights, "decoder.flow"),
      generator_(config_, weights, flow_.reverses()) {
    Weights::check_state("moss-speech.decoder.mask_left",
                         double(config_.block_count) * (double(config_.mask_left) + config_.mask_right) *
                             config_.hidden_size * 2 * sizeof(float),
                         weights.bytes("decoder."));
}

int VitsDecoder::lookahead_units() const {
    return text_.lookahead() + DurationPredictor::lookahead;
}

struct VitsDecoder::Stream::State {
    State(const VitsDecoder & vits, Runner & graphs, const DecoderOptions & chosen);

    void push_text(size_t count, bool last);
    void push_prosody(int count, bool last);
    void push_wave(bool last, std::vector<float> & audio);
    void expand(int count);
    void speak(std::vector<float> & audio, bool last);

    /// A unit some of whose frames have not been computed.
    struct Unit {
        std::vector<float> hidden; // [C]
        UnitProsody prosody;
        int frames = 0; // 0 if not predicted yet
        int done = 0;
    };

    const VitsDecoder & decoder;
    Runner & runner;
    DecoderOptions options;
    Emotion emotion;
    std::vector<float> speaker, style; // [S]

    StreamState slots;
    UnitEncoder::Stream text;
    DurationPredictor::Stream duration;
    Prosody::Stream prosody;
    Flow::Stream flow;
    Generator::Stream generator;
    Excitation excitation;

    std::vector<int32_t> ids;        // units that have not been encoded
    std::deque<UnitProsody> waiting; // of units that have not left the encoder
    PitchShifts shifts;
    FrameGains gains;
    UnitProsody last_prosody;    // of the last unit that was pushed
    std::deque<Unit> units;      // the units that have left the encoder
    size_t predicted = 0;        // how many of these, from the front, have a duration
    int64_t frames = 0;          // of units with a duration, not computed yet
    int64_t noise_frame = 0;     // the next frame for which noise is drawn
    std::vector<float> prior;    // samples of the prior, [Z] for each frame of a graph
    std::vector<float> expanded; // [C + 2] for each frame of a graph
    std::vector<int> durations;
    bool started = false;
    bool finished = false;
};

VitsDecoder::Stream::State::State(const VitsDecoder & vits, Runner & graphs, const DecoderOptions & chosen)
    : decoder(vits), runner(graphs), options(chosen), slots(graphs.device()), text(vits.config_, slots),
      duration(vits.config_, slots), prosody(vits.config_, slots), flow(vits.flow_, slots),
      generator(vits.generator_, slots), excitation(vits.config_, chosen.seed, vits.generator_.source_context()),
      gains(vits.config_.hop_length) {
    require(chosen.voice >= 0 && static_cast<size_t>(chosen.voice) < vits.voices().size(), "no such voice");
    require(chosen.emotion >= 0 && static_cast<size_t>(chosen.emotion) < vits.emotions().size(), "no such emotion");
    require(chosen.speed >= 0.25F && chosen.speed <= 4.0F, "speed must be between 0.25 and 4");
    require(chosen.noise_scale >= 0.0F && chosen.noise_scale <= 2.0F, "noise_scale must be between 0 and 2");
    require(chosen.chunk_frames >= 1 && chosen.chunk_frames <= 4096, "chunk_frames must be between 1 and 4096");
    emotion = vits.emotions()[static_cast<size_t>(chosen.emotion)];
    const auto size = static_cast<size_t>(vits.config_.style_size);
    const auto vector = [&](const ggml_tensor * table) {
        std::vector<float> values(size);
        ggml_backend_tensor_get(table, values.data(), static_cast<size_t>(chosen.voice) * table->nb[1],
                                size * sizeof(float));
        return values;
    };
    speaker = vector(vits.speakers_);
    style = vector(vits.styles_);
    slots.allocate();
}

/// Encodes the next `count` units and predicts the durations of those units whose look-ahead is complete.
void VitsDecoder::Stream::State::push_text(size_t count, bool last) {
    const int64_t channels = decoder.config_.hidden_size;
    std::vector<float> hidden;
    std::vector<float> log_durations;
    Graph g(runner);
    ggml_tensor * input = count == 0 ? nullptr : g.input(GGML_TYPE_I32, {static_cast<int64_t>(count)}, ids.data());
    ggml_tensor * vector = g.input(GGML_TYPE_F32, {decoder.config_.style_size}, style.data());
    ggml_tensor * x = decoder.text_.push(g, text, input, vector, last); // [C, U]
    ggml_tensor * d = decoder.duration_.push(g, duration, x, last);     // [1, U']
    if (x != nullptr) {
        g.output(g.stage(x, "decoder.text"), hidden);
    }
    if (d != nullptr) {
        g.output(d, log_durations);
    }
    g.run();
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
    for (auto row = hidden.begin(); row != hidden.end(); row += channels) {
        units.push_back({{row, row + channels}, waiting.front()});
        waiting.pop_front();
    }
    const double most = static_cast<double>(longest_unit) * decoder.config_.sample_rate / decoder.config_.hop_length;
    for (const float value : log_durations) {
        // Rounds half to even, as torch does; NaN becomes one frame.
        const float speed = options.speed * emotion.speed * units[predicted].prosody.speed;
        const float rounded = std::nearbyint(std::exp(value) / speed);
        const int length = rounded >= 1.0F ? static_cast<int>(std::min<double>(rounded, most)) : 1;
        gains.push(units[predicted].prosody.gain, length);
        units[predicted++].frames = length;
        frames += length;
        durations.push_back(length);
    }
}

/// Expands units to the next `count` frames: each is a copy of its unit's vector, its position in the unit and the
/// length of the unit.
void VitsDecoder::Stream::State::expand(int count) {
    expanded.clear();
    for (int i = 0; i < count; i++) {
        Unit & unit = units.front();
        const auto length = static_cast<float>(unit.frames);
        expanded.insert(expanded.end(), unit.hidden.begin(), unit.hidden.end());
        expanded.push_back((static_cast<float>(unit.done) + 0.5F) / length);
        expanded.push_back(0.1F * length);
        shifts.waiting.push_back(unit.prosody.pitch * semitone / decoder.config_.log_f0_std);
        if (++unit.done == unit.frames) {
            units.pop_front();
            predicted--;
        }
    }
    frames -= count;
}

/// Predicts the prosody of the next `count` frames and samples the prior of those frames for which it is known.
void VitsDecoder::Stream::State::push_prosody(int count, bool last) {
    const DecoderConfig & config = decoder.config_;
    expand(count);
    std::vector<float> stats;
    std::vector<float> pitch;
    std::vector<float> voicing;
    Graph g(runner);
    ggml_tensor * x = count == 0 ? nullptr : g.input(GGML_TYPE_F32, {config.hidden_size + 2, count}, expanded.data());
    const Prosody::Output output = decoder.prosody_.push(g, prosody, x, emotion, shifts, last);
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
    const auto rows = static_cast<int64_t>(prior.size()) / config.flow_size;
    std::vector<float> wave;
    Graph g(runner);
    ggml_tensor * x = rows == 0 ? nullptr : g.input(GGML_TYPE_F32, {config.flow_size, rows}, prior.data());
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
    while (frames > options.chunk_frames || (!last && frames == options.chunk_frames)) {
        push_prosody(options.chunk_frames, false);
        push_wave(false, audio);
    }
    if (last) {
        push_prosody(static_cast<int>(frames), true);
        push_wave(true, audio);
    }
}

VitsDecoder::Stream::Stream(const VitsDecoder & decoder, Runner & runner, const DecoderOptions & options)
    : state_(std::make_unique<State>(decoder, runner, options)) {}
VitsDecoder::Stream::~Stream() = default;
VitsDecoder::Stream::Stream(Stream &&) noexcept = default;
VitsDecoder::Stream & VitsDecoder::Stream::operator=(Stream &&) noexcept = default;

std::vector<float> VitsDecoder::Stream::push(const int32_t * units, size_t count, const UnitProsody * prosody) {
    State & s = *state_;
    const DecoderConfig & config = s.decoder.config_;
    require(!s.finished, "the stream is finished");
    require(std::all_of(units, units + count, [&](int32_t id) { return id >= 0 && id < config.unit_count; }),
            "units must be between 0 and " + std::to_string(config.unit_count - 1));
    if (!s.started && count > 0 && config.edge_unit >= 0) {
        s.ids.push_back(config.edge_unit);
        s.waiting.push_back(prosody == nullptr ? UnitProsody() : prosody[0]);
    }
    s.started = s.started || count > 0;
    std::vector<float> audio;
    for (size_t i = 0; i < count; i++) {
        s.ids.push_back(units[i]);
        s.waiting.push_back(s.last_prosody = prosody == nullptr ? UnitProsody() : prosody[i]);
        if (s.ids.size() == most_units || (i + 1 == count && s.ids.size() >= least_units)) {
            s.push_text(s.ids.size(), false);
            s.speak(audio, false);
        }
    }
    return audio;
}

std::vector<float> VitsDecoder::Stream::finish() {
    State & s = *state_;
    require(!s.finished, "the stream is finished");
    s.finished = true;
    std::vector<float> audio;
    if (s.started) {
        if (s.decoder.config_.edge_unit >= 0) {
            s.ids.push_back(s.decoder.config_.edge_unit);
            s.waiting.push_back(s.last_prosody);
        }
        s.push_text(s.ids.size(), true);
        s.speak(audio, true);
    }
    return audio;
}

const std::vector<int> & VitsDecoder::Stream::durations() const {
    return state_->durations;
}

VoiceFacts VitsDecoder::facts() const {
    VoiceFacts facts;
    facts.sample_rate = config_.sample_rate;
    facts.voices = presets_.voices;
    facts.default_voice_en = presets_.default_voice_en;
    facts.default_voice_zh = presets_.default_voice_zh;
    for (const Emotion & emotion : presets_.emotions) {
        facts.emotions.push_back(emotion.name);
    }
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

      private:
        void append(const std::vector<float> & samples) { audio_.insert(audio_.end(), samples.begin(), samples.end()); }

        Stream stream_;
        std::vector<float> audio_;
    };
    DecoderOptions options;
    options.voice = speaking.voice;
    options.speed = speaking.speed;
    options.emotion = speaking.emotion;
    options.noise_scale = speaking.noise_scale.value_or(options.noise_scale);
    options.seed = seed;
    return std::make_unique<Units>(*this, runner, options);
}

} // namespace moss
