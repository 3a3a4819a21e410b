#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace moss {

/// The stable codes of `lib/errors.ts`; the addon passes them on unchanged.
namespace code {
inline constexpr const char * invalid_argument = "MOSS_INVALID_ARGUMENT";
inline constexpr const char * audio_length = "MOSS_AUDIO_LENGTH";
inline constexpr const char * model_not_found = "MOSS_MODEL_NOT_FOUND";
inline constexpr const char * model_format = "MOSS_MODEL_FORMAT";
inline constexpr const char * disposed = "MOSS_DISPOSED";
inline constexpr const char * session_busy = "MOSS_SESSION_BUSY";
inline constexpr const char * aborted = "MOSS_ABORTED";
inline constexpr const char * unsupported = "MOSS_UNSUPPORTED";
inline constexpr const char * prompt_too_long = "MOSS_PROMPT_TOO_LONG";
inline constexpr const char * out_of_memory = "MOSS_OUT_OF_MEMORY";
inline constexpr const char * out_of_threads = "MOSS_OUT_OF_THREADS";
inline constexpr const char * addon = "MOSS_ADDON";
inline constexpr const char * internal = "MOSS_INTERNAL";
} // namespace code

/// Names the key, tensor or argument that an error is about, what was expected and what was found.
using ErrorDetails = std::vector<std::pair<std::string, std::variant<std::string, double>>>;

/// Every error thrown on purpose: a stable code, a message for people and details for programs.
class MossError : public std::runtime_error {
  public:
    MossError(const char * error_code, const std::string & message, ErrorDetails error_details = {})
        : std::runtime_error(message), code_(error_code), details_(std::move(error_details)) {}

    /// One of `moss::code`.
    const char * code() const noexcept { return code_; }
    const ErrorDetails & details() const noexcept { return details_; }

  private:
    const char * code_; // a literal: never freed
    ErrorDetails details_;
};

/// Throws invalid_argument with `message` unless the condition holds.
inline void require_argument(bool condition, const std::string & message) {
    if (!condition) {
        throw MossError(code::invalid_argument, message);
    }
}

/// The error for a key or tensor of a model file, named by `what`, that is not as expected.
inline MossError model_format_error(const std::string & what, const std::string & expected, const std::string & found) {
    return {code::model_format,
            what + ": expected " + expected + ", found " + found,
            {{"name", what}, {"expected", expected}, {"found", found}}};
}

} // namespace moss
