#include "addon/wraps.h"

#include <utility>

namespace moss::addon {

Napi::Function NativeSpeechDetector::define(Napi::Env env) {
    return DefineClass(env, "NativeSpeechDetector",
                       {InstanceMethod<&NativeSpeechDetector::push>("push"),
                        InstanceMethod<&NativeSpeechDetector::dispose>("dispose")});
}

Napi::Object NativeSpeechDetector::create(Napi::Env env, const std::shared_ptr<const Model> & model) {
    auto detector = std::make_shared<std::optional<SpeechDetector>>(SpeechDetector(model));
    const Napi::Object object = AddonData::of(env).speech_detector_class.New({});
    Unwrap(object)->detector_ = std::move(detector);
    return object;
}

NativeSpeechDetector::NativeSpeechDetector(const Napi::CallbackInfo & info) : ObjectWrap(info) {}

NativeSpeechDetector::~NativeSpeechDetector() {
    close();
}

void NativeSpeechDetector::close() {
    if (worker_) {
        worker_->post(std::make_shared<Errand>([detector = detector_] { detector->reset(); }));
        worker_->close();
    }
    worker_.reset();
    detector_.reset();
}

Napi::Value NativeSpeechDetector::push(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        const auto samples = std::make_shared<const std::vector<float>>(to_samples(info[0], "samples"));
        if (!detector_) {
            throw MossError(code::disposed, "the speech detector has been disposed of");
        }
        if (!worker_) {
            worker_ = AddonData::of(info.Env()).new_worker();
        }
        const auto task =
            std::make_shared<PromiseTask>(info.Env(), [detector = detector_, samples](CancelToken & cancel) {
                auto probabilities = (*detector)->push(*samples, cancel);
                return [probabilities = std::move(probabilities)](Napi::Env env) -> Napi::Value {
                    return to_js(env, probabilities);
                };
            });
        worker_->post(task);
        return task->promise();
    });
}

void NativeSpeechDetector::dispose(const Napi::CallbackInfo & /*info*/) {
    close();
}

} // namespace moss::addon
