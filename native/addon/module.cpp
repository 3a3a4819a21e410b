// The addon's entry: one AddonData for each environment, so that it loads in any number of worker_threads.

#include "addon/wraps.h"
#include "io/quantize.h"

#include "ggml.h"

#include <utility>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace moss::addon {

namespace {

/// An address in this library, by which the system can look up the library's file.
const int here = 0;

#ifdef _WIN32
HMODULE own_module(DWORD flags) {
    HMODULE module = nullptr;
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | flags, reinterpret_cast<LPCWSTR>(&here), &module);
    return module;
}
#endif

/// The path of this addon's file (UTF-8).
std::string own_path() {
    std::string path;
#ifdef _WIN32
    std::wstring wide(32768, L'\0');
    wide.resize(GetModuleFileNameW(own_module(GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT), wide.data(),
                                   static_cast<DWORD>(wide.size())));
    path.resize(wide.size() * 4);
    path.resize(static_cast<size_t>(WideCharToMultiByte(CP_UTF8, 0, wide.data(), static_cast<int>(wide.size()),
                                                        path.data(), static_cast<int>(path.size()), nullptr, nullptr)));
#else
    Dl_info library;
    if (dladdr(&here, &library) != 0 && library.dli_fname != nullptr) {
        path = library.dli_fname;
    }
#endif
    return path;
}

/// The folder of this addon, which also holds ggml's libraries.
std::string own_folder() {
    const std::string path = own_path();
    const size_t end = path.find_last_of("/\\");
    return end == std::string::npos ? "." : path.substr(0, end);
}

/// Keeps the addon loaded for good. Node unloads an addon when the last thread that loaded it ends, and ggml would
/// abort if it were initialised a second time in the same process.
void stay_loaded() {
#ifdef _WIN32
    own_module(GET_MODULE_HANDLE_EX_FLAG_PIN);
#else
    dlopen(own_path().c_str(), RTLD_NOW | RTLD_NODELETE); // one more reference, which is never released
#endif
}

Napi::Value load_model(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&] {
        const std::string path = to_text(info[0], "path");
        LoadOptions options;
        const Napi::Object given = to_object(info[1], "options");
        options.threads = integer_field(given, "threads", 1, 256, 0);
        options.context_length = integer_field(given, "contextLength", 1, 1 << 24, 0);
        options.kv_type =
            static_cast<KvType>(integer_field(given, "kvCacheType", 0, 2, static_cast<int>(options.kv_type)));
        options.kv_limit = static_cast<size_t>(number_field(given, "kvCacheBytes", 0, 9e15, 9e15));
        options.only_vad = boolean_field(given, "onlyVad", false);
        return promise_of(env, [path, options](CancelToken & cancel) {
            initialize(own_folder());
            auto model = Model::load(path, options, cancel);
            return [model = std::move(model)](Napi::Env js) -> Napi::Value { return NativeModel::create(js, model); };
        });
    });
}

/// The result of a conversion. It is shared, because a std::function must be copyable and the values may take
/// megabytes.
template <class Value>
PromiseTask::Result array_result(std::vector<Value> values) {
    auto shared = std::make_shared<const std::vector<Value>>(std::move(values));
    return [shared](Napi::Env js) -> Napi::Value { return to_js(js, *shared); };
}

Napi::Value quantize_rows(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&] {
        const ggml_type type = to_weight_type(to_text(info[0], "type"));
        const double row = info[2].IsNumber() ? info[2].As<Napi::Number>().DoubleValue() : 0;
        if (!(row >= 1 && row <= 1e9)) {
            throw MossError(code::invalid_argument, "rowLength: expected an integer from 1", {{"option", "rowLength"}});
        }
        return promise_of(env, [type, row, values = to_samples(info[1], "data")](CancelToken &) {
            return array_result(quantize(type, values.data(), values.size(), static_cast<size_t>(row)));
        });
    });
}

Napi::Value dequantize_blocks(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&] {
        const ggml_type type = to_weight_type(to_text(info[0], "type"));
        return promise_of(env, [type, data = to_bytes(info[1], "data")](CancelToken &) {
            return array_result(dequantize(type, data.data(), data.size()));
        });
    });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
    static const bool once = (stay_loaded(), true);
    static_cast<void>(once);
    auto * data = new AddonData(env); // freed with the environment
    env.SetInstanceData(data);
    // Both are needed: process.exit() does not run cleanup hooks, and worker.terminate() does not emit the process's
    // exit event.
    env.AddCleanupHook([data] { data->shut_down(); });
    const Napi::Object process = env.Global().Get("process").As<Napi::Object>();
    const auto on_exit = Napi::Function::New(env, [data](const Napi::CallbackInfo &) { data->shut_down(); });
    process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), on_exit});
    data->model_class = Napi::Persistent(NativeModel::define(env));
    data->session_class = Napi::Persistent(NativeSession::define(env));
    data->stream_class = Napi::Persistent(NativeStream::define(env));
    data->speech_detector_class = Napi::Persistent(NativeSpeechDetector::define(env));
    exports.Set("ggmlVersion", ggml_version());
    exports.Set("loadModel", Napi::Function::New<load_model>(env, "loadModel"));
    exports.Set("quantize", Napi::Function::New<quantize_rows>(env, "quantize"));
    exports.Set("dequantize", Napi::Function::New<dequantize_blocks>(env, "dequantize"));
    return exports;
}

} // namespace

} // namespace moss::addon

using moss::addon::init;
NODE_API_MODULE(moss_speech, init)
