#include "ggml_log.h"

#include "ggml.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace moss {

namespace {

// A fixed buffer: ggml's C code logs, too, when it is out of memory, so nothing may be allocated or thrown here.
thread_local char first_message[512] = "";

void keep(ggml_log_level level, const char * text, void * /*data*/) noexcept {
    static const bool shown = std::getenv("MOSS_SPEECH_LOG") != nullptr;
    if (shown) {
        std::fputs(text, stderr);
    }
    if ((level != GGML_LOG_LEVEL_WARN && level != GGML_LOG_LEVEL_ERROR) || first_message[0] != '\0') {
        return;
    }
    size_t length = std::min(std::strlen(text), sizeof(first_message) - 1);
    while (length > 0 && text[length - 1] == '\n') {
        length--;
    }
    std::memcpy(first_message, text, length);
    first_message[length] = '\0';
}

} // namespace

void capture_ggml_log() {
    static std::once_flag once;
    std::call_once(once, [] { ggml_log_set(keep, nullptr); });
}

void forget_ggml_messages() {
    first_message[0] = '\0';
}

std::string first_ggml_message() {
    return first_message;
}

} // namespace moss
