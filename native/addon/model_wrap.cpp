#include "addon/wraps.h"

#include <numeric>
#include <utility>

namespace moss::addon {

const napi_type_tag NativeModel::tag = {0x6d6f73732d737065, 0x656368206d6f6465};

Napi::Function NativeModel::define(Napi::Env env) {
    return DefineClass(
        env, "NativeModel",
        {InstanceMethod<&NativeModel::info>("info"), InstanceMethod<&NativeModel::create_session>("createSession"),
         InstanceMethod<&NativeModel::create_speech_detector>("createSpeechDetector"),
         InstanceMethod<&NativeModel::measure_heads>("measureHeads"), InstanceMethod<&NativeModel::compare>("compare"),
         InstanceMethod<&NativeModel::dispose>("dispose")});
}

Napi::Object NativeModel::create(Napi::Env env, std::shared_ptr<const Model> model) {
    const Napi::Object object = AddonData::of(env).model_class.New({});
    object.TypeTag(&tag);
    const std::vector<ComponentInfo> & components = model->info().components;
    Unwrap(object)->memory_.set(
        env, std::accumulate(components.begin(), components.end(), size_t(0),
                             [](size_t sum, const ComponentInfo & component) { return sum + component.bytes; }));
    Unwrap(object)->model_ = std::move(model);
    return object;
}

NativeModel::NativeModel(const Napi::CallbackInfo & info) : ObjectWrap(info) {}

NativeModel::~NativeModel() {
    close();
}

// The model is freed on another thread, because returning hundreds of megabytes to the system would block the event
// loop.
void NativeModel::close() {
    if (!model_) {
        return;
    }
    memory_.set(Env(), 0);
    const auto held = std::make_shared<std::shared_ptr<const Model>>(std::move(model_));
    try {
        const auto worker = AddonData::of(Env()).new_worker();
        worker->post(std::make_shared<Errand>([held] { held->reset(); }));
        worker->close();
    } catch (const std::exception &) {
        held->reset(); // no thread could be started
    }
}

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
        const std::optional<uint64_t> seed = to_seed(options);
        const bool slide = boolean_field(options, "slide", false);
        return NativeSession::create(info.Env(), model(), seed, slide);
    });
}

Napi::Value NativeModel::create_speech_detector(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] { return NativeSpeechDetector::create(info.Env(), model()); });
}

Napi::Value NativeModel::measure_heads(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        const auto exercise = std::make_shared<const Exercise>(to_exercise(info[1]));
        return promise_of(info.Env(), [model = model(), network = to_network(info[0]), exercise](CancelToken & cancel) {
            auto heads = moss::measure_heads(*model, network, *exercise, cancel);
            return [heads = std::move(heads)](Napi::Env env) -> Napi::Value { return to_js(env, heads); };
        });
    });
}

Napi::Value NativeModel::compare(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        const Napi::Object other = to_object(info[1], "model");
        if (!other.CheckTypeTag(&tag)) {
            throw MossError(code::invalid_argument, "model: expected a model", {{"option", "model"}});
        }
        const auto exercise = std::make_shared<const Exercise>(to_exercise(info[2]));
        return promise_of(info.Env(), [before = model(), after = Unwrap(other)->model(), network = to_network(info[0]),
                                       exercise](CancelToken & cancel) {
            const Difference difference = moss::compare(*before, *after, network, *exercise, cancel);
            return [difference](Napi::Env env) -> Napi::Value { return to_js(env, difference); };
        });
    });
}

void NativeModel::dispose(const Napi::CallbackInfo & /*info*/) {
    close();
}

} // namespace moss::addon
