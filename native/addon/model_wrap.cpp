#include "addon/wraps.h"

#include <utility>

namespace moss::addon {

Napi::Function NativeModel::define(Napi::Env env) {
    return DefineClass(env, "NativeModel",
                       {InstanceMethod<&NativeModel::info>("info"),
                        InstanceMethod<&NativeModel::create_session>("createSession"),
                        InstanceMethod<&NativeModel::dispose>("dispose")});
}

Napi::Object NativeModel::create(Napi::Env env, std::shared_ptr<const Model> model) {
    const Napi::Object object = AddonData::of(env).model_class.New({});
    Unwrap(object)->model_ = std::move(model);
    return object;
}

NativeModel::NativeModel(const Napi::CallbackInfo & info) : ObjectWrap(info) {}

const std::shared_ptr<const Model> & NativeModel::model() const {
    if (!model_) {
        throw MossError(code::disposed, "the model has been disposed of");
    }
    return model_;
}

Napi::Value NativeModel::info(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] { return to_js(info.Env(), model()->info()); });
}

Napi::Value NativeModel::create_session(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        const Napi::Object options = to_object(info[0], "options");
        return NativeSession::create(info.Env(), model(), to_seed(options));
    });
}

void NativeModel::dispose(const Napi::CallbackInfo & /*info*/) {
    model_.reset();
}

} // namespace moss::addon
