#pragma once

#include <vector>

namespace moss::test {

/// Logits that favour one class in each frame, [path.size(), classes].
inline std::vector<float> one_hot(const std::vector<int> & path, int classes) {
    std::vector<float> logits(path.size() * static_cast<size_t>(classes));
    for (size_t t = 0; t < path.size(); t++) {
        logits[t * static_cast<size_t>(classes) + static_cast<size_t>(path[t])] = 5;
    }
    return logits;
}

} // namespace moss::test
