// JavaScript's values → C++.

#include "addon/convert.h"

#include <cmath>

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

double number_field(const Napi::Object & object, const char * name, double low, double high, double missing_value) {
    const Napi::Value value = object.Get(name);
    if (missing(value)) {
        return missing_value;
    }
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
    if (!(number >= low && number <= high)) {
        throw wrong(name, "a number from " + Napi::Number::New(object.Env(), low).ToString().Utf8Value() + " to " +
                              Napi::Number::New(object.Env(), high).ToString().Utf8Value());
    }
    return number;
}

int integer_field(const Napi::Object & object, const char * name, int low, int high, int missing_value) {
    const double number = number_field(object, name, low, high, missing_value);
    if (number != std::floor(number)) {
        throw wrong(name, "an integer");
    }
    return static_cast<int>(number);
}

std::optional<uint64_t> to_seed(const Napi::Object & object) {
    if (missing(object.Get("seed"))) {
        return std::nullopt;
    }
    const double seed = number_field(object, "seed", 0, 9007199254740991.0, 0);
    if (seed != std::floor(seed)) {
        throw wrong("seed", "an integer");
    }
    return static_cast<uint64_t>(seed);
}

Speaking to_speaking(const Napi::Object & object) {
    constexpr int any = 1 << 30; // the session knows how many there are
    Speaking speaking;
    speaking.voice = integer_field(object, "voice", -1, any, speaking.voice);
    speaking.speed = static_cast<float>(number_field(object, "speed", 0.5, 2, speaking.speed));
    speaking.emotion = integer_field(object, "emotion", 0, any, speaking.emotion);
    speaking.seed = to_seed(object);
    const auto optional = [&](const char * name, double low, double high) -> std::optional<float> {
        return missing(object.Get(name)) ? std::nullopt
                                         : std::optional(static_cast<float>(number_field(object, name, low, high, 0)));
    };
    speaking.noise_scale = optional("noiseScale", 0, 2);
    speaking.noise_w = optional("noiseW", 0, 2);
    speaking.length_scale = optional("lengthScale", 0.1, 10);
    return speaking;
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

Network to_network(const Napi::Value & value) {
    const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
    if (name != "encoder" && name != "lm") {
        throw wrong("component", "'encoder' or 'lm'");
    }
    return name == "encoder" ? Network::encoder : Network::lm;
}

Exercise to_exercise(const Napi::Value & value) {
    const Napi::Object object = to_object(value, "exercise");
    const auto ids = [&](const char * name) {
        return missing(object.Get(name)) ? std::vector<int32_t>() : to_ids(object.Get(name), name);
    };
    Exercise exercise;
    if (!missing(object.Get("samples"))) {
        exercise.samples = to_samples(object.Get("samples"), "samples");
    }
    exercise.text = ids("textIds");
    exercise.units = ids("units");
    exercise.reply = ids("replyIds");
    return exercise;
}

Request to_request(const Napi::Value & value, const ModelInfo & info) {
    const Napi::Object object = to_object(value, "request");
    Request request;
    if (!missing(object.Get("samples"))) {
        request.samples = to_samples(object.Get("samples"), "samples");
    }
    if (!missing(object.Get("textIds"))) {
        request.text = to_ids(object.Get("textIds"), "textIds");
    }
    if (!missing(object.Get("stopIds"))) {
        request.stop = to_ids(object.Get("stopIds"), "stopIds");
    }
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
    return request;
}

} // namespace moss::addon
