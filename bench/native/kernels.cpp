// Measures the speed of our kernels with the shapes of real models, and the peak performance of this machine:
//
//     moss_kernel_bench THREADS ROUNDS [PART OF A NAME]      one JSON object
//
// bench/roofline.mjs runs it and calculates the share of the peak that each kernel reaches.

#include "peak.h"

#include "graph/graph.h"
#include "graph/runner.h"
#include "io/error.h"
#include "kernels/cpu/conv1d.h"
#include "kernels/cpu/conv1d_kernel.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace moss;

namespace {

struct Case {
    const char * name;
    Conv1dShape shape; // in, out, kernel, stride, dilation, groups
    int64_t frames;    // of the input
    bool transposed = false;
    bool voice = false; // a leaky input, as in a residual block
};

const Case cases[] = {
    // A Piper voice of medium quality: a short sentence's text, a piece of its flow, and 64 of its frames: 0.74 s.
    {"voice text 192>768 k3", {192, 768, 3}, 44},
    {"voice text 768>192 k3", {768, 192, 3}, 44},
    {"voice flow 192>384 k5", {192, 384, 5}, 260},
    {"voice flow 192>384", {192, 384}, 256},
    {"voice pre 192>256 k7", {192, 256, 7}, 70},
    {"voice up 256>128 k16 s8", {256, 128, 16, 8}, 66, true, true},
    {"voice res 128 k3", {128, 128, 3}, 512, false, true},
    {"voice res 128 k5 d6", {128, 128, 5, 1, 6}, 512, false, true},
    {"voice res 128 k7 d12", {128, 128, 7, 1, 12}, 512, false, true},
    {"voice up 128>64 k16 s8", {128, 64, 16, 8}, 514, true, true},
    {"voice res 64 k3", {64, 64, 3}, 4096, false, true},
    {"voice res 64 k7 d12", {64, 64, 7, 1, 12}, 4096, false, true},
    {"voice up 64>32 k8 s4", {64, 32, 8, 4}, 4098, true, true},
    {"voice res 32 k3", {32, 32, 3}, 16384, false, true},
    {"voice res 32 k7 d12", {32, 32, 7, 1, 12}, 16384, false, true},
    {"voice post 32>1 k7", {32, 1, 7}, 16390},
    // wav2vec2, base and large: 10 s, and 1.28 s of the front end.
    {"frontend 512 k3 s2", {512, 512, 3, 2}, 513},
    {"frontend 512 k2 s2", {512, 512, 2, 2}, 128},
    {"encoder position 768 k128 g16", {768, 768, 128, 1, 1, 16}, 626},
    {"encoder 768>768", {768, 768}, 499},
    {"encoder 768>3072", {768, 3072}, 499},
    {"encoder 3072>768", {3072, 768}, 499},
    {"encoder 1024>1024", {1024, 1024}, 499},
    {"encoder 1024>4096", {1024, 4096}, 499},
    {"encoder 4096>1024", {4096, 1024}, 499},
    // Qwen3-0.6B: a prompt, and one step.
    {"lm prompt 1024>3072", {1024, 3072}, 512},
    {"lm prompt 3072>1024", {3072, 1024}, 512},
    {"lm step 1024>3072", {1024, 3072}, 1},
    {"lm step 3072>1024", {3072, 1024}, 1},
};

std::vector<float> random_values(int64_t count, uint32_t seed) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float & value : values) {
        seed = seed * 1664525U + 1013904223U;
        value = static_cast<float>(seed >> 8) / 8388608.0F - 1.0F;
    }
    return values;
}

const char * name_of(ComputeType type) {
    return type == ComputeType::f32    ? "f32"
           : type == ComputeType::bf16 ? "bf16"
           : type == ComputeType::i16  ? "i16"
                                       : "q8_0";
}

double bytes_of(ComputeType type) {
    return type == ComputeType::f32    ? 4
           : type == ComputeType::bf16 ? 2
           : type == ComputeType::i16  ? 68.0 / 32
                                       : 34.0 / 32;
}

PackedConv1d pack(const Case & c, ComputeType type, uint32_t seed) {
    const Conv1dShape & s = c.shape;
    const std::vector<float> weight = random_values(s.out_channels * s.kernel_size * s.in_channels / s.groups, seed);
    return c.transposed ? PackedConv1d::transposed(s, (s.kernel_size - s.stride) / 2, weight.data(), nullptr, type)
                        : PackedConv1d(s, weight.data(), nullptr, type);
}

/// The seconds of one convolution, the best of some rounds, in a graph with others of the same shape.
double measure(const Case & c, ComputeType type, Runner & runner, int threads, int rounds, double & operations) {
    // A product with a single position waits for its weights, so the graph must have more weights than fit into the
    // cache, as in a language model.
    const bool step = c.frames == 1;
    std::vector<PackedConv1d> convs;
    for (uint32_t i = 0; i < (step ? 48U : 1U); i++) {
        convs.push_back(pack(c, type, i + 1));
    }
    const std::vector<float> input = random_values(c.shape.in_channels * c.frames, 7);
    const PackedConv1d & conv = convs.front();
    const int64_t left = c.transposed ? conv.left() : 0, right = c.transposed ? conv.right() : 0;
    operations = conv.multiplications(conv.out_frames(c.frames, left, right));
    const int repetitions = step ? 48 : static_cast<int>(std::clamp(2e9 / operations, 1.0, 64.0));
    double least = 1e30;
    for (int round = 0; round <= rounds; round++) { // the first one is warm-up
        Graph g(runner);
        ggml_tensor * x = g.input(GGML_TYPE_F32, {c.shape.in_channels, c.frames}, input.data());
        Conv1dOptions options;
        options.left = left;
        options.right = right;
        if (c.voice) {
            options.input = Activation::leaky(0.1F);
        }
        for (int i = 0; i < repetitions; i++) {
            g.effect(conv1d(g, x, convs[static_cast<size_t>(i) % convs.size()], options));
        }
        const double begin = bench::seconds(threads);
        g.run();
        const double took = (bench::seconds(threads) - begin) / repetitions;
        least = round > 0 ? std::min(least, took) : least;
    }
    return least;
}

void run(int threads, int rounds, const std::string & part) {
    Runner runner(threads);
    const bench::Peak peak = bench::measure_peak();
    std::printf("{\"threads\":%d,\"peak\":{\"f32\":%.4g,\"bf16\":%.4g,\"q8_0\":%.4g,\"i16\":%.4g},"
                "\"bandwidth\":%.4g,\"kernels\":[",
                threads, peak.f32, peak.bf16, peak.int8, peak.int16, bench::measure_bandwidth(threads));
    const char * comma = "";
    const auto print = [&](const Case & c, ComputeType type, const char * how) {
        double operations = 0;
        const double took = measure(c, type, runner, threads, rounds, operations);
        const Conv1dShape & s = c.shape;
        const double weights = static_cast<double>(s.out_channels * s.kernel_size * s.in_channels / s.groups);
        const double out = operations / weights * static_cast<double>(s.out_channels); // approximate number of output values
        const double bytes = weights * bytes_of(type) + 4 * (out + static_cast<double>(s.in_channels * c.frames));
        std::printf("%s\n{\"name\":\"%s%s\",\"type\":\"%s\",\"multiplications\":%.6g,\"bytes\":%.6g,\"seconds\":%.6g}",
                    comma, c.name, how, name_of(type), operations, bytes, took);
        std::fflush(stdout);
        comma = ",";
    };
    for (const Case & c : cases) {
        if (std::string(c.name).find(part) == std::string::npos) {
            continue;
        }
        for (const ComputeType type : {ComputeType::f32, ComputeType::bf16, ComputeType::i16, ComputeType::q8_0}) {
            allow_conv1d_winograd(false);
            if (pack(c, type, 1).type() == type) { // otherwise the CPU has no kernel for the type
                print(c, type, "");
            }
        }
        allow_conv1d_winograd(true);
        for (const ComputeType type : {ComputeType::f32, ComputeType::i16}) {
            const PackedConv1d packed = pack(c, type, 1);
            if (packed.winograd() && packed.type() == type) {
                print(c, type, " winograd");
            }
        }
    }
    std::printf("]}\n");
}

} // namespace

int main(int argc, char ** argv) {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 0, rounds = argc > 2 ? std::atoi(argv[2]) : 0;
    if (threads < 1 || rounds < 1) {
        std::fprintf(stderr, "usage: moss_kernel_bench THREADS ROUNDS [PART OF A NAME]\n");
        return 2;
    }
    try {
        const std::string program = argv[0];
        const size_t end = program.find_last_of("/\\");
        load_backends(end == std::string::npos ? "." : program.substr(0, end));
        run(threads, rounds, argc > 3 ? argv[3] : "");
    } catch (const MossError & error) {
        std::fprintf(stderr, "moss_kernel_bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
