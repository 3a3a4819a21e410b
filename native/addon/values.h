#pragma once

#include "core/moss.h"
#include "core/probe/probe.h"

#include <napi.h>

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace moss::addon {

/// Converts an exception to a JavaScript error with code and details. Worker threads pass on exceptions unconverted,
/// because that needs no memory.
Napi::Error to_error(Napi::Env env, const std::exception_ptr & exception);

/// Runs the body of a method that JavaScript calls. A C++ exception becomes a JavaScript error with code and details.
template <class Body>
auto guarded(Napi::Env env, Body && body) {
    try {
        return body();
    } catch (const Napi::Error &) {
        throw;
    } catch (...) {
        throw to_error(env, std::current_exception());
    }
}

/// Conversion of arguments. All functions throw MOSS_INVALID_ARGUMENT; a field that is undefined gets its default
/// value.
Napi::Object to_object(const Napi::Value & value, const char * what); // undefined becomes an empty object
std::string to_text(const Napi::Value & value, const char * what);
std::vector<float> to_samples(const Napi::Value & value, const char * what);
std::vector<uint8_t> to_bytes(const Napi::Value & value, const char * what);
std::vector<int32_t> to_ids(const Napi::Value & value, const char * what);
Request to_request(const Napi::Value & value, const ModelInfo & info);
PastTurn to_past_turn(const Napi::Value & value);
/// Reads `length`, `turns`, `ids` and `random`.
Snapshot to_snapshot(const Napi::Value & value);
Exercise to_exercise(const Napi::Value & value);
Network to_network(const Napi::Value & value);
Speaking to_speaking(const Napi::Object & object);
/// Reads the optional arrays `speeds`, `pitches` and `gains`, with one value a unit. Empty if there are none of them.
std::vector<UnitProsody> to_prosody(const Napi::Object & object, size_t units);
Sampling to_sampling(const Napi::Object & object, const ModelInfo & info);
Transcribing to_transcribing(const Napi::Object & object, const ModelInfo & info);
std::optional<uint64_t> to_seed(const Napi::Object & object);
double to_number(const Napi::Value & value, const char * what, double low, double high);
double number_field(const Napi::Object & object, const char * name, double low, double high, double missing);
bool boolean_field(const Napi::Object & object, const char * name, bool missing);
int integer_field(const Napi::Object & object, const char * name, int low, int high, int missing);

/// Conversion of results. The memory of arrays is allocated by JavaScript, because Electron does not allow external
/// buffers.
Napi::Object to_js(Napi::Env env, const ModelInfo & info);
Napi::Object to_js(Napi::Env env, const Chunk & chunk, bool done);
Napi::Object to_js(Napi::Env env, const Snapshot & snapshot);
Napi::Array to_js(Napi::Env env, const std::vector<HeadShares> & heads);
Napi::Object to_js(Napi::Env env, const Difference & difference);
Napi::Object to_js(Napi::Env env, const HeardSounds & heard);
Napi::Object to_js(Napi::Env env, const Transcript & transcript);
Napi::Int32Array to_js(Napi::Env env, const std::vector<int32_t> & ids);
Napi::Float32Array to_js(Napi::Env env, const std::vector<float> & values);
Napi::Uint8Array to_js(Napi::Env env, const std::vector<uint8_t> & bytes);

} // namespace moss::addon
