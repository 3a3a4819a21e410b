#include "feature_decoder.h"

#include "../graph/graph.h"
#include "../graph/state.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <utility>

namespace moss {

namespace {

/// In standard deviations: of the teacher's frames below it, 99.7 % are silent, whether they have a pitch or not.
constexpr float silence_energy = -0.6F;

/// The first chunks have so few frames, so that the first audio comes early. With audio, they double up to the option
/// `chunk_frames`: a chunk is computed while the one before is played.
constexpr int first_chunk_frames = 8;

/// Changes the length of silences: tells how often each frame is spoken, so that the silent ones become `factor` times
/// as many. They are all alike, so that nothing is heard of it.
class PauseLengths {
  public:
    explicit PauseLengths(float factor) : factor_(factor) {}

    int copies(bool silent) {
        if (!silent) {
            return 1;
        }
        owed_ += factor_;
        const auto whole = static_cast<int>(owed_);
        owed_ -= static_cast<float>(whole);
        return whole;
    }

  private:
    float factor_;
    float owed_ = 0; // of a frame
};

void require_equal(const char * key, int64_t expected, int64_t found) {
    if (expected != found) {
        throw model_format_error(key, std::to_string(expected), std::to_string(found));
    }
}

std::vector<size_t> indices_of(const std::vector<Voice> & voices, const std::vector<std::string> & names) {
    std::vector<size_t> indices;
    for (const Voice & voice : voices) {
        const auto found = std::find(names.begin(), names.end(), voice.name);
        if (found == names.end()) {
            throw model_format_error("moss-speech.generator.voices", "the decoder's voice " + voice.name,
                                     "no such voice");
        }
        indices.push_back(static_cast<size_t>(found - names.begin()));
    }
    return indices;
}

} // namespace

FeatureDecoder::FeatureDecoder(const GgufFile & file, const Weights & weights)
    : config_(FeatureDecoderConfig::load(file)), voices_(config_, file, weights),
      speaker_(weights, "decoder.speaker", 2 * config_.style_size, config_.gin_channels), units_(config_, weights),
      prosody_(config_, weights), features_(config_, weights), generator_(file, weights),
      generator_voices_(indices_of(voices_.presets().voices, generator_.config().voices)) {
    require_equal("moss-speech.generator.feature_size", config_.feature_size, generator_.config().feature_size);
    require_equal("moss-speech.generator.sample_rate", config_.sample_rate, generator_.config().sample_rate);
    require_equal("moss-speech.decoder.hop_length", generator_.config().hop_length(), config_.hop_length);
}

struct FeatureDecoder::Stream::State {
    State(const FeatureDecoder & features, Runner & graphs, const FeatureDecoderOptions & chosen);

    bool speak();
    void push_features(int count, bool last);
    void push_wave(bool last);
    VoiceMix mix() const;

    const FeatureDecoder & decoder;
    Runner & runner;
    FeatureDecoderOptions options;
    Emotion emotion;
    std::vector<float> shares;  // of the voices
    float level = 1;            // the factor that makes them as loud as the others
    std::vector<float> vectors; // the voice's speaker vector, then its style vector [2 S]

    StreamState slots;
    UnitFrames::Stream units;
    PauseLengths pauses;
    FrameGains gains;
    ProsodyTrunk::Stream prosody;
    GeneratorFeatures::Stream features;
    IstftGenerator::Stream generator;
    std::deque<int> copies;     // for each frame whose features are not known yet, how often the generator reads it
    std::vector<size_t> spoken; // for each frame so far, how many frames of audio end with it
    std::vector<float> ready;   // features [F] of each frame that the generator is to read next
    bool ending = false;        // whether the utterance is finished, and its last frames are not computed
    int growing_chunk = first_chunk_frames;
    std::vector<float> audio; // final samples that next() has not returned
};

FeatureDecoder::Stream::State::State(const FeatureDecoder & features_of, Runner & graphs,
                                     const FeatureDecoderOptions & chosen)
    : decoder(features_of), runner(graphs), options(chosen), emotion(decoder.voices_.check(chosen)),
      shares(decoder.voices_.shares(chosen)), slots(graphs.device()), units(features_of.units_, graphs, slots),
      pauses(chosen.pause), gains(features_of.config_.hop_length), prosody(features_of.config_, slots),
      features(features_of.features_, slots), generator(features_of.generator_, slots, mix()) {
    require_argument(chosen.pause >= 0.0F && chosen.pause <= 4.0F, "pause must be between 0 and 4");
    const std::vector<float> & levels = decoder.voices_.presets().gains;
    level = std::inner_product(shares.begin(), shares.end(), levels.begin(), 0.0F);
    vectors = decoder.voices_.speaker(shares);
    const std::vector<float> style = decoder.voices_.style(shares);
    vectors.insert(vectors.end(), style.begin(), style.end());
    units.set_voice(style, options.speed * emotion.speed);
    slots.allocate();
}

/// The shares in the order of the generator's voices.
VoiceMix FeatureDecoder::Stream::State::mix() const {
    VoiceMix mix(decoder.generator_.config().voices.size(), 0.0F);
    for (size_t voice = 0; voice < shares.size(); voice++) {
        mix[decoder.generator_voices_[voice]] += shares[voice];
    }
    return mix;
}

/// Computes the next chunk of frames, or with the end of the utterance all remaining frames. Returns false if there are
/// too few frames.
bool FeatureDecoder::Stream::State::speak() {
    const int chunk = std::min(options.chunk_frames, growing_chunk);
    const bool more = units.frames() > chunk; // the last frame must be in a call that says so
    if (more || (!ending && units.frames() == chunk)) {
        push_features(chunk, false);
        push_wave(false);
        return true;
    }
    if (!std::exchange(ending, false)) {
        return false;
    }
    push_features(static_cast<int>(units.frames()), true);
    push_wave(true);
    return true;
}

/// Predicts the prosody of the next `count` frames, and computes the generator's features of the frames whose following
/// frames are known.
void FeatureDecoder::Stream::State::push_features(int count, bool last) {
    const FeatureDecoderConfig & config = decoder.config_;
    const std::vector<float> & expanded = units.take(count);
    std::vector<float> pitch, voicing, energy, computed;
    Graph g(runner);
    ggml_tensor * x = count == 0 ? nullptr : g.input(GGML_TYPE_F32, {config.hidden_size + 2, count}, expanded.data());
    const ProsodyTrunk::Output trunk = decoder.prosody_.push(g, prosody, x, emotion, units.shifts(), last);
    x = trunk.hidden;
    if (x != nullptr) {
        ggml_tensor * voiced = ggml_step(g, trunk.voicing_logit); // 0 or 1 [1, T]
        g.output(trunk.pitch, pitch);
        g.output(voiced, voicing);
        g.output(trunk.energy, energy);
        x = ggml_concat(g, x, ggml_mul(g, trunk.pitch, voiced), 0);
        x = ggml_concat(g, ggml_concat(g, x, voiced, 0), trunk.energy, 0); // [C + 3, T]
    }
    ggml_tensor * speaker = g.input(GGML_TYPE_F32, {2 * config.style_size}, vectors.data());
    speaker = gelu(g, decoder.speaker_(g, speaker)); // [G]
    x = decoder.features_.push(g, features, x, speaker, last);
    if (x != nullptr) {
        g.output(x, computed);
    }
    g.run();
    std::vector<float> f0; // Hz
    for (size_t i = 0; i < pitch.size(); i++) {
        const bool voiced = voicing[i] > 0;
        const UnitFrames::Stream::Trait trait = units.traits().front();
        units.traits().pop_front();
        const int times = pauses.copies(trait.at_pause && energy[i] - emotion.energy_shift < silence_energy);
        copies.push_back(times);
        spoken.push_back((spoken.empty() ? 0 : spoken.back()) + static_cast<size_t>(times));
        gains.push(trait.gain * level, times);
        f0.insert(f0.end(), static_cast<size_t>(times),
                  voiced ? std::exp(pitch[i] * config.log_f0_std + config.log_f0_mean) : 0);
    }
    generator.source().push(f0.data(), static_cast<int64_t>(f0.size()), last);
    ready.clear();
    for (auto frame = computed.begin(); frame != computed.end(); frame += config.feature_size) {
        for (int times = copies.front(); times > 0; times--) {
            ready.insert(ready.end(), frame, frame + config.feature_size);
        }
        copies.pop_front();
    }
}

/// Turns the features into audio, as far as it becomes final.
void FeatureDecoder::Stream::State::push_wave(bool last) {
    const int64_t size = decoder.config_.feature_size, count = static_cast<int64_t>(ready.size()) / size;
    std::vector<float> wave;
    Graph g(runner);
    ggml_tensor * x = count == 0 ? nullptr : g.input(GGML_TYPE_F32, {size, count}, ready.data());
    x = decoder.generator_.push(g, generator, x, last); // [1, hop T]
    if (x != nullptr) {
        g.output(x, wave);
    }
    g.run();
    gains.apply(wave);
    growing_chunk *= wave.empty() || growing_chunk >= options.chunk_frames ? 1 : 2;
    audio.insert(audio.end(), wave.begin(), wave.end());
}

FeatureDecoder::Stream::Stream(const FeatureDecoder & decoder, Runner & runner, const FeatureDecoderOptions & options)
    : state_(std::make_unique<State>(decoder, runner, options)) {}
FeatureDecoder::Stream::~Stream() = default;

void FeatureDecoder::Stream::push(const int32_t * units, size_t count, const UnitProsody * prosody) {
    state_->units.push(units, count, prosody);
}

void FeatureDecoder::Stream::finish() {
    state_->ending = state_->units.finish();
}

std::vector<float> FeatureDecoder::Stream::next() {
    while (state_->audio.empty() && state_->speak()) {
    }
    return std::exchange(state_->audio, {});
}

const std::vector<int> & FeatureDecoder::Stream::durations() const {
    return state_->units.durations();
}

std::vector<size_t> FeatureDecoder::Stream::ends() const {
    const auto hop = static_cast<size_t>(state_->decoder.config_.hop_length);
    std::vector<size_t> ends;
    for (const size_t sample : state_->units.ends()) { // as if no silence became longer or shorter
        const size_t frames = sample / hop;
        if (frames > state_->spoken.size()) {
            break;
        }
        ends.push_back(state_->spoken[frames - 1] * hop);
    }
    return ends;
}

VoiceFacts FeatureDecoder::facts() const {
    VoiceFacts facts = voices_.presets().facts(config_.sample_rate);
    facts.mixes_voices = true;
    facts.scales_pauses = true;
    return facts;
}

std::unique_ptr<VoiceStream> FeatureDecoder::open(Runner & runner, const Speaking & speaking, uint64_t /*seed*/) const {
    FeatureDecoderOptions options; // no seed and no noise scale, because there is no noise
    options.take(speaking);
    options.pause = speaking.pause;
    return std::make_unique<Stream>(*this, runner, options);
}

} // namespace moss
