#include "snake.h"

#include "vector_ops.h"
#include "work.h"

#include <stdexcept>
#include <string>

namespace moss {

namespace {

void snake_rows(ggml_tensor * dst, int ith, int nth, void * userdata) {
    const auto & constants = *static_cast<const SnakeConstants *>(userdata);
    const auto first = parameters_of<int64_t>(dst);
    const ggml_tensor * x = dst->src[1];
    const VectorOps & ops = vector_ops();
    const int64_t channels = x->ne[0];
    const int64_t frames = x->ne[1];
    for (int64_t t = frames * ith / nth; t < frames * (ith + 1) / nth; t++) {
        const auto * from =
            reinterpret_cast<const float *>(static_cast<const char *>(x->data) + t * static_cast<int64_t>(x->nb[1]));
        float * to = static_cast<float *>(dst->data) + (first + t) * channels;
        ops.snake(from, constants.scale.data(), constants.shift.data(), constants.alpha.data(),
                  constants.inverse.data(), to, channels);
    }
}

void require(bool condition, const char * what) {
    if (!condition) {
        throw std::invalid_argument(std::string("snake: ") + what);
    }
}

} // namespace

ggml_tensor * snake(ggml_context * context, ggml_tensor * x, const SnakeConstants & constants, ggml_tensor * into,
                    int64_t first) {
    const auto matrix = [&](const ggml_tensor * t) {
        return t->type == GGML_TYPE_F32 && t->ne[0] == constants.channels() && t->ne[2] == 1 && t->ne[3] == 1 &&
               t->nb[0] == sizeof(float);
    };
    require(constants.shift.size() == constants.scale.size() && constants.alpha.size() == constants.scale.size() &&
                constants.inverse.size() == constants.scale.size(),
            "the constants differ in their number of channels");
    require(matrix(x), "the input must be F32 with as many channels as the constants");
    require(matrix(into) && ggml_is_contiguous(into) && first >= 0 && first + x->ne[1] <= into->ne[1],
            "the output must be F32, contiguous, with as many channels, and have room for the frames");
    ggml_tensor * y = ggml_custom_inplace(context, into, &x, 1, snake_rows, GGML_N_TASKS_MAX,
                                          const_cast<SnakeConstants *>(&constants)); // only read
    set_parameters(y, first);
    set_work(y, 16.0 * static_cast<double>(ggml_nelements(x)));
    return y;
}

} // namespace moss
