#include "golden.h"

#include <algorithm>
#include <cmath>

namespace moss::test {

StageData Golden::get(const std::string & stage) const {
    const TensorInfo * info = file_.find_tensor(stage);
    if (!info) {
        throw Failure("no golden stage " + stage);
    }
    StageData data{info->shape[0], std::vector<float>(info->bytes / sizeof(float))};
    file_.read(*info, data.values.data());
    return data;
}

std::vector<int32_t> Golden::ids(const std::string & key) const {
    std::vector<int32_t> ids;
    for (const int64_t id : file_.get_ints(key, 0, 1 << 20)) {
        ids.push_back(static_cast<int32_t>(id));
    }
    return ids;
}

namespace {

void check_size(const std::string & name, const StageData & found, const StageData & expected) {
    if (found.ne0 != expected.ne0 || found.values.size() != expected.values.size()) {
        throw Failure(name + ": " + std::to_string(found.values.size()) + " values in rows of " +
                      std::to_string(found.ne0) + ", the twin has " + std::to_string(expected.values.size()) +
                      " in rows of " + std::to_string(expected.ne0));
    }
}

} // namespace

int Golden::compare(const Stages & found, const Comparison & check) const {
    int compared = 0;
    for (const auto & [name, data] : found) {
        if (file_.find_tensor(name)) {
            const StageData expected = get(name);
            check_size(name, data, expected);
            check(name, data.values, expected.values);
            compared++;
        }
    }
    return compared;
}

int Golden::check_error(const Stages & found, double tolerance) const {
    return compare(found, [&](const std::string & name, const auto & values, const auto & expected) {
        const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
        const double range = double(*high) - *low;
        const double error = max_difference(values, expected);
        if (!(error <= tolerance * range)) {
            throw Failure(name + ": error " + std::to_string(error) + " in a range of " + std::to_string(range));
        }
    });
}

int Golden::check_cosine(const Stages & found, double least) const {
    return compare(found, [&](const std::string & name, const auto & values, const auto & expected) {
        const double found_cosine = cosine(values, expected);
        if (!(found_cosine >= least)) {
            throw Failure(name + ": cosine " + std::to_string(found_cosine));
        }
    });
}

double max_difference(const std::vector<float> & a, const std::vector<float> & b) {
    CHECK_EQ(a.size(), b.size());
    double largest = 0;
    for (size_t i = 0; i < a.size(); i++) {
        const double difference = std::fabs(double(a[i]) - b[i]);
        if (!(difference <= largest)) { // NaN counts as the largest
            largest = difference;
        }
    }
    return largest;
}

double cosine(const std::vector<float> & a, const std::vector<float> & b) {
    CHECK_EQ(a.size(), b.size());
    double dot = 0, of_a = 0, of_b = 0;
    for (size_t i = 0; i < a.size(); i++) {
        dot += double(a[i]) * b[i];
        of_a += double(a[i]) * a[i];
        of_b += double(b[i]) * b[i];
    }
    return dot / std::sqrt(of_a * of_b);
}

TestModel::TestModel(const std::string & name, int threads)
    : file(GgufFile::open(golden_path(name))), weights(file), runner(threads) {
    if (file.has("moss-speech.lm.embedding_length")) {
        lm = std::make_unique<Lm>(file, weights);
    }
    const int units = static_cast<int>(load_units(file).size());
    listener = std::make_unique<Listener>(file, weights, units, lm ? lm->text_embd() : nullptr, runner);
}

} // namespace moss::test
