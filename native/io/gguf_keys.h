// The keys of one component in a GGUF file: fields below a common prefix, each checked as it is read.
//
// Configurations bound every size that they read, so that no product of sizes overflows and no graph or state grows
// beyond its limits (Graph, StreamState), whatever a file says.

#pragma once

#include "gguf_file.h"

#include <initializer_list>
#include <string>
#include <vector>

namespace moss {

/// Reads `prefix` + field. Everything throws model_format, which names the key, what was expected and what was found.
class GgufKeys {
  public:
    /// `prefix` with its dot at the end: "moss-speech.encoder.". The file must outlive the object.
    GgufKeys(const GgufFile & file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

    const GgufFile & file() const { return file_; }
    /// The whole key.
    std::string name(const char * field) const { return prefix_ + field; }
    bool has(const char * field) const { return file_.has(name(field)); }

    int integer(const char * field, int64_t low, int64_t high) const {
        return static_cast<int>(file_.get_int(name(field), low, high));
    }
    float number(const char * field, double low, double high) const {
        return static_cast<float>(file_.get_float(name(field), low, high));
    }
    bool boolean(const char * field) const { return file_.get_bool(name(field)); }
    std::string string(const char * field) const { return file_.get_string(name(field)); }

    // The same for keys that a file may lack: `missing` is what they are then.
    int integer(const char * field, int64_t low, int64_t high, int missing) const {
        return has(field) ? integer(field, low, high) : missing;
    }
    float number(const char * field, double low, double high, float missing) const {
        return has(field) ? number(field, low, high) : missing;
    }
    bool boolean(const char * field, bool missing) const { return has(field) ? boolean(field) : missing; }
    std::string string(const char * field, const std::string & missing) const {
        return has(field) ? string(field) : missing;
    }

    /// One of two names.
    std::string choice(const char * field, const char * a, const char * b) const;
    /// The same for a key that a file may lack: the first one then.
    std::string optional_choice(const char * field, const char * a, const char * b) const {
        return has(field) ? choice(field, a, b) : a;
    }
    /// An array of `least` to `most` integers.
    std::vector<int> integers(const char * field, int64_t low, int64_t high, size_t least, size_t most) const;

    void require(bool condition, const char * field, const std::string & expected, const std::string & found) const {
        if (!condition) {
            throw model_format_error(name(field), expected, found);
        }
    }
    /// `value` must be a multiple of `by`, which `divisor` is the name of.
    void multiple(const char * field, int64_t value, const std::string & divisor, int64_t by) const;
    /// Kernels that look as far back as ahead.
    void odd(const char * field, int value) const {
        require(value % 2 == 1, field, "an odd size", std::to_string(value));
    }

  private:
    const GgufFile & file_;
    std::string prefix_;
};

} // namespace moss
