#include "gguf_file.h"

#include "ggml_log.h"

#include "gguf.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>

namespace moss {

namespace {

// The most keys or tensors in a file; no model has more. ggml's parser compares every name with all earlier ones, so
// that a hostile file with many more would keep it busy for very long.
constexpr uint64_t max_count = 16384;

constexpr uint64_t read_at_once = 4 << 20; // bytes, read in a few milliseconds

[[noreturn]] void corrupt(const std::string & why) {
    throw MossError(code::model_format, "not a valid GGUF file: " + why, {{"reason", why}});
}

template <class T>
T load(const void * from, size_t index = 0) {
    T value;
    std::memcpy(&value, static_cast<const char *>(from) + index * sizeof(T), sizeof(T));
    return value;
}

bool is_integer(gguf_type type) {
    return type <= GGUF_TYPE_INT32 || type == GGUF_TYPE_UINT64 || type == GGUF_TYPE_INT64;
}

bool is_float(gguf_type type) {
    return type == GGUF_TYPE_FLOAT32 || type == GGUF_TYPE_FLOAT64;
}

int64_t load_int(gguf_type type, const void * from, size_t index = 0) {
    switch (type) {
    case GGUF_TYPE_UINT8:
        return load<uint8_t>(from, index);
    case GGUF_TYPE_INT8:
        return load<int8_t>(from, index);
    case GGUF_TYPE_UINT16:
        return load<uint16_t>(from, index);
    case GGUF_TYPE_INT16:
        return load<int16_t>(from, index);
    case GGUF_TYPE_UINT32:
        return load<uint32_t>(from, index);
    case GGUF_TYPE_INT32:
        return load<int32_t>(from, index);
    case GGUF_TYPE_UINT64: {
        const uint64_t value = load<uint64_t>(from, index);
        return value > INT64_MAX ? INT64_MAX : static_cast<int64_t>(value);
    }
    default:
        return load<int64_t>(from, index);
    }
}

double load_float(gguf_type type, const void * from, size_t index = 0) {
    switch (type) {
    case GGUF_TYPE_FLOAT32:
        return load<float>(from, index);
    case GGUF_TYPE_FLOAT64:
        return load<double>(from, index);
    default:
        return static_cast<double>(load_int(type, from, index));
    }
}

std::string type_name(const gguf_context * gguf, int64_t id) {
    const gguf_type type = gguf_get_kv_type(gguf, id);
    if (type == GGUF_TYPE_ARRAY) {
        return std::string("array of ") + gguf_type_name(gguf_get_arr_type(gguf, id));
    }
    return gguf_type_name(type);
}

std::string range(double low, double high) {
    char text[64];
    std::snprintf(text, sizeof text, "%.10g … %.10g", low, high);
    return text;
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", value);
    return text;
}

} // namespace

std::string to_string(const Shape & shape) {
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); i++) {
        text += (i ? ", " : "") + std::to_string(shape[i]);
    }
    return text + "]";
}

/// Random access to the bytes of a file or of a buffer in memory.
struct GgufFile::Source {
    FILE * file = nullptr;
    const char * memory = nullptr;
    uint64_t size = 0;

    Source() = default;
    Source(const Source &) = delete;
    ~Source() {
        if (file) {
            std::fclose(file);
        }
    }

    size_t read(void * to, uint64_t offset, size_t count) const {
        if (offset > size || count > size - offset) {
            return 0;
        }
        if (!file) {
            std::memcpy(to, memory + offset, count);
            return count;
        }
#ifdef _WIN32
        const int failed = _fseeki64(file, static_cast<int64_t>(offset), SEEK_SET);
#else
        const int failed = fseeko(file, static_cast<off_t>(offset), SEEK_SET);
#endif
        return failed ? 0 : std::fread(to, 1, count, file);
    }
};

GgufFile GgufFile::open(const std::string & path) {
    const auto file_path = std::filesystem::u8path(path);
    std::error_code error;
    if (!std::filesystem::is_regular_file(file_path, error)) {
        const bool exists = std::filesystem::exists(file_path, error);
        throw MossError(code::model_not_found, path + (exists ? ": not a file" : ": no such file"), {{"path", path}});
    }
    auto source = std::make_unique<Source>();
    source->size = std::filesystem::file_size(file_path, error);
    source->file = error ? nullptr : ggml_fopen(path.c_str(), "rb");
    if (!source->file && errno == ENOMEM) {
        throw MossError(code::out_of_memory, "no memory to read " + path, {{"path", path}});
    }
    if (!source->file) {
        throw MossError(code::model_not_found, path + ": cannot be read", {{"path", path}});
    }
    try {
        return GgufFile(std::move(source));
    } catch (const MossError & found) {
        ErrorDetails details = found.details();
        details.push_back({"path", path});
        throw MossError(found.code(), path + ": " + found.what(), details);
    }
}

GgufFile GgufFile::from_memory(const void * data, size_t size) {
    auto source = std::make_unique<Source>();
    source->memory = static_cast<const char *>(data);
    source->size = size;
    return GgufFile(std::move(source));
}

GgufFile::GgufFile(std::unique_ptr<Source> source) : source_(std::move(source)), gguf_(nullptr, gguf_free) {
    capture_ggml_log();
    char header[24];
    if (source_->read(header, 0, sizeof header) != sizeof header) {
        corrupt("shorter than a header");
    }
    if (std::memcmp(header, GGUF_MAGIC, 4) != 0) {
        corrupt("it does not begin with GGUF");
    }
    if (load<uint64_t>(header + 8) > max_count || load<uint64_t>(header + 16) > max_count) {
        corrupt("more than " + std::to_string(max_count) + " tensors or keys");
    }
    const auto read_source = [](void * user, void * to, uint64_t offset, size_t count) {
        return static_cast<const Source *>(user)->read(to, offset, count);
    };
    forget_ggml_messages();
    gguf_.reset(gguf_init_from_callback(read_source, source_.get(), 0, source_->size, {true, nullptr}));
    if (!gguf_) {
        const std::string why = first_ggml_message();
        if (why.find("bad_alloc") != std::string::npos) {
            throw MossError(code::out_of_memory, "no memory for the metadata of a GGUF file");
        }
        corrupt(why);
    }
    check_tensors();
}

GgufFile::GgufFile(GgufFile &&) noexcept = default;
GgufFile & GgufFile::operator=(GgufFile &&) noexcept = default;
GgufFile::~GgufFile() = default;

void GgufFile::check_tensors() {
    const gguf_context * gguf = gguf_.get();
    const uint64_t begin = gguf_get_data_offset(gguf);
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        TensorInfo info;
        info.name = gguf_get_tensor_name(gguf, i);
        info.type = gguf_get_tensor_type(gguf, i);
        const int64_t * ne = gguf_get_tensor_ne(gguf, i);
        info.shape.assign(ne, ne + GGML_MAX_DIMS);

        // The product of the sizes is checked against the file's size at each step, because ggml's own product may
        // overflow.
        const uint64_t block = static_cast<uint64_t>(ggml_blck_size(info.type));
        uint64_t bytes = ggml_type_size(info.type);
        for (size_t d = 0; d < info.shape.size(); d++) {
            const uint64_t count = static_cast<uint64_t>(info.shape[d]) / (d == 0 ? block : 1);
            if (info.shape[d] < 1 || count < 1 || bytes > source_->size / count) {
                corrupt("tensor " + info.name + " of shape " + to_string(info.shape) +
                        " is larger than the file or empty");
            }
            bytes *= count;
        }
        info.bytes = bytes;
        const uint64_t offset = gguf_get_tensor_offset(gguf, i);
        if (begin > source_->size || offset > source_->size - begin || bytes > source_->size - begin - offset) {
            corrupt("truncated: tensor " + info.name + " ends after the file");
        }
        info.offset = begin + offset;
        while (info.shape.size() > 1 && info.shape.back() == 1) {
            info.shape.pop_back();
        }
        tensors_.push_back(std::move(info));
    }
}

bool GgufFile::has(const std::string & key) const {
    return gguf_find_key(gguf_.get(), key.c_str()) >= 0;
}

int64_t GgufFile::require(const std::string & key, const char * expected) const {
    const int64_t id = gguf_find_key(gguf_.get(), key.c_str());
    if (id < 0) {
        throw model_format_error(key, expected, "no such key");
    }
    return id;
}

int64_t GgufFile::get_int(const std::string & key, int64_t low, int64_t high) const {
    const int64_t id = require(key, "an integer");
    const gguf_type type = gguf_get_kv_type(gguf_.get(), id);
    if (!is_integer(type)) {
        throw model_format_error(key, "an integer", type_name(gguf_.get(), id));
    }
    const int64_t value = load_int(type, gguf_get_val_data(gguf_.get(), id));
    if (value < low || value > high) {
        throw model_format_error(key, range(double(low), double(high)), std::to_string(value));
    }
    return value;
}

double GgufFile::get_float(const std::string & key, double low, double high) const {
    const int64_t id = require(key, "a number");
    const gguf_type type = gguf_get_kv_type(gguf_.get(), id);
    if (!is_integer(type) && !is_float(type)) {
        throw model_format_error(key, "a number", type_name(gguf_.get(), id));
    }
    const double value = load_float(type, gguf_get_val_data(gguf_.get(), id));
    if (!(value >= low && value <= high)) { // NaN is outside
        throw model_format_error(key, range(low, high), number(value));
    }
    return value;
}

bool GgufFile::get_bool(const std::string & key) const {
    const int64_t id = require(key, "a boolean");
    if (gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_BOOL) {
        throw model_format_error(key, "a boolean", type_name(gguf_.get(), id));
    }
    return gguf_get_val_bool(gguf_.get(), id);
}

std::string GgufFile::get_string(const std::string & key) const {
    const int64_t id = require(key, "a string");
    if (gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_STRING) {
        throw model_format_error(key, "a string", type_name(gguf_.get(), id));
    }
    return gguf_get_val_str(gguf_.get(), id);
}

std::vector<int64_t> GgufFile::get_ints(const std::string & key, int64_t low, int64_t high) const {
    const int64_t id = require(key, "an array of integers");
    if (gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_ARRAY || !is_integer(gguf_get_arr_type(gguf_.get(), id))) {
        throw model_format_error(key, "an array of integers", type_name(gguf_.get(), id));
    }
    const gguf_type type = gguf_get_arr_type(gguf_.get(), id);
    std::vector<int64_t> values(gguf_get_arr_n(gguf_.get(), id));
    for (size_t i = 0; i < values.size(); i++) {
        values[i] = load_int(type, gguf_get_arr_data(gguf_.get(), id), i);
        if (values[i] < low || values[i] > high) {
            throw model_format_error(key, range(double(low), double(high)), std::to_string(values[i]));
        }
    }
    return values;
}

std::vector<int> GgufFile::get_int_each(const std::string & key, int low, int high, int count) const {
    const int64_t id = require(key, "an integer, or an array of them");
    if (gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_ARRAY) {
        return std::vector<int>(static_cast<size_t>(count), static_cast<int>(get_int(key, low, high)));
    }
    if (gguf_get_arr_n(gguf_.get(), id) != static_cast<size_t>(count)) {
        throw model_format_error(key, "an integer, or an array of " + std::to_string(count) + ", one a layer",
                                 "an array of " + std::to_string(gguf_get_arr_n(gguf_.get(), id)));
    }
    std::vector<int> values;
    for (const int64_t value : get_ints(key, low, high)) {
        values.push_back(static_cast<int>(value));
    }
    return values;
}

std::vector<double> GgufFile::get_floats(const std::string & key) const {
    const int64_t id = require(key, "an array of numbers");
    const bool array = gguf_get_kv_type(gguf_.get(), id) == GGUF_TYPE_ARRAY;
    const gguf_type type = array ? gguf_get_arr_type(gguf_.get(), id) : GGUF_TYPE_STRING;
    if (!is_integer(type) && !is_float(type)) {
        throw model_format_error(key, "an array of numbers", type_name(gguf_.get(), id));
    }
    std::vector<double> values(gguf_get_arr_n(gguf_.get(), id));
    for (size_t i = 0; i < values.size(); i++) {
        values[i] = load_float(type, gguf_get_arr_data(gguf_.get(), id), i);
    }
    return values;
}

std::vector<std::string> GgufFile::get_strings(const std::string & key) const {
    const int64_t id = require(key, "an array of strings");
    if (gguf_get_kv_type(gguf_.get(), id) != GGUF_TYPE_ARRAY ||
        gguf_get_arr_type(gguf_.get(), id) != GGUF_TYPE_STRING) {
        throw model_format_error(key, "an array of strings", type_name(gguf_.get(), id));
    }
    std::vector<std::string> values(gguf_get_arr_n(gguf_.get(), id));
    for (size_t i = 0; i < values.size(); i++) {
        values[i] = gguf_get_arr_str(gguf_.get(), id, i);
    }
    return values;
}

const TensorInfo * GgufFile::find_tensor(const std::string & name) const {
    const int64_t id = gguf_find_tensor(gguf_.get(), name.c_str());
    return id < 0 ? nullptr : &tensors_[static_cast<size_t>(id)];
}

void GgufFile::read(const TensorInfo & info, void * to) const {
    read(info, 0, info.bytes, to);
}

void GgufFile::read(const TensorInfo & info, uint64_t offset, uint64_t count, void * to) const {
    for (uint64_t done = 0; done < count;) {
        if (before_read) {
            before_read();
        }
        const auto piece = static_cast<size_t>(std::min(count - done, read_at_once));
        if (source_->read(static_cast<char *>(to) + done, info.offset + offset + done, piece) != piece) {
            corrupt("tensor " + info.name + " cannot be read");
        }
        done += piece;
    }
}

} // namespace moss
