#include "test.h"

#include "io/ggml_log.h"

#include "ggml-backend.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace moss::test {

namespace {

struct Case {
    std::string name; // file/test
    void (*body)();
};

// A function-local static, because registrations run before main() in any order.
std::vector<Case> & cases() {
    static std::vector<Case> all;
    return all;
}

std::string stem(const std::string & path) {
    const size_t begin = path.find_last_of("/\\") + 1;
    return path.substr(begin, path.find_last_of('.') - begin);
}

#ifdef MOSS_BACKEND_DL
std::string folder(const std::string & path) {
    const size_t end = path.find_last_of("/\\");
    return end == std::string::npos ? "." : path.substr(0, end);
}
#endif

bool selected(const std::string & name, int argc, char ** argv) {
    return argc < 2 ||
           std::any_of(argv + 1, argv + argc, [&](const char * part) { return std::strstr(name.c_str(), part); });
}

} // namespace

Registration::Registration(const char * name, const char * file, void (*body)()) {
    cases().push_back({stem(file) + "/" + name, body});
}

int run(int argc, char ** argv) {
    capture_ggml_log();
#ifdef MOSS_BACKEND_DL
    ggml_backend_load_all_from_path(folder(argv[0]).c_str());
#endif
    std::sort(cases().begin(), cases().end(), [](const Case & a, const Case & b) { return a.name < b.name; });
    int passed = 0;
    int failed = 0;
    int skipped = 0;
    for (const Case & test : cases()) {
        if (!selected(test.name, argc, argv)) {
            continue;
        }
        const auto start = std::chrono::steady_clock::now();
        std::string outcome = "ok";
        std::string detail;
        try {
            test.body();
            passed++;
        } catch (const Skipped & why) {
            outcome = "skipped";
            detail = why.what();
            skipped++;
        } catch (const std::exception & error) {
            outcome = "FAILED";
            detail = error.what();
            failed++;
        }
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        std::printf("%-8s%s (%.0f ms)%s%s\n", outcome.c_str(), test.name.c_str(), took.count(),
                    detail.empty() ? "" : "\n        ", detail.c_str());
        std::fflush(stdout);
    }
    std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed > 0 || passed == 0 ? 1 : 0;
}

} // namespace moss::test

int main(int argc, char ** argv) {
    return moss::test::run(argc, argv);
}
