// The results and the speed of llama.cpp for a model file:
//
//     reference logits model.gguf f32|f16 ID…          writes the logits of every position as floats to standard output;
//                                                      the type is that of keys and values
//     reference tokenize model.gguf < lines.txt        a line of ids for each line, in which \n, \r, \t, \\ are escapes;
//                                                      control tokens that are spelled out are text
//     reference speed model.gguf THREADS POSITIONS SEQUENCES
//                                                      with a context of POSITIONS for each of SEQUENCES conversations, for each
//                                                      line {"prompt":N,"steps":M} of standard input a line of JSON: the wall-clock
//                                                      and processor time of reading N tokens, and of generating M more, always
//                                                      the most probable one, in each conversation, step by step together

#include "llama.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string & why) {
    std::cerr << "reference: " << why << "\n";
    std::exit(1);
}

llama_model * load(const char * path, bool vocab_only) {
    llama_model_params params = llama_model_default_params();
    params.vocab_only = vocab_only;
    llama_model * model = llama_model_load_from_file(path, params);
    if (!model) {
        fail(std::string("cannot load ") + path);
    }
    return model;
}

llama_context * context(llama_model * model, int rows, int threads, ggml_type cache, int sequences = 1) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(rows * sequences);
    params.n_seq_max = static_cast<uint32_t>(sequences);
    params.n_batch = params.n_ctx;
    params.n_threads = params.n_threads_batch = threads;
    params.type_k = params.type_v = cache;
    // Plain attention when the numbers are compared, llama.cpp's own choice when the speed is.
    params.flash_attn_type = cache == GGML_TYPE_F32 ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_AUTO;
    llama_context * made = llama_init_from_model(model, params);
    if (!made) {
        fail("no context");
    }
    return made;
}

/// Reads the next ids of a conversation.
void decode(llama_context * ctx, const std::vector<llama_token> & ids, int past, bool all, int sequence = 0) {
    llama_batch batch = llama_batch_init(static_cast<int32_t>(ids.size()), 0, 1);
    batch.n_tokens = static_cast<int32_t>(ids.size());
    for (int i = 0; i < batch.n_tokens; i++) {
        batch.token[i] = ids[static_cast<size_t>(i)];
        batch.pos[i] = past + i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = sequence;
        batch.logits[i] = all || i + 1 == batch.n_tokens;
    }
    if (llama_decode(ctx, batch) != 0) {
        fail("llama_decode failed");
    }
    llama_batch_free(batch);
}

/// Reads one id in each conversation.
void step(llama_context * ctx, const std::vector<llama_token> & ids, int past) {
    llama_batch batch = llama_batch_init(static_cast<int32_t>(ids.size()), 0, 1);
    batch.n_tokens = static_cast<int32_t>(ids.size());
    for (int i = 0; i < batch.n_tokens; i++) {
        batch.token[i] = ids[static_cast<size_t>(i)];
        batch.pos[i] = past;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = i;
        batch.logits[i] = true;
    }
    if (llama_decode(ctx, batch) != 0) {
        fail("llama_decode failed");
    }
    llama_batch_free(batch);
}

void logits(int argc, char ** argv) {
    llama_model * model = load(argv[2], false);
    std::vector<llama_token> ids;
    for (int i = 4; i < argc; i++) {
        ids.push_back(std::atoi(argv[i]));
    }
    const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    const int rows = static_cast<int>(ids.size());
    llama_context * ctx = context(model, rows, 1, std::strcmp(argv[3], "f32") == 0 ? GGML_TYPE_F32 : GGML_TYPE_F16);
    decode(ctx, ids, 0, true);
    for (int i = 0; i < rows; i++) {
        std::fwrite(llama_get_logits_ith(ctx, i), sizeof(float), static_cast<size_t>(vocabulary), stdout);
    }
}

std::string unescape(const std::string & line) {
    std::string text;
    for (size_t i = 0; i < line.size(); i++) {
        if (line[i] == '\\' && i + 1 < line.size()) {
            const char c = line[++i];
            text += c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        } else {
            text += line[i];
        }
    }
    return text;
}

void tokenize(char ** argv) {
    const llama_vocab * vocab = llama_model_get_vocab(load(argv[2], true));
    std::string line;
    while (std::getline(std::cin, line)) {
        const std::string text = unescape(line);
        std::vector<llama_token> ids(text.size() + 8);
        const int count = llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), ids.data(),
                                         static_cast<int32_t>(ids.size()), false, false);
        for (int i = 0; i < count; i++) {
            std::cout << (i ? " " : "") << ids[static_cast<size_t>(i)];
        }
        std::cout << "\n";
    }
}

/// Measures `work` and returns {"ms":…,"cpuMs":…}.
template <class Work>
std::string timed(Work work) {
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t processor = std::clock();
    work();
    const double cpu = 1000.0 * static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC;
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    char text[96];
    std::snprintf(text, sizeof(text), "{\"ms\":%.3f,\"cpuMs\":%.3f}", ms, cpu);
    return text;
}

void speed(char ** argv) {
    llama_model * model = load(argv[2], false);
    const int sequences = std::atoi(argv[5]);
    llama_context * ctx = context(model, std::atoi(argv[4]), std::atoi(argv[3]), GGML_TYPE_F16, sequences);
    const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    const auto likeliest = [&](int row) {
        const float * logits = llama_get_logits_ith(ctx, row);
        return static_cast<llama_token>(std::max_element(logits, logits + vocabulary) - logits);
    };
    std::string line;
    while (std::getline(std::cin, line)) {
        int prompt = 0, steps = 0;
        if (std::sscanf(line.c_str(), "{\"prompt\":%d,\"steps\":%d}", &prompt, &steps) != 2) {
            fail("not a request: " + line);
        }
        std::vector<llama_token> ids;
        for (int i = 0; i < prompt; i++) {
            ids.push_back(100 + i * 7 % 1000); // the same prompt as in bench/lm.mjs
        }
        llama_memory_clear(llama_get_memory(ctx), true);
        std::vector<llama_token> next;
        const std::string first = timed([&] {
            for (int i = 0; i < sequences; i++) {
                decode(ctx, ids, 0, false, i);
                next.push_back(likeliest(-1));
            }
        });
        const std::string rest = timed([&] {
            for (int i = 0; i < steps; i++) {
                step(ctx, next, prompt + i);
                for (int row = 0; row < sequences; row++) {
                    next[static_cast<size_t>(row)] = likeliest(row);
                }
            }
        });
        std::printf("{\"prompt\":%s,\"steps\":%s}\n", first.c_str(), rest.c_str());
        std::fflush(stdout);
    }
}

} // namespace

int main(int argc, char ** argv) {
    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level == GGML_LOG_LEVEL_ERROR) {
            std::cerr << text;
        }
    }, nullptr);
    const std::string mode = argc > 2 ? argv[1] : "";
    if (mode == "logits" && argc > 4) {
        logits(argc, argv);
    } else if (mode == "tokenize") {
        tokenize(argv);
    } else if (mode == "speed" && argc == 6) {
        speed(argv);
    } else {
        fail("see the head of reference.cpp");
    }
    return 0;
}
