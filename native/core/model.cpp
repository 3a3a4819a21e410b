#include "core/parts.h"

#include "model/feature_decoder.h"
#include "model/vits_decoder.h"
#include "model/vits_voice.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>

namespace moss {

namespace {

/// The default context of imported language models. A longer KV cache is seldom needed and takes much memory;
/// LoadOptions::context_length asks for one.
constexpr int default_context = 4096;

/// The longest recording, in seconds, that is encoded in pieces. All of its samples are in memory, 64 KB a second.
constexpr double longest_recording = 3 * 3600.0;

int default_threads() {
    const int cpus = static_cast<int>(std::thread::hardware_concurrency()); // 0 if unknown
    return std::clamp(cpus / 2, std::min(std::max(cpus, 1), 2), 8);
}

/// The networks that a bundle may have, in the order in which data passes them, and the key whose presence tells that
/// it has the network. Without the key, the network would silently not be loaded. An encoder belongs to its front end,
/// and a generator to its decoder: they are always loaded with them.
constexpr struct {
    const char *name, *key;
} networks[] = {
    {"vad", "moss-speech.vad.window_length"},
    {"frontend", "moss-speech.frontend.channels"},
    {"tone", "moss-speech.tone.hidden"},
    {"encoder", "moss-speech.frontend.channels"},
    {"endpoint", "moss-speech.endpoint.hidden"},
    {"aligner", "moss-speech.aligner.block_count"},
    {"lm", "moss-speech.lm.embedding_length"},
    {"decoder", "moss-speech.decoder.sample_rate"},
    {"generator", "moss-speech.decoder.feature_size"},
    {"voice", "moss-speech.voice.sample_rate"},
};

std::string component_of(const std::string & tensor) {
    for (const auto & network : networks) {
        if (tensor.rfind(network.name + std::string("."), 0) == 0) {
            return network.name;
        }
    }
    return "lm"; // blk.*, text.*, audio.*
}

std::vector<ComponentInfo> components(const GgufFile & file) {
    std::map<std::string, ComponentInfo> found;
    std::map<std::string, std::map<std::string, uint64_t>> bytes; // by component and type
    for (const TensorInfo & tensor : file.tensors()) {
        const std::string name = component_of(tensor.name);
        uint64_t elements = 1;
        for (const int64_t size : tensor.shape) {
            elements *= static_cast<uint64_t>(size);
        }
        found[name].parameters += elements;
        found[name].bytes += tensor.bytes;
        bytes[name][ggml_type_name(tensor.type)] += tensor.bytes;
    }
    std::vector<ComponentInfo> ordered;
    for (const auto & [network_name, key] : networks) {
        const std::string name = network_name;
        if (found.count(name) == 0) {
            continue;
        }
        ComponentInfo & component = found[name];
        component.name = name;
        for (const auto & [type, size] : bytes[name]) {
            component.types.push_back(type);
        }
        std::sort(component.types.begin(), component.types.end(),
                  [&](const std::string & a, const std::string & b) { return bytes[name][a] > bytes[name][b]; });
        std::transform(component.types.begin(), component.types.end(), component.types.begin(), [](std::string type) {
            std::transform(type.begin(), type.end(), type.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
            return type;
        });
        ordered.push_back(component);
    }
    return ordered;
}

bool has_network(const GgufFile & file, const char * name) {
    const auto is_it = [&](const auto & network) { return std::strcmp(network.name, name) == 0; };
    return file.has(std::find_if(std::begin(networks), std::end(networks), is_it)->key);
}

/// Rejects a bundle that has the tensors of a network but not its keys.
void check_keys(const GgufFile & file, const std::vector<ComponentInfo> & components) {
    for (const auto & [component, key] : networks) {
        const bool there = std::any_of(components.begin(), components.end(),
                                       [&, name = component](const ComponentInfo & c) { return c.name == name; });
        if (there && !file.has(key)) {
            throw model_format_error(key, "a value, since there are tensors of this network", "none");
        }
    }
}

Sampling load_sampling(const GgufFile & file, bool imported) {
    const std::string prefix = imported ? "general.sampling." : "moss-speech.sampling.";
    Sampling sampling;
    const auto number = [&](const char * name, double low, double high, float & to) {
        if (file.has(prefix + name)) {
            to = static_cast<float>(file.get_float(prefix + name, low, high));
        }
    };
    if (imported) {
        sampling.repetition_penalty = 1; // a penalty would make a long text avoid the words that it is about
    }
    number(imported ? "temp" : "temperature", 0, 2, sampling.temperature);
    number("top_p", 1e-6, 1, sampling.top_p);
    number(imported ? "penalty_repeat" : "repetition_penalty", 1, 2, sampling.repetition_penalty);
    if (file.has(prefix + "top_k")) {
        sampling.top_k = static_cast<int32_t>(file.get_int(prefix + "top_k", 0, 1 << 30));
    }
    return sampling;
}

/// The context length of a session.
int context_length(const LmConfig & lm, int asked) {
    if (asked > lm.context_length) {
        throw MossError(code::invalid_argument,
                        "contextLength: the model was trained for " + std::to_string(lm.context_length) +
                            " positions, not for " + std::to_string(asked),
                        {{"option", "contextLength"}, {"limit", static_cast<double>(lm.context_length)}});
    }
    return asked > 0 ? asked : lm.text_only() ? std::min(lm.context_length, default_context) : lm.context_length;
}

/// How CTC units become text, from the optional keys of encoders whose units are letters.
std::optional<CtcText> load_ctc_text(const GgufFile & file, size_t unit_count) {
    const std::string prefix = "moss-speech.ctc.";
    if (!file.has(prefix + "word_delimiter")) {
        return std::nullopt;
    }
    CtcText ctc;
    ctc.word_delimiter = file.get_string(prefix + "word_delimiter");
    ctc.separator = file.get_string(prefix + "separator");
    ctc.lower_case = file.get_bool(prefix + "lower_case");
    if (file.has(prefix + "special")) {
        const std::vector<int64_t> ids =
            file.get_ints(prefix + "special", 1, static_cast<int64_t>(std::max<size_t>(unit_count, 1)) - 1);
        ctc.special.assign(ids.begin(), ids.end());
    }
    return ctc;
}

/// Loads a decoder and checks that it was made for the units of the bundle.
template <class Decoder>
std::unique_ptr<VoiceModel> load_decoder(const GgufFile & file, const Weights & weights, size_t units) {
    auto decoder = std::make_unique<Decoder>(file, weights);
    if (decoder->config().unit_count != static_cast<int>(units)) {
        throw model_format_error("moss-speech.decoder.unit_count", std::to_string(units),
                                 std::to_string(decoder->config().unit_count));
    }
    return decoder;
}

std::unique_ptr<VoiceModel> load_vits(const GgufFile & file, const Weights & weights, size_t /*units*/) {
    return std::make_unique<VitsVoice>(file, weights);
}

/// The kinds of voices, each with the key whose presence tells that a file has one.
constexpr struct {
    const char * network;
    std::unique_ptr<VoiceModel> (*load)(const GgufFile & file, const Weights & weights, size_t units);
} voice_kinds[] = {
    {"generator", load_decoder<FeatureDecoder>},
    {"decoder", load_decoder<VitsDecoder>},
    {"voice", load_vits},
};

/// The voice of the first kind in the table that the file has; null if it has none.
std::unique_ptr<VoiceModel> load_voice(const GgufFile & file, const Weights & weights, size_t units) {
    for (const auto & kind : voice_kinds) {
        if (has_network(file, kind.network)) {
            return kind.load(file, weights, units);
        }
    }
    return nullptr;
}

} // namespace

void initialize(const std::string & folder) {
    static std::mutex mutex;
    static bool done = false;
    const std::lock_guard<std::mutex> lock(mutex);
    if (!done) {
        load_backends(folder);
        done = true;
    }
}

TurnTemplate TurnTemplate::load(const GgufFile & file, const LmConfig & lm) {
    const auto ids = [&](const std::string & name) {
        const std::string key = "moss-speech.template." + name;
        const std::vector<int64_t> values = file.get_ints(key, 0, lm.text_vocab_size - 1);
        if (values.empty() || values.size() > 64) {
            throw model_format_error(key, "1 to 64 ids", std::to_string(values.size()));
        }
        return std::vector<int32_t>(values.begin(), values.end());
    };
    return {ids("user_prefix"), ids("transcribe_prefix"), ids("assistant_prefix"), ids("turn_end")};
}

Model::Parts::Parts(const GgufFile & file, const std::string & fallback_name, const LoadOptions & options,
                    CancelToken & cancel)
    : pools(std::make_shared<ThreadPools>(options.threads, Device::cpu())), kv_type(options.kv_type),
      kv_memory(std::make_shared<KvMemory>(options.kv_limit)) {
    const Weights tensors(file, pools->device());
    weights = tensors.memory();
    const auto text = [&](const char * key, const std::string & missing) {
        return file.has(key) ? file.get_string(key) : missing;
    };
    info.architecture = file.get_string("general.architecture");
    info.name = text("general.name", fallback_name);
    info.license = text("general.license", "");
    info.description = text("general.description", "");
    info.units = load_units(file);
    info.ctc = load_ctc_text(file, info.units.size());
    info.components = components(file);
    info.threads = options.threads;

    const bool imported = info.architecture != "moss-speech";
    if (!imported) {
        check_keys(file, info.components);
    }
    const auto wanted = [&](const char * name) {
        return has_network(file, name) && (!options.only_vad || std::strcmp(name, "vad") == 0);
    };
    if ((imported && !options.only_vad) || wanted("lm")) {
        lm = std::make_unique<Lm>(file, tensors);
        steps = std::make_unique<StepBatcher>(*lm, pools);
        info.n_ctx = context_length(lm->config(), options.context_length);
        info.max_n_ctx = lm->config().context_length;
        info.sampling = load_sampling(file, imported);
    }
    if (lm && !imported) {
        vocabulary = Vocabulary::load(file, lm->config());
        turn_template = TurnTemplate::load(file, lm->config());
        const auto & token = vocabulary.text;
        info.tokens = {token.im_start, token.im_end, token.sosp, token.modality_pad, token.pad};
        info.tokenizer = vocabulary.tokenizer;
    }
    if (wanted("vad")) {
        vad = std::make_unique<Vad>(file, tensors);
        info.vad_window = vad->config().window_length;
    }
    if (wanted("frontend")) {
        Runner runner(pools);
        const CancelToken::Attach attach(cancel, runner.cancel);
        listener = std::make_unique<Listener>(file, tensors, static_cast<int>(info.units.size()),
                                              lm ? lm->text_embd() : nullptr, runner);
        const FrontendConfig & frontend = listener->frontend().config();
        info.input_sample_rate = frontend.sample_rate;
        info.feature_size = listener->encoder().config().embedding_length;
        info.frame_seconds = static_cast<double>(frontend.hop_length()) / frontend.sample_rate;
        syllables = Syllables::load(file, info.units);
        const Tone * tone = listener->tone();
        if (syllables && tone != nullptr && tone->config().classes != static_cast<int>(tone_classes)) {
            throw model_format_error("moss-speech.tone.classes", std::to_string(tone_classes),
                                     std::to_string(tone->config().classes));
        }
    }
    if (wanted("endpoint") && listener && listener->streamable()) {
        endpoint = std::make_unique<Endpoint>(file, tensors, listener->encoder().config().embedding_length);
        info.ends_turns = lm && listener->aligner() != nullptr;
    }
    if (!options.only_vad) {
        voice = load_voice(file, tensors, info.units.size());
    }
    if (voice) {
        VoiceFacts facts = voice->facts();
        info.sample_rate = facts.sample_rate;
        info.voices = std::move(facts.voices);
        info.default_voice_en = facts.default_voice_en;
        info.default_voice_zh = facts.default_voice_zh;
        info.emotions = std::move(facts.emotions);
        info.voice_text = std::move(facts.text);
    }
    info.finds_speech = vad && listener && !hears_in_windows();
    if (lm && listener && listener->aligner() != nullptr) {
        const FrontendConfig & frontend = listener->frontend().config();
        const int64_t most_positions = info.n_ctx - reply_reserve() - prompt_overhead();
        const int64_t samples =
            most_positions * frontend.hop_length() * listener->aligner()->config().downsample - frontend.tail_padding;
        info.max_turn_seconds = static_cast<double>(std::max<int64_t>(samples, 0)) / frontend.sample_rate;
        if (info.finds_speech) {
            info.max_turn_seconds = std::min<double>(info.max_turn_seconds, vad->config().max_utterance_seconds);
        }
        info.max_input_seconds = info.finds_speech ? longest_recording : info.max_turn_seconds;
    } else if (listener) {
        info.max_input_seconds = info.max_turn_seconds = encode_seconds();
    }
}

double Model::Parts::encode_seconds() const {
    return hears_in_windows() ? longest_recording : 600.0; // 600 seconds take 100 MB
}

int64_t Model::Parts::speech_positions(size_t samples) const {
    const FrontendConfig & frontend = listener->frontend().config();
    const int64_t position = static_cast<int64_t>(frontend.hop_length()) * listener->aligner()->config().downsample;
    return (static_cast<int64_t>(samples) + frontend.tail_padding + position - 1) / position;
}

int Model::Parts::prompt_overhead() const {
    const size_t prefix = std::max(turn_template.user_prefix.size(), turn_template.transcribe_prefix.size());
    const size_t marks = 2; // sosp, eosp
    return static_cast<int>(prefix + turn_template.assistant_prefix.size() + turn_template.turn_end.size() + marks);
}

int Model::Parts::chunk_size() const {
    return listener->streamable() ? listener->encoder().config().chunk_size : 0;
}

Model::Model(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}

Model::~Model() = default;

const ModelInfo & Model::info() const {
    return parts_->info;
}

namespace {

/// Checks the options and fills in the default number of threads.
LoadOptions checked(LoadOptions options) {
    if (options.threads < 0 || options.threads > 256) {
        throw MossError(code::invalid_argument, "threads: expected 1 to 256",
                        {{"option", "threads"}, {"found", static_cast<double>(options.threads)}});
    }
    options.threads = options.threads > 0 ? options.threads : default_threads();
    return options;
}

} // namespace

std::shared_ptr<const Model> Model::load(const std::string & path, const LoadOptions & options) {
    CancelToken never;
    return load(path, options, never);
}

std::shared_ptr<const Model> Model::load(const std::string & path, const LoadOptions & options, CancelToken & cancel) {
    const std::string name = path.substr(path.find_last_of("/\\") + 1);
    const LoadOptions with_defaults = checked(options);
    GgufFile file = GgufFile::open(path);
    file.before_read = [&cancel] {
        if (cancel.cancelled()) {
            throw MossError(code::aborted, "cancelled");
        }
    };
    return std::shared_ptr<const Model>(new Model(std::make_unique<Parts>(file, name, with_defaults, cancel)));
}

std::shared_ptr<const Model> Model::from_memory(const void * data, size_t size, const LoadOptions & options) {
    CancelToken never;
    return std::shared_ptr<const Model>(
        new Model(std::make_unique<Parts>(GgufFile::from_memory(data, size), "", checked(options), never)));
}

} // namespace moss
