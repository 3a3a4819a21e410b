#include "decoder_voices.h"

namespace moss {

DecoderVoices::DecoderVoices(const UnitFramesConfig & config, const GgufFile & file, const Weights & weights)
    : presets_(DecoderPresets::load(file)) {
    const Shape shape{config.style_size, static_cast<int64_t>(presets_.voices.size())};
    speakers_ = weights.get_f32("decoder.voice.speaker", shape);
    styles_ = weights.get_f32("decoder.voice.style", shape);
}

const Emotion & DecoderVoices::check(const Choice & choice) const {
    const auto is_index = [](int index, size_t count) { return index >= 0 && static_cast<size_t>(index) < count; };
    require_argument(is_index(choice.voice, presets_.voices.size()), "no such voice");
    require_argument(is_index(choice.emotion, presets_.emotions.size()), "no such emotion");
    require_argument(choice.speed >= 0.25F && choice.speed <= 4.0F, "speed must be between 0.25 and 4");
    require_argument(choice.chunk_frames >= 1 && choice.chunk_frames <= 4096,
                     "chunk_frames must be between 1 and 4096");
    return presets_.emotions[static_cast<size_t>(choice.emotion)];
}

std::vector<float> DecoderVoices::vector(const ggml_tensor * table, int voice) {
    std::vector<float> values(static_cast<size_t>(table->ne[0]));
    ggml_backend_tensor_get(table, values.data(), static_cast<size_t>(voice) * table->nb[1],
                            values.size() * sizeof(float));
    return values;
}

} // namespace moss
