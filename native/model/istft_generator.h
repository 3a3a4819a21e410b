// Waveform generator with a harmonic source and an iSTFT head (training/networks/istft_generator.py): features and F0
// to audio, as a stream. Its normalisations have the constants of a voice, so that it is a plain convolutional network.
//
//     StreamState state(device);
//     IstftGenerator::Stream stream(generator, state, mix);
//     state.allocate();
//     stream.source().push(f0, frames, last);
//     ggml_tensor * wave = generator.push(g, stream, features, last); // of each piece, however long

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
    /// Throws model_format (the key or tensor, expected, found).
    IstftGenerator(const GgufFile & file, const Weights & weights);

    const IstftConfig & config() const { return config_; }

    /// Frames that must follow one, of features and of F0, before all of its samples are there.
    int64_t lookahead() const;

    class Stream;

    /// features [F, T] (null: none) -> samples [1, n] that became final, or null. The source has F0 of these frames,
    /// and may have more; at the stream's end as many, and knows that they are all. All pieces together give
    /// `hop_length` samples a frame. Throws internal where F0 is behind.
    ggml_tensor * push(Graph & g, Stream & stream, ggml_tensor * features, bool last) const;

  private:
    struct Level {
        Level(const IstftConfig & config, size_t index, const Weights & weights);

        std::string name; // ".0"
        bool ends;        // the last one has the spectrum's frames: one more than it has hops
        PackedConv1d up;
        PackedConv1d noise_conv; // of the source's spectrum
        int64_t noise_padding;   // zeros before and after what it reads
        IstftBlock noise;
        std::vector<IstftBlock> blocks;

        /// Frames of the noise convolution that so many frames of the source's spectrum give.
        int64_t noise_frames(const HarmonicSource & source) const;
        /// The most frames by which the noise block's output lags behind F0, of which the spectrum lags `source_lag`.
        int64_t noise_lag(int64_t source_lag) const;
        int64_t slowest() const; // look-ahead of the blocks
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
    // Of the first samples, and of the last ones from the end on, which fewer frames make.
    std::vector<float> first_gains_, last_gains_;
};

struct IstftGenerator::LevelStream {
    LevelStream(const Level & level, StreamState & state, const VoiceMix & mix, int64_t source_lag);

    Window up;
    int64_t up_end = 0;       // frames that it has given
    Delay waiting;            // of them, for the source
    StreamBuffer noise_input; // what the noise convolution gives
    IstftBlock::Stream noise;
    StreamBuffer input; // of the residual blocks
    std::vector<IstftBlock::Stream> blocks;
    int64_t done = 0; // frames of their mean
};

class IstftGenerator::Stream {
  public:
    /// Speaks with a mixture of voices: a share of each of config().voices. Throws invalid_argument.
    Stream(const IstftGenerator & generator, StreamState & state, const VoiceMix & mix);

    HarmonicSource & source() { return source_; }

  private:
    friend class IstftGenerator;
    void forget_source(const IstftGenerator & generator);

    HarmonicSource source_;
    std::vector<LevelStream> levels_;
    Window post_, synthesis_;
    int64_t samples_ = 0; // so far
};

} // namespace moss
