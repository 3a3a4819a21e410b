// Models of test/golden with changed keys or tensors, and the errors with which loading them fails.

#pragma once

#include "golden.h"
#include "temporary.h"

#include "core/moss.h"

#include "gguf.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace moss::test {

using KeyChange = std::function<void(gguf_context *)>;
using TensorChange = std::function<void(ggml_tensor *)>;

/// Writes a copy of a model with changed keys or tensors, and returns its path.
inline std::string
changed(const std::string & name, const KeyChange & change, const TensorChange & change_tensor = [](ggml_tensor *) {}) {
    ggml_context * data = nullptr;
    gguf_context * gguf = gguf_init_from_file(golden_path(name + ".gguf").c_str(), {false, &data});
    gguf_context * copy = gguf_init_empty();
    gguf_set_kv(copy, gguf);
    change(copy);
    for (ggml_tensor * t = ggml_get_first_tensor(data); t; t = ggml_get_next_tensor(data, t)) {
        if (t->type != GGML_TYPE_I8) { // the tensor with which gguf_init_from_file holds the data of all others
            change_tensor(t);
            gguf_add_tensor(copy, t);
        }
    }
    const std::string path = temporary_file("changed.gguf").u8string();
    gguf_write_to_file(copy, path.c_str(), false);
    gguf_free(copy);
    gguf_free(gguf);
    ggml_free(data);
    return path;
}

/// The message with which a network that is made of the path of a file refuses the changed one as malformed, "" if it
/// accepts it.
template <class Network>
std::string network_refusal(
    const std::string & name, const KeyChange & change, const TensorChange & change_tensor = [](ggml_tensor *) {}) {
    const std::string path = changed(name, change, change_tensor);
    std::string what;
    try {
        Network{path};
    } catch (const MossError & error) {
        CHECK_EQ(error.code(), std::string(code::model_format));
        what = error.what();
    }
    std::filesystem::remove(std::filesystem::u8path(path));
    return what;
}

/// The message with which Model::load refuses the changed file, as malformed or as not supported, "" if it accepts it.
inline std::string
refusal(const std::string & name, const KeyChange & change, const TensorChange & change_tensor = [](ggml_tensor *) {}) {
    const std::string path = changed(name, change, change_tensor);
    std::string what;
    try {
        Model::load(path, {1});
    } catch (const MossError & error) {
        what = error.what();
    }
    std::filesystem::remove(std::filesystem::u8path(path));
    return what;
}

inline void check_refusal(const std::string & found, const std::string & part) {
    if (found.find(part) == std::string::npos) {
        throw Failure("\"" + found + "\" does not hold \"" + part + "\"");
    }
}

/// Sets a key to an array with a number for each layer.
inline KeyChange by_layer(const std::string & key, const std::vector<int32_t> & values) {
    return [=](gguf_context * g) { gguf_set_arr_data(g, key.c_str(), GGUF_TYPE_INT32, values.data(), values.size()); };
}

} // namespace moss::test
