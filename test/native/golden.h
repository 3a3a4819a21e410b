// The tiny models of test/golden, and the stages that their PyTorch implementations ("twins") computed.

#pragma once

#include "test.h"

#include "graph/runner.h"
#include "graph/weights.h"
#include "io/gguf_file.h"
#include "model/listener.h"
#include "model/lm.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace moss::test {

/// A file of test/golden, or one with a whole path.
inline std::string golden_path(const std::string & name) {
    return (std::filesystem::path(MOSS_SOURCE_DIR) / "test" / "golden" / name).string();
}

/// Reference tensors by stage, in rows of ne0 values.
class Golden {
  public:
    explicit Golden(const std::string & name) : file_(GgufFile::open(golden_path(name))) {}

    StageData get(const std::string & stage) const;
    std::vector<float> values(const std::string & stage) const { return get(stage).values; }
    std::vector<int32_t> ids(const std::string & key) const;

    /// Checks every stage of `found` that is in the file: the largest error must be at most `tolerance` times the range
    /// of the stage (its largest value minus its smallest). Returns the number of stages compared.
    int check_error(const Stages & found, double tolerance) const;

    /// The same with the cosine similarity, which must be at least `least`.
    int check_cosine(const Stages & found, double least) const;

  private:
    using Comparison = std::function<void(const std::string & name, const std::vector<float> & values,
                                          const std::vector<float> & expected)>;

    int compare(const Stages & found, const Comparison & check) const;

    GgufFile file_;
};

/// The largest difference between the values of two lists of equal length.
double max_difference(const std::vector<float> & a, const std::vector<float> & b);

/// The cosine similarity of two lists.
double cosine(const std::vector<float> & a, const std::vector<float> & b);

/// A bundle of test/golden with its listener and, if it has one, its language model.
struct TestModel {
    explicit TestModel(const std::string & name, int threads = 2);

    GgufFile file;
    Weights weights;
    Runner runner;
    std::unique_ptr<Lm> lm;
    std::unique_ptr<Listener> listener;
};

/// The language model of an imported model of test/golden, without a session.
struct Imported {
    explicit Imported(const std::string & name)
        : file(GgufFile::open(golden_path(name + ".gguf"))), weights(file), runner(2), lm(file, weights) {}

    GgufFile file;
    Weights weights;
    Runner runner;
    Lm lm;
};

} // namespace moss::test
