// Conversion of C++ values to JavaScript.

#include "addon/values.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace moss::addon {

namespace {

template <class Value, class Convert>
Napi::Array to_array(Napi::Env env, const std::vector<Value> & values, const Convert & convert) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (size_t i = 0; i < values.size(); i++) {
        array.Set(static_cast<uint32_t>(i), convert(values[i]));
    }
    return array;
}

Napi::Array to_js(Napi::Env env, const std::vector<std::string> & values) {
    return to_array(env, values, [](const std::string & value) { return value; });
}

Napi::Object to_js(Napi::Env env, const Timings & timings) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("encodeMs", timings.encode_ms);
    object.Set("prefillMs", timings.prefill_ms);
    object.Set("lmMs", timings.lm_ms);
    object.Set("decodeMs", timings.decode_ms);
    object.Set("heardMs", timings.heard_ms);
    object.Set("readyMs", timings.ready_ms);
    object.Set("firstTokenMs", timings.first_token_ms);
    object.Set("firstAudioMs", timings.first_audio_ms);
    object.Set("totalMs", timings.total_ms);
    object.Set("inputSeconds", timings.input_seconds);
    object.Set("replySeconds", timings.reply_seconds);
    return object;
}

const char * to_js(FinishReason reason) {
    switch (reason) {
    case FinishReason::stop:
        return "stop";
    case FinishReason::max_seconds:
        return "maxSeconds";
    case FinishReason::max_tokens:
        return "maxTokens";
    case FinishReason::context_length:
        return "contextLength";
    case FinishReason::no_speech:
        return "noSpeech";
    }
    return "stop";
}

template <class Value>
std::vector<Value> column(const std::vector<HeardUnit> & heard, Value HeardUnit::* member) {
    std::vector<Value> values(heard.size());
    std::transform(heard.begin(), heard.end(), values.begin(),
                   [member](const HeardUnit & unit) { return unit.*member; });
    return values;
}

} // namespace

Napi::Error to_error(Napi::Env env, const std::exception_ptr & exception) {
    const auto described = [env](const char * code, const char * message, const ErrorDetails & details) {
        Napi::Error error = Napi::Error::New(env, message);
        Napi::Object fields = Napi::Object::New(env);
        for (const auto & [name, value] : details) {
            if (const double * number = std::get_if<double>(&value)) {
                fields.Set(name, *number);
            } else {
                fields.Set(name, std::get<std::string>(value));
            }
        }
        error.Set("code", code);
        error.Set("details", fields);
        return error;
    };
    try {
        std::rethrow_exception(exception);
    } catch (const MossError & error) {
        return described(error.code(), error.what(), error.details());
    } catch (const std::bad_alloc &) {
        return described(code::out_of_memory, "out of memory", {});
    } catch (const std::exception & error) {
        return described(code::internal, error.what(), {});
    } catch (...) {
        return described(code::internal, "an unknown error", {});
    }
}

Napi::Int32Array to_js(Napi::Env env, const std::vector<int32_t> & ids) {
    Napi::Int32Array array = Napi::Int32Array::New(env, ids.size());
    std::copy(ids.begin(), ids.end(), array.Data());
    return array;
}

Napi::Float32Array to_js(Napi::Env env, const std::vector<float> & values) {
    Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
    std::copy(values.begin(), values.end(), array.Data());
    return array;
}

Napi::Uint8Array to_js(Napi::Env env, const std::vector<uint8_t> & bytes) {
    Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size());
    std::copy(bytes.begin(), bytes.end(), array.Data());
    return array;
}

Napi::Object to_js(Napi::Env env, const HeardSounds & heard) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("units", to_js(env, column(heard.units, &HeardUnit::id)));
    object.Set("starts", to_js(env, column(heard.units, &HeardUnit::start)));
    object.Set("ends", to_js(env, column(heard.units, &HeardUnit::end)));
    object.Set("pinyin", heard.pinyin);
    object.Set("mandarin", heard.mandarin);
    object.Set("noSpeech", heard.no_speech);
    return object;
}

Napi::Object to_js(Napi::Env env, const Transcript & transcript) {
    Napi::Object object = to_js(env, transcript.sounds);
    object.Set("segments", to_array(env, transcript.segments, [env](const Segment & segment) {
                   Napi::Object entry = Napi::Object::New(env);
                   entry.Set("start", segment.start);
                   entry.Set("end", segment.end);
                   entry.Set("textIds", to_js(env, segment.text));
                   return entry;
               }));
    return object;
}

Napi::Object to_js(Napi::Env env, const Snapshot & snapshot) {
    const auto * random = reinterpret_cast<const uint8_t *>(snapshot.random.data());
    Napi::Object object = Napi::Object::New(env);
    object.Set("length", snapshot.length);
    object.Set("turns", to_js(env, snapshot.turns));
    object.Set("ids", to_js(env, snapshot.ids));
    object.Set("random", to_js(env, std::vector<uint8_t>(random, random + sizeof(snapshot.random))));
    object.Set("type", snapshot.type);
    object.Set("positionBytes",
               to_js(env, std::vector<int32_t>(snapshot.position_bytes.begin(), snapshot.position_bytes.end())));
    return object;
}

Napi::Array to_js(Napi::Env env, const std::vector<HeadShares> & heads) {
    return to_array(env, heads, [env](const HeadShares & block) {
        Napi::Object object = Napi::Object::New(env);
        object.Set("block", block.block);
        object.Set("shares", to_array(env, block.shares, [](double share) { return share; }));
        object.Set("positions", static_cast<double>(block.positions));
        return object;
    });
}

Napi::Object to_js(Napi::Env env, const Difference & difference) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("positions", static_cast<double>(difference.positions));
    object.Set("cosine", difference.cosine);
    object.Set("units", static_cast<double>(difference.units));
    object.Set("edits", static_cast<double>(difference.edits));
    object.Set("lossBefore", difference.loss_before);
    object.Set("lossAfter", difference.loss_after);
    object.Set("divergence", difference.divergence);
    return object;
}

Napi::Object to_js(Napi::Env env, const Chunk & chunk, bool done) {
    Napi::Object object = Napi::Object::New(env);
    if (!chunk.audio.empty()) {
        object.Set("audio", to_js(env, chunk.audio));
    }
    if (!chunk.units.empty()) {
        object.Set("units", to_js(env, chunk.units));
    }
    if (!chunk.unit_ends.empty()) {
        object.Set("unitEnds", to_js(env, chunk.unit_ends));
    }
    if (!chunk.text.empty()) {
        object.Set("textIds", to_js(env, chunk.text));
    }
    if (chunk.heard) {
        object.Set("heard", to_js(env, *chunk.heard));
    }
    if (chunk.heard_text) {
        object.Set("heardTextIds", to_js(env, *chunk.heard_text));
    }
    if (!chunk.features.empty()) {
        object.Set("features", to_js(env, chunk.features));
    }
    if (chunk.finish_reason) {
        object.Set("finishReason", to_js(*chunk.finish_reason));
    }
    if (chunk.timings) {
        object.Set("timings", to_js(env, *chunk.timings));
    }
    object.Set("done", done);
    return object;
}

Napi::Object to_js(Napi::Env env, const ModelInfo & info) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("architecture", info.architecture);
    object.Set("name", info.name);
    object.Set("license", info.license);
    object.Set("description", info.description);
    object.Set("units", to_js(env, info.units));
    if (info.ctc) {
        Napi::Object ctc = Napi::Object::New(env);
        ctc.Set("wordDelimiter", info.ctc->word_delimiter);
        ctc.Set("separator", info.ctc->separator);
        ctc.Set("lowerCase", info.ctc->lower_case);
        ctc.Set("special", to_array(env, info.ctc->special, [](int32_t id) { return id; }));
        object.Set("ctc", ctc);
    }
    object.Set("voices", to_array(env, info.voices, [env](const auto & voice) {
                   Napi::Object entry = Napi::Object::New(env);
                   entry.Set("name", voice.name);
                   entry.Set("language", voice.language);
                   return entry;
               }));
    Napi::Object defaults = Napi::Object::New(env);
    defaults.Set("en", info.default_voice_en);
    defaults.Set("zh", info.default_voice_zh);
    object.Set("defaultVoices", defaults);
    object.Set("emotions", to_js(env, info.emotions));
    object.Set("inputSampleRate", info.input_sample_rate);
    object.Set("sampleRate", info.sample_rate);
    object.Set("featureSize", info.feature_size);
    object.Set("frameSeconds", info.frame_seconds);
    object.Set("voiceText", info.voice_text);
    object.Set("tokenizer", info.tokenizer);
    Napi::Object tokens = Napi::Object::New(env);
    tokens.Set("imStart", info.tokens.im_start);
    tokens.Set("imEnd", info.tokens.im_end);
    tokens.Set("sosp", info.tokens.sosp);
    tokens.Set("modalityPad", info.tokens.modality_pad);
    tokens.Set("pad", info.tokens.pad);
    object.Set("specialTokens", tokens);
    object.Set("nCtx", info.n_ctx);
    object.Set("maxNCtx", info.max_n_ctx);
    object.Set("maxInputSeconds", info.max_input_seconds);
    object.Set("maxTurnSeconds", info.max_turn_seconds);
    object.Set("vad", info.finds_speech);
    object.Set("endpoint", info.ends_turns);
    object.Set("vadWindow", info.vad_window);
    Napi::Object sampling = Napi::Object::New(env);
    sampling.Set("temperature", info.sampling.temperature);
    sampling.Set("topK", info.sampling.top_k);
    sampling.Set("topP", info.sampling.top_p);
    sampling.Set("repetitionPenalty", info.sampling.repetition_penalty);
    object.Set("sampling", sampling);
    object.Set("components", to_array(env, info.components, [env](const ComponentInfo & component) {
                   Napi::Object entry = Napi::Object::New(env);
                   entry.Set("name", component.name);
                   entry.Set("parameters", static_cast<double>(component.parameters));
                   entry.Set("bytes", static_cast<double>(component.bytes));
                   entry.Set("types", to_js(env, component.types));
                   return entry;
               }));
    object.Set("threads", info.threads);
    return object;
}

} // namespace moss::addon
