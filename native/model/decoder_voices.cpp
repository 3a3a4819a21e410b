#include "decoder_voices.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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
    if (!choice.mix.empty()) {
        require_argument(choice.mix.size() == presets_.voices.size(), "mix must have a share of each voice");
        const bool shares = std::all_of(choice.mix.begin(), choice.mix.end(), [](float share) { return share >= 0; });
        const float sum = std::accumulate(choice.mix.begin(), choice.mix.end(), 0.0F);
        require_argument(shares && std::abs(sum - 1) <= 1e-3F, "the shares of mix must be positive, and together 1");
    }
    require_argument(is_index(choice.emotion, presets_.emotions.size()), "no such emotion");
    require_argument(choice.speed >= 0.25F && choice.speed <= 4.0F, "speed must be between 0.25 and 4");
    require_argument(choice.chunk_frames >= 1 && choice.chunk_frames <= 4096,
                     "chunk_frames must be between 1 and 4096");
    return presets_.emotions[static_cast<size_t>(choice.emotion)];
}

std::vector<float> DecoderVoices::shares(const Choice & choice) const {
    if (!choice.mix.empty()) {
        return choice.mix;
    }
    std::vector<float> shares(presets_.voices.size());
    shares[static_cast<size_t>(choice.voice)] = 1;
    return shares;
}

std::vector<float> DecoderVoices::mixed(const ggml_tensor * table, const std::vector<float> & shares) {
    std::vector<float> vector(static_cast<size_t>(table->ne[0]));
    std::vector<float> row(vector.size());
    for (size_t voice = 0; voice < shares.size(); voice++) {
        ggml_backend_tensor_get(table, row.data(), voice * table->nb[1], row.size() * sizeof(float));
        for (size_t i = 0; i < row.size(); i++) {
            vector[i] += shares[voice] * row[i];
        }
    }
    return vector;
}

} // namespace moss
