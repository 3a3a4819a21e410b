// ggml logs to stderr unless told otherwise; a library must not.

#pragma once

#include <string>

namespace moss {

/// From now on ggml's messages go to last_ggml_message(), and to stderr where the environment variable MOSS_SPEECH_LOG
/// is set. May be called any number of times.
void capture_ggml_log();

/// The last warning or error that ggml logged on this thread, without its newline; empty when none.
std::string last_ggml_message();

} // namespace moss
