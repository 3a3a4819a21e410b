// ggml logs to stderr unless told otherwise; a library must not.

#pragma once

#include <string>

namespace moss {

/// From now on ggml's messages go to first_ggml_message(), and to stderr where the environment variable MOSS_SPEECH_LOG
/// is set. May be called any number of times.
void capture_ggml_log();

/// What ggml logged on this thread so far is no cause of what comes.
void forget_ggml_messages();

/// The first warning or error that ggml logged on this thread since then, without its newline; empty when none. Those
/// after it say what failed because of it.
std::string first_ggml_message();

} // namespace moss
