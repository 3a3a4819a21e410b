#include "feature_config.h"

#include "../io/gguf_keys.h"

namespace moss {

FeatureDecoderConfig FeatureDecoderConfig::load(const GgufFile & file) {
    const GgufKeys keys(file, "moss-speech.decoder.");
    FeatureDecoderConfig c;
    static_cast<UnitFramesConfig &>(c) = UnitFramesConfig::load(keys);
    c.feature_hidden = keys.integer("feature_hidden", 1, 4096);
    c.feature_kernel = keys.integer("feature_kernel", 1, 63);
    c.feature_dilations = keys.integers("feature_dilations", 1, 64, 1, 32);
    c.feature_size = keys.integer("feature_size", 1, 4096);
    keys.odd("feature_kernel", c.feature_kernel);
    return c;
}

} // namespace moss
