// Conversion of JavaScript values to C++.

#include "addon/values.h"

#include <cmath>
#include <cstring>

namespace moss::addon {

namespace {

MossError wrong(const std::string & what, const std::string & expected) {
    return {code::invalid_argument, what + ": expected " + expected, {{"option", what}, {"expected", expected}}};
}

bool missing(const Napi::Value & value) {
    return value.IsUndefined();
}

template <class Array, class Element>
std::vector<Element> to_vector(const Napi::Value & value, napi_typedarray_type type, const char * what,
                               const char * expected) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
        throw wrong(what, expected);
    }
    const Array array = value.As<Array>();
    const Element * data = array.Data();
    return array.ElementLength() == 0 ? std::vector<Element>()
                                      : std::vector<Element>(data, data + array.ElementLength());
}

/// Returns `convert(value, name)` of a field, or a default value if it is undefined. The field is read only once,
/// because a getter may return something else the next time.
template <class Convert>
auto field(const Napi::Object & object, const char * name, const Convert & convert) {
    const Napi::Value value = object.Get(name);
    return missing(value) ? decltype(convert(value, name))() : convert(value, name);
}

} // namespace

Napi::Object to_object(const Napi::Value & value, const char * what) {
    if (missing(value)) {
        return Napi::Object::New(value.Env());
    }
    if (!value.IsObject()) {
        throw wrong(what, "an object");
    }
    return value.As<Napi::Object>();
}

std::string to_text(const Napi::Value & value, const char * what) {
    if (!value.IsString()) {
        throw wrong(what, "a string");
    }
    return value.As<Napi::String>().Utf8Value();
}

std::vector<float> to_samples(const Napi::Value & value, const char * what) {
    return to_vector<Napi::Float32Array, float>(value, napi_float32_array, what, "a Float32Array");
}

std::vector<uint8_t> to_bytes(const Napi::Value & value, const char * what) {
    return to_vector<Napi::Uint8Array, uint8_t>(value, napi_uint8_array, what, "a Uint8Array");
}

std::vector<int32_t> to_ids(const Napi::Value & value, const char * what) {
    return to_vector<Napi::Int32Array, int32_t>(value, napi_int32_array, what, "an Int32Array");
}

double to_number(const Napi::Value & value, const char * what, double low, double high) {
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
    if (!(number >= low && number <= high)) {
        throw wrong(what, "a number from " + Napi::Number::New(value.Env(), low).ToString().Utf8Value() + " to " +
                              Napi::Number::New(value.Env(), high).ToString().Utf8Value());
    }
    return number;
}

double number_field(const Napi::Object & object, const char * name, double low, double high, double missing_value) {
    const Napi::Value value = object.Get(name);
    return missing(value) ? missing_value : to_number(value, name, low, high);
}

int integer_field(const Napi::Object & object, const char * name, int low, int high, int missing_value) {
    const double number = number_field(object, name, low, high, missing_value);
    if (number != std::floor(number)) {
        throw wrong(name, "an integer");
    }
    return static_cast<int>(number);
}

bool boolean_field(const Napi::Object & object, const char * name, bool missing_value) {
    const Napi::Value value = object.Get(name);
    return missing(value) ? missing_value : value.ToBoolean().Value();
}

std::optional<uint64_t> to_seed(const Napi::Object & object) {
    const double seed = number_field(object, "seed", 0, 9007199254740991.0, NAN);
    if (std::isnan(seed)) {
        return std::nullopt;
    }
    if (seed != std::floor(seed)) {
        throw wrong("seed", "an integer");
    }
    return static_cast<uint64_t>(seed);
}

Speaking to_speaking(const Napi::Object & object) {
    constexpr int any = 1 << 30; // the session checks against the voices and emotions of its model
    Speaking speaking;
    speaking.voice = integer_field(object, "voice", -1, any, speaking.voice);
    speaking.mix = missing(object.Get("mix")) ? std::vector<float>() : to_samples(object.Get("mix"), "mix");
    speaking.speed = static_cast<float>(number_field(object, "speed", 0.5, 2, speaking.speed));
    speaking.pitch = static_cast<float>(number_field(object, "pitch", -12, 12, speaking.pitch));
    speaking.energy = static_cast<float>(number_field(object, "energy", -20, 20, speaking.energy));
    speaking.pause = static_cast<float>(number_field(object, "pause", 0, 4, speaking.pause));
    speaking.emotion = integer_field(object, "emotion", 0, any, speaking.emotion);
    speaking.seed = to_seed(object);
    const auto optional = [&](const char * name, double low, double high) -> std::optional<float> {
        const double number = number_field(object, name, low, high, NAN);
        return std::isnan(number) ? std::nullopt : std::optional(static_cast<float>(number));
    };
    speaking.noise_scale = optional("noiseScale", 0, 2);
    speaking.noise_w = optional("noiseW", 0, 2);
    speaking.length_scale = optional("lengthScale", 0.1, 10);
    return speaking;
}

std::vector<UnitProsody> to_prosody(const Napi::Object & object, size_t units) {
    std::vector<UnitProsody> prosody;
    const auto read = [&](const char * name, float UnitProsody::* field) {
        if (missing(object.Get(name))) {
            return;
        }
        const std::vector<float> values = to_samples(object.Get(name), name);
        if (values.size() != units) {
            throw wrong(name, "one number a unit");
        }
        prosody.resize(units);
        for (size_t i = 0; i < units; i++) {
            prosody[i].*field = values[i];
        }
    };
    read("speeds", &UnitProsody::speed);
    read("pitches", &UnitProsody::pitch);
    read("gains", &UnitProsody::gain);
    return prosody;
}

Sampling to_sampling(const Napi::Object & object, const ModelInfo & info) {
    Sampling sampling = info.sampling;
    sampling.temperature = static_cast<float>(number_field(object, "temperature", 0, 2, sampling.temperature));
    sampling.top_k = integer_field(object, "topK", 0, 1 << 30, sampling.top_k);
    sampling.top_p = static_cast<float>(number_field(object, "topP", 1e-6, 1, sampling.top_p));
    sampling.repetition_penalty =
        static_cast<float>(number_field(object, "repetitionPenalty", 1, 2, sampling.repetition_penalty));
    return sampling;
}

Transcribing to_transcribing(const Napi::Object & object, const ModelInfo & info) {
    Transcribing options;
    options.sampling = to_sampling(object, info);
    options.seed = to_seed(object);
    options.max_tokens = integer_field(object, "maxTokens", 1, 1 << 30, options.max_tokens);
    options.vad = boolean_field(object, "vad", options.vad);
    return options;
}

Network to_network(const Napi::Value & value) {
    const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
    if (name != "encoder" && name != "lm") {
        throw wrong("component", "'encoder' or 'lm'");
    }
    return name == "encoder" ? Network::encoder : Network::lm;
}

PastTurn to_past_turn(const Napi::Value & value) {
    const Napi::Object object = to_object(value, "turn");
    PastTurn turn;
    turn.text = field(object, "textIds", to_ids);
    turn.units = field(object, "units", to_ids);
    turn.reply = field(object, "replyIds", to_ids);
    return turn;
}

Snapshot to_snapshot(const Napi::Value & value) {
    const Napi::Object object = to_object(value, "snapshot");
    Snapshot snapshot;
    snapshot.length = integer_field(object, "length", 0, 1 << 30, 0);
    snapshot.turns = field(object, "turns", to_ids);
    snapshot.ids = field(object, "ids", to_ids);
    const std::vector<uint8_t> random = field(object, "random", to_bytes);
    if (random.size() != sizeof(snapshot.random)) {
        throw wrong("random", "32 bytes");
    }
    std::memcpy(snapshot.random.data(), random.data(), random.size());
    return snapshot;
}

Exercise to_exercise(const Napi::Value & value) {
    const Napi::Object object = to_object(value, "exercise");
    Exercise exercise;
    exercise.samples = field(object, "samples", to_samples);
    exercise.text = field(object, "textIds", to_ids);
    exercise.units = field(object, "units", to_ids);
    exercise.reply = field(object, "replyIds", to_ids);
    return exercise;
}

Request to_request(const Napi::Value & value, const ModelInfo & info) {
    const Napi::Object object = to_object(value, "request");
    Request request;
    request.samples = field(object, "samples", to_samples);
    request.text = field(object, "textIds", to_ids);
    request.stop = field(object, "stopIds", to_ids);
    request.shortened = boolean_field(object, "shortened", request.shortened);
    const Napi::Value output = object.Get("output");
    const std::string name = output.IsString() ? output.As<Napi::String>().Utf8Value() : "";
    if (name != "speech" && name != "text" && name != "both") {
        throw wrong("output", "'speech', 'text' or 'both'");
    }
    request.output = name == "speech" ? Output::speech : name == "text" ? Output::text : Output::both;
    request.speaking = to_speaking(object);
    request.sampling = to_sampling(object, info);
    request.max_seconds = number_field(object, "maxSeconds", 1e-3, 86400, request.max_seconds);
    request.max_tokens = integer_field(object, "maxTokens", 1, 1 << 30, request.max_tokens);
    request.transcribe = object.Get("transcribe").ToBoolean();
    request.vad = boolean_field(object, "vad", request.vad);
    return request;
}

} // namespace moss::addon
