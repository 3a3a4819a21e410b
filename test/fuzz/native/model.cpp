// Hostile model files: whatever the metadata and the table of tensors say, the file must be refused with an error or
// run.
//
// An input is a GGUF file without the data of its tensors, which is replaced by zeros. So inputs are small, and every
// mutation hits the metadata. Half of the mutations change one number of the metadata or of a tensor's shape, because
// random mutations seldom hit these.

#include "core/moss.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" size_t LLVMFuzzerMutate(uint8_t * data, size_t size, size_t max_size);

namespace {

constexpr size_t tensor_data = 2 << 20; // bytes of zeros: more than the small models of test/golden have
constexpr size_t longest = 1 << 20;

enum Kind : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// The position of a number in the file.
struct Number {
    size_t at;
    size_t bytes;
    bool real;
};

/// Parses the metadata and tensors of a file, as far as they are valid, and collects the positions of numbers.
class Scanner {
  public:
    Scanner(const uint8_t * data, size_t size) : data_(data), size_(size) {
        try {
            at_ = 8; // magic, version
            const uint64_t tensors = integer(8);
            const uint64_t keys = integer(8);
            for (uint64_t i = 0; i < keys; i++) {
                skip(integer(8, false)); // name
                value(static_cast<uint32_t>(integer(4)));
            }
            for (uint64_t i = 0; i < tensors; i++) {
                skip(integer(8, false));
                const uint64_t dimensions = integer(4);
                for (uint64_t d = 0; d < std::min<uint64_t>(dimensions, 4); d++) {
                    integer(8);
                }
                integer(4); // type
                integer(8); // offset
            }
        } catch (const std::out_of_range &) {
            // the numbers found so far are used
        }
    }

    const std::vector<Number> & numbers() const { return numbers_; }

  private:
    uint64_t integer(size_t bytes, bool note = true) {
        if (bytes > size_ || at_ > size_ - bytes) {
            throw std::out_of_range("the end");
        }
        uint64_t value = 0;
        std::memcpy(&value, data_ + at_, bytes);
        if (note) {
            numbers_.push_back({at_, bytes, false});
        }
        at_ += bytes;
        return value;
    }

    void skip(uint64_t bytes) {
        if (bytes > size_ - at_) {
            throw std::out_of_range("the end");
        }
        at_ += static_cast<size_t>(bytes);
    }

    void value(uint32_t kind) {
        static constexpr size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
        if (kind > f64) {
            throw std::out_of_range("no such kind");
        }
        if (kind == string) {
            skip(integer(8));
        } else if (kind == array) {
            const auto of = static_cast<uint32_t>(integer(4));
            const uint64_t count = integer(8);
            for (uint64_t i = 0; i < count; i++) {
                value(of);
            }
        } else {
            integer(sizes[kind]);
            numbers_.back().real = kind == f32 || kind == f64;
        }
    }

    const uint8_t * data_;
    size_t size_;
    size_t at_ = 0;
    std::vector<Number> numbers_;
};

void change(uint8_t * data, const Number & number, std::minstd_rand & random) {
    static constexpr int64_t values[] = {0,   1,   2,    3,    7,     8,          16,        31,   32,
                                         63,  64,  128,  255,  256,   512,        1000,      4096, 65535,
                                         -1,  -2,  1 << 20, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    static constexpr double reals[] = {0, -0.0, 1, -1, 0.5, 1e-30, 1e30, -1e30, INFINITY, NAN, 3.4e38};
    if (number.real) {
        const double value = reals[random() % std::size(reals)];
        const auto single = static_cast<float>(value);
        std::memcpy(data + number.at, number.bytes == 4 ? static_cast<const void *>(&single) : &value, number.bytes);
        return;
    }
    int64_t old = 0;
    std::memcpy(&old, data + number.at, number.bytes);
    const auto unsigned_old = static_cast<uint64_t>(old);
    const uint64_t choices[] = {static_cast<uint64_t>(values[random() % std::size(values)]),
                                unsigned_old + 1,
                                unsigned_old - 1,
                                unsigned_old * 2,
                                unsigned_old / 2,
                                unsigned_old * (random() % 64)};
    const uint64_t value = choices[random() % std::size(choices)];
    std::memcpy(data + number.at, &value, number.bytes);
}

/// Runs `body`; an error of this package is a correct result.
template <class Body>
void allow_errors(Body && body) {
    try {
        body();
    } catch (const moss::MossError & error) {
        if (error.code() == std::string(moss::code::internal)) {
            std::fprintf(stderr, "%s\n", error.what());
            std::abort();
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int * /*argc*/, char *** /*argv*/) {
    moss::initialize(".");
    return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t * data, size_t size, size_t max_size, unsigned int seed) {
    std::minstd_rand random(seed);
    if (random() % 4 == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    const Scanner scanner(data, size);
    if (scanner.numbers().empty()) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    for (unsigned i = 0; i < 1 + random() % 2; i++) {
        change(data, scanner.numbers()[random() % scanner.numbers().size()], random);
    }
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t * data, size_t size) {
    if (size > longest) {
        return 0;
    }
    std::vector<uint8_t> file(data, data + size);
    if (size > 0 && data[size - 1] != 1) { // otherwise the file is truncated
        file.resize(size + tensor_data);
    }
    allow_errors([&] {
        moss::LoadOptions options;
        options.threads = 1;
        const auto model = moss::Model::from_memory(file.data(), file.size(), options);
        const moss::ModelInfo & info = model->info();
        moss::Session session(model, 1);
        moss::CancelToken cancel;
        const auto ignore = [](moss::Chunk && /*chunk*/) {};
        const std::vector<float> samples(4000, 0.01F);
        if (info.input_sample_rate > 0) {
            allow_errors([&] { session.encode(samples, cancel); });
            allow_errors([&] { session.features(samples, ignore, cancel); });
        }
        moss::Request request;
        request.max_seconds = 0.5;
        request.max_tokens = 3;
        request.text = {1, 2, 3};
        allow_errors([&] { session.generate(request, ignore, cancel); });
        request.text.clear();
        request.samples = samples;
        allow_errors([&] { session.generate(request, ignore, cancel); });
        allow_errors([&] { session.speak({1, 2, 3}, {}, ignore, cancel); });
    });
    return 0;
}
