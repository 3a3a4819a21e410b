#include "ggml_log.h"

#include "ggml.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace moss {

namespace {

thread_local std::string last_message;

void keep(ggml_log_level level, const char * text, void *) {
    static const bool shown = std::getenv("MOSS_SPEECH_LOG") != nullptr;
    if (shown) {
        std::fputs(text, stderr);
    }
    if (level != GGML_LOG_LEVEL_WARN && level != GGML_LOG_LEVEL_ERROR) {
        return;
    }
    last_message = text;
    while (!last_message.empty() && last_message.back() == '\n') {
        last_message.pop_back();
    }
}

} // namespace

void capture_ggml_log() {
    static std::once_flag once;
    std::call_once(once, [] { ggml_log_set(keep, nullptr); });
}

std::string last_ggml_message() {
    return last_message;
}

} // namespace moss
