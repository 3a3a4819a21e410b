#include "core/hearing/hearing.h"

#include <utility>

namespace moss {

struct SpeechDetector::State {
    std::shared_ptr<const Model> model;
    Runner runner;
    Vad::State stream;

    explicit State(std::shared_ptr<const Model> loaded)
        : model(std::move(loaded)), runner(model->parts().pools), stream(*model->parts().vad) {}
};

SpeechDetector::SpeechDetector(std::shared_ptr<const Model> model) {
    if (!model->parts().vad) {
        throw MossError(code::unsupported, "this model has no voice activity network", {{"component", "vad"}});
    }
    state_ = std::make_unique<State>(std::move(model));
}

SpeechDetector::~SpeechDetector() = default;
SpeechDetector::SpeechDetector(SpeechDetector &&) noexcept = default;
SpeechDetector & SpeechDetector::operator=(SpeechDetector &&) noexcept = default;

std::vector<float> SpeechDetector::push(const std::vector<float> & samples, CancelToken & cancel) {
    const CancelToken::Attach attach(cancel, state_->runner.cancel);
    check_samples(samples);
    std::vector<float> probabilities;
    try {
        state_->model->parts().vad->push(state_->runner, state_->stream, samples.data(), samples.size(), probabilities);
    } catch (...) {
        state_->stream.clear();
        throw;
    }
    return probabilities;
}

} // namespace moss
