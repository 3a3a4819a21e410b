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

/// A graph that is being built and run on a runner. A runner has one graph at a time.
class Graph {
  public:
    /// Makes room for up to `tensors` tensors. Networks whose depth is read from a file calculate how many they need.
    /// Throws out_of_memory.
    explicit Graph(Runner & runner, size_t tensors = 16384);
    ~Graph();
    Graph(const Graph &) = delete;
    Graph & operator=(const Graph &) = delete;

    /// Lets ggml's functions take the graph as their context: ggml_add(g, a, b). Throws `internal` when the graph is
    /// full, where ggml itself would abort.
    operator ggml_context *() const;

    /// An input of `shape`; `data` is read in run() and must live until then. Elements > 0.
    ggml_tensor * input(ggml_type type, const Shape & shape, const void * data);

    /// The same; the graph keeps the values.
    ggml_tensor * input(const Shape & shape, std::vector<float> values);

    /// Names a tensor as a stage of the network, and keeps its values if the runner collects stages. Returns the
    /// tensor.
    ggml_tensor * stage(ggml_tensor * tensor, const std::string & name);

    /// Whether the runner collects how much each attention head contributes. If it does, `heads` keeps the values of
    /// such a tensor, [heads, T].
    bool measures_heads() const { return runner_.heads != nullptr; }
    void heads(ggml_tensor * tensor, const std::string & name);

    /// After run(), `to` holds the tensor's values (F32, made contiguous here).
    void output(ggml_tensor * tensor, std::vector<float> & to);

    /// Has a tensor computed for its side effect, such as a ggml_cpy into a state.
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
    size_t most_; // bytes of tensors that may be used before the graph is full
    ggml_context * context_;
    ggml_cgraph * graph_;
    std::vector<Input> inputs_;
    std::vector<Output> outputs_;
    std::vector<Kept> kept_;
    std::list<std::vector<float>> constants_;
};

} // namespace moss
