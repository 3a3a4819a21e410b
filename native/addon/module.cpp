#include <napi.h>

#include "ggml.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
    exports.Set("ggmlVersion", Napi::String::New(env, ggml_version()));
    return exports;
}

} // namespace

NODE_API_MODULE(moss_speech, init)
