// Captures ggml's log messages. By default ggml writes them to stderr, which a library must not do.

#pragma once

#include <string>

namespace moss {

/// From now on ggml's messages are kept for first_ggml_message(), and written to stderr only if the environment
/// variable MOSS_SPEECH_LOG is set. May be called any number of times.
void capture_ggml_log();

/// Forgets what ggml has logged on this thread. To be called before an operation whose failure first_ggml_message() is
/// to explain.
void forget_ggml_messages();

/// The first warning or error that ggml has logged on this thread since forget_ggml_messages(), without its newline;
/// empty if there is none. The first message names the cause, the later ones its consequences.
std::string first_ggml_message();

} // namespace moss
