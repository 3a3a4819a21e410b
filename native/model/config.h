// Hyperparameters of the networks, one struct for each component, as in training/networks/config.py. `load` reads the
// keys `moss-speech.<component>.<field>` and throws model_format for a key that is missing, of another type or out of
// range. Keys that only imported models need are optional.

#pragma once

#include "../io/gguf_file.h"
#include "../kernels/cpu/conv1d.h" // Activation

#include <string>
#include <vector>

namespace moss {

/// Whether all values are equal.
bool all_equal(const std::vector<int> & values);

struct FrontendConfig {
    int sample_rate = 16000;
    std::vector<int> channels;
    std::vector<int> kernel_sizes;
    std::vector<int> strides;
    bool layer_norm = true; // after every convolution; else group norm over time after the first only, never causal
    bool causal = true;
    bool normalize = false;                         // normalizes an utterance to mean 0 and variance 1; never causal
    Activation::Kind activation = Activation::gelu; // or relu
    int tail_padding = 0; // samples of silence appended to an utterance before it is rounded up to whole positions of
                          // the language model

    static FrontendConfig load(const GgufFile & file);
    int hop_length() const; // samples a frame: the product of the strides
    bool streamable() const { return causal; }
};

/// Silero VAD. Lengths are samples.
struct VadConfig {
    int window_length = 0;  // samples for each probability
    int context_length = 0; // samples of the previous window that a window sees
    int fft_length = 0;
    int hop_length = 0;
    std::vector<int> channels, strides; // of the convolutions; the last one leaves one frame for each window
    int hidden = 0;
    float max_utterance_seconds = 0; // the longest utterance of a turn on which the language model was trained

    static VadConfig load(const GgufFile & file);
    int bins() const { return fft_length / 2 + 1; }
    /// The number of spectra in a window.
    int frames() const { return (context_length + window_length + fft_length / 4 - fft_length) / hop_length + 1; }
};

struct EndpointConfig {
    int frames = 0; // the newest states of the encoder that it sees
    int hidden = 0;
    int kernel_size = 0;
    int heads = 0;
    int feed_forward = 0;

    static EndpointConfig load(const GgufFile & file);
};

struct ToneConfig {
    std::vector<int> lags; // samples, ascending
    int hidden = 0;
    int tcn_channels = 0;
    int kernel_size = 0;
    std::vector<int> dilations;
    int classes = 0; // none, the tones 1-4, neutral
    float mean_decay = 0;
    float mean_prior = 0; // ln Hz
    float mean_prior_weight = 0;

    static ToneConfig load(const GgufFile & file);
};

struct EncoderConfig {
    int embedding_length = 0;
    int feed_forward_length = 0;
    int block_count = 0;
    std::vector<int> head_counts; // by block: blocks of pruned models may differ
    int key_length = 0;           // channels of a head
    float layer_norm_epsilon = 1e-5f;
    int pos_conv_kernel = 0;
    int pos_conv_groups = 0;
    bool pos_conv_causal = true;
    int pos_conv_stack = 0; // data2vec: the number of stacked convolutions, each with a norm; 0: Wav2Vec2's single one
    bool feature_norm = true; // a layer norm before the projection
    bool norm_first = true;
    Activation::Kind activation = Activation::gelu;          // of the blocks; or relu
    Activation::Kind position_activation = Activation::gelu; // of the positional convolution; or relu
    int chunk_size = 0;                                      // frames of a chunk when streaming
    int left_context = 0;                                    // frames before a chunk that it sees

    static EncoderConfig load(const GgufFile & file);
};

struct AlignerConfig {
    int embedding_length = 0;
    int block_count = 0;
    int head_count = 0;
    int feed_forward_length = 0;
    int downsample = 0; // encoder frames for each position of the language model

    static AlignerConfig load(const GgufFile & file);
};

/// ggml_rope_ext's parameters; those of YaRN have no effect where ext_factor is 0.
struct RopeConfig {
    bool interleaved = false; // rotates neighbouring channels (Llama), or channels half a head apart (Qwen3)
    float freq_base = 10000;
    float freq_scale = 1;
    float ext_factor = 0;
    float attn_factor = 1;
    float beta_fast = 32;
    float beta_slow = 1;
    int original_context_length = 0;
};

struct LmConfig {
    int embedding_length = 0;
    int feed_forward_length = 0;
    int shared_block_count = 0;
    int text_block_count = 0;
    int audio_block_count = 0;
    std::vector<int> head_counts, head_counts_kv; // by block, in the order shared, text, audio
    int key_length = 0;
    float rms_epsilon = 1e-6f;
    bool qk_norm = true;
    RopeConfig rope;
    int context_length = 0;
    int text_vocab_size = 0;
    int audio_vocab_size = 0; // 0 for an imported language model, which has text only

    bool text_only() const { return audio_vocab_size == 0; }
    int block_count() const { return shared_block_count + text_block_count + audio_block_count; }

    /// Loads from one of our bundles, or from a Qwen3 or Llama file as llama.cpp writes them (`general.architecture`).
    static LmConfig load(const GgufFile & file);

  private:
    static LmConfig import(const GgufFile & file, const std::string & architecture);
    /// Loads head_counts and head_counts_kv from these keys. If `optional_kv`, the latter key may be absent.
    void load_heads(const GgufFile & file, const std::string & key, const std::string & key_kv, bool optional_kv);
};

/// The meaning of ids: the units, the text tokenizer and the special tokens.
struct Vocabulary {
    std::vector<std::string> units; // moss-speech.units; [0] is the CTC blank
    std::string tokenizer;          // tokenizer.huggingface.json
    struct {
        int im_start, im_end, sosp, modality_pad, pad;
    } text; // moss-speech.token.*
    struct {
        int eosp, pad;
    } audio; // moss-speech.audio.*

    /// Checks the ids against the vocabulary sizes of the language model.
    static Vocabulary load(const GgufFile & file, const LmConfig & lm);
};

/// The units of any file, also one without a language model. Empty if the file has none.
std::vector<std::string> load_units(const GgufFile & file);

} // namespace moss
