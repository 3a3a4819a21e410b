// Waveform generator with a harmonic source and an iSTFT head (training/networks/istft_generator.py). It turns features
// and F0 into audio, as a stream. Its normalisations use constants of the voice in place of an utterance's mean and
// variance, so that it is a plain convolutional network.
//
//     StreamState state(device);
//     IstftGenerator::Stream stream(generator, state, mix);
//     state.allocate();
//     stream.source().push(f0, frames, last);
//     ggml_tensor * wave = generator.push(g, stream, features, last); // for each piece, of any length

#pragma once

#include "istft_block.h"
#include "istft_config.h"
#include "istft_source.h"

#include "../graph/conv.h"
#include "../graph/window.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moss {

class IstftGenerator {
  public:
    /// Throws model_format, which names the key or tensor, what was expected and what was found.
    IstftGenerator(const GgufFile & file, const Weights & weights);

    const IstftConfig & config() const { return config_; }

    /// The number of frames of features and F0 that must follow a frame before all of its samples are final.
    int64_t lookahead() const;

    class Stream;

    /// Processes features [F, T], null if there are none, and returns the samples [1, n] that became final, or null. F0
    /// of these frames, or of more, must have been pushed to the source before; with `last`, F0 of exactly as many
    /// frames, also marked as the last. All pieces together give `hop_length` samples for each frame. Throws internal
    /// if F0 is missing.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * features, bool last) const;

  private:
    struct Level {
        Level(const IstftConfig & config, size_t index, const Weights & weights);

        std::string name; // ".0"
        bool ends;        // whether it is the last level, which has one frame more, like the spectrum
        PackedConv1d up;
        PackedConv1d noise_conv; // reads the source's spectrum
        int64_t noise_padding;   // frames of zeros before and after the spectrum
        IstftBlock noise;
        std::vector<IstftBlock> blocks;

        /// The number of output frames of the noise convolution that the source's spectrum is long enough for.
        int64_t noise_frames(const HarmonicSource & source) const;
        /// The most frames by which the output of the noise block lags behind F0. `source_lag` is the lag of the
        /// spectrum.
        int64_t noise_lag(int64_t source_lag) const;
        int64_t slowest() const; // the largest look-ahead of the blocks
    };
    struct LevelStream;

    ggml_tensor * push_up(Graph & g, const Level & level, LevelStream & stream, ggml_tensor * x, bool last) const;
    const StreamBuffer & push_noise(Graph & g, const Level & level, LevelStream & stream, HarmonicSource & source,
                                    bool last) const;
    ggml_tensor * push_blocks(Graph & g, const Level & level, LevelStream & stream, bool last) const;
    ggml_tensor * trimmed(Graph & g, Stream & stream, ggml_tensor * wave, bool last) const;

    IstftConfig config_;
    SourceMixture mixture_;
    std::vector<Level> levels_;
    PackedConv1d post_;
    PackedConv1d synthesis_; // inverse STFT and overlap-add
    // Factors for the first samples and, counted from the end, for the last samples, where fewer frames overlap.
    std::vector<float> first_gains_, last_gains_;
};

struct IstftGenerator::LevelStream {
    LevelStream(const Level & level, StreamState & state, const VoiceMix & mix, int64_t source_lag);

    Window up;
    int64_t up_end = 0;       // number of frames after the up-sampling so far
    Delay waiting;            // holds these frames until the source's are known
    StreamBuffer noise_input; // output of the noise convolution, input of the noise block
    IstftBlock::Stream noise;
    StreamBuffer input; // input of the residual blocks
    std::vector<IstftBlock::Stream> blocks;
    int64_t done = 0; // number of frames so far of the mean of the blocks' outputs
};

class IstftGenerator::Stream {
  public:
    /// `mix` has a weight for each of config().voices. Throws invalid_argument if it does not.
    Stream(const IstftGenerator & generator, StreamState & state, const VoiceMix & mix);

    HarmonicSource & source() { return source_; }

  private:
    friend class IstftGenerator;
    void forget_source(const IstftGenerator & generator);

    HarmonicSource source_;
    std::vector<LevelStream> levels_;
    Window post_, synthesis_;
    int64_t samples_ = 0; // number of samples returned so far
};

} // namespace moss
