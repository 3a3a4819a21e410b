// One computation: build it, run it, read its outputs.
//
//     Graph g(runner);
//     ggml_tensor * x = g.input(GGML_TYPE_F32, {256, frames}, samples);
//     x = linear(g, x, weight, bias);
//     g.stage(x, "encoder.input");
//     g.output(x, values);
//     g.run();

#pragma once

#include "runner.h"

#include "../io/gguf_file.h" // Shape

#include "ggml.h"

#include <list>
#include <string>
#include <vector>

namespace moss {

/// A graph under construction on a runner; one at a time per runner.
class Graph {
  public:
    /// Of up to so many `tensors`; networks as deep as a file says count them. Throws out_of_memory.
    explicit Graph(Runner & runner, size_t tensors = 16384);
    ~Graph();
    Graph(const Graph &) = delete;
    Graph & operator=(const Graph &) = delete;

    /// ggml's functions take the graph itself for their context: ggml_add(g, a, b). Throws internal where the graph is
    /// full: ggml would abort.
    operator ggml_context *() const;

    /// An input of `shape`; `data` is read in run() and must live until then. Elements > 0.
    ggml_tensor * input(ggml_type type, const Shape & shape, const void * data);

    /// The same for values that the graph keeps.
    ggml_tensor * input(const Shape & shape, std::vector<float> values);

    /// Gives a tensor its stage's name, and keeps its values where the runner collects stages. Returns the tensor.
    ggml_tensor * stage(ggml_tensor * tensor, const std::string & name);

    /// Whether the runner collects what heads contribute; then `heads` keeps such a tensor's values, [heads, T].
    bool measures_heads() const { return runner_.heads != nullptr; }
    void heads(ggml_tensor * tensor, const std::string & name);

    /// After run(), `to` holds the tensor's values (F32, made contiguous here).
    void output(ggml_tensor * tensor, std::vector<float> & to);

    /// Computes a tensor for its effect, such as a ggml_cpy into a state.
    void effect(ggml_tensor * tensor);

    /// Throws out_of_memory, aborted or internal.
    void run();

  private:
    struct Input {
        ggml_tensor * tensor;
        const void * data;
    };
    struct Output {
        ggml_tensor * tensor;
        std::vector<float> * to;
    };
    struct Kept {
        Stages * to;
        std::string name;
        ggml_tensor * tensor;
    };

    void keep(Stages * to, const std::string & name, ggml_tensor * tensor);

    Runner & runner_;
    size_t most_; // bytes of tensors before the last ones
    ggml_context * context_;
    ggml_cgraph * graph_;
    std::vector<Input> inputs_;
    std::vector<Output> outputs_;
    std::vector<Kept> kept_;
    std::list<std::vector<float>> constants_;
};

} // namespace moss
