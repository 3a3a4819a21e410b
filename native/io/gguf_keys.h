// The keys of one component in a GGUF file: fields with a common prefix, each checked as it is read.
//
// Configurations bound every size that they read, so that, whatever a file says, no product of sizes overflows and no
// graph or state grows beyond its limits (Graph, StreamState).

#pragma once

#include "gguf_file.h"

#include <initializer_list>
#include <string>
#include <vector>

namespace moss {

/// Reads the keys `prefix` + field. Every function throws model_format, which names the key, what was expected and what
/// was found.
class GgufKeys {
  public:
    /// `prefix` with its dot at the end: "moss-speech.encoder.". The file must outlive the object.
    GgufKeys(const GgufFile & file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

    const GgufFile & file() const { return file_; }
    /// The full name of the key.
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

    // The same for optional keys: `missing` is the value of a key that the file lacks.
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

    /// A string that must be `a` or `b`.
    std::string choice(const char * field, const char * a, const char * b) const;
    /// The same for an optional key: `a` if the file lacks it.
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
    /// Requires that `value` is a multiple of `by`. `divisor` names `by` in the error message.
    void multiple(const char * field, int64_t value, const std::string & divisor, int64_t by) const;
    /// Requires an odd kernel size, so that a kernel sees as many frames before as after its centre.
    void odd(const char * field, int value) const {
        require(value % 2 == 1, field, "an odd size", std::to_string(value));
    }
    /// The same for each of the kernels.
    void odd(const char * field, const std::vector<int> & values) const;
    /// Requires of `upsample_rates` and `upsample_kernels` a kernel for each rate, the rate plus an even number, so
    /// that a layer's output is the rate times as long as its input.
    void upsampling(const std::vector<int> & rates, const std::vector<int> & kernels) const;

  private:
    const GgufFile & file_;
    std::string prefix_;
};

} // namespace moss
