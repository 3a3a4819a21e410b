"""Hyperparameters of every component; `to_gguf_keys` spells them as the GGUF keys that the C++ loader checks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass
class FrontendConfig:
    sample_rate: int = 16000
    channels: list[int] = field(default_factory=lambda: [64, 128, 160, 192, 192, 192])
    kernel_sizes: list[int] = field(default_factory=lambda: [128, 10, 4, 4, 4, 3])
    strides: list[int] = field(default_factory=lambda: [8, 5, 2, 2, 2, 1])
    norm: str = "layer"  # "layer": after every conv; "group": per channel over time, after the first conv only
    causal: bool = True
    tail_padding: int = 2560  # zeros appended to an utterance before it is rounded up to whole positions of the aligner


@dataclass
class ToneConfig:
    lags: list[int] = field(default_factory=lambda: log_spaced_lags(32, 267, 64))
    hidden: int = 64
    tcn_channels: int = 96
    kernel_size: int = 5
    dilations: list[int] = field(default_factory=lambda: [1, 2, 4, 8])
    classes: int = 6  # none, tones 1-4, neutral (5)
    mean_decay: float = 0.995  # per frame: the causal mean of ln F0 forgets with a time constant of 4 s
    mean_prior: float = 5.1929568  # ln 180 Hz
    mean_prior_weight: float = 5.0


@dataclass
class EncoderConfig:
    embedding_length: int = 256
    feed_forward_length: int = 768
    block_count: int = 6
    head_count: int | list[int] = 4  # a list: by block, in a pruned model, with the key_length
    key_length: int | None = None  # channels of a head; None: embedding_length / head_count
    layer_norm_epsilon: float = 1e-5
    pos_conv_kernel: int = 32
    pos_conv_groups: int = 8
    pos_conv_causal: bool = True
    norm_first: bool = True  # pre-norm blocks and a final norm; else post-norm and the norm before the blocks
    chunk_size: int = 16  # frames of 20 ms; the chunk of live use
    left_context: int = 512  # frames that a chunk sees before its own start


@dataclass
class AlignerConfig:
    embedding_length: int = 256
    block_count: int = 2
    head_count: int = 4
    feed_forward_length: int = 512
    downsample: int = 4  # encoder frames a row: 12.5 rows a second


@dataclass
class LMConfig:
    embedding_length: int = 256
    feed_forward_length: int = 768
    shared_block_count: int = 5
    text_block_count: int = 1
    audio_block_count: int = 1
    head_count: int | list[int] = 4  # a list: by block (shared, text, audio), in a pruned model
    head_count_kv: int | list[int] = 2
    key_length: int = 64
    rms_epsilon: float = 1e-6
    rope_freq_base: float = 10000.0
    context_length: int = 2048
    text_vocab_size: int = 2048
    audio_vocab_size: int = 0  # units + 2 (end of speech, pad); set from the unit inventory


@dataclass
class DecoderConfig:
    sample_rate: int = 16000
    hop_length: int = 200  # 80 frames a second
    unit_count: int = 0  # set from the unit inventory
    hidden_size: int = 192
    block_count: int = 4
    head_count: int = 2
    ffn_size: int = 512
    ffn_kernel: int = 3
    window_size: int = 4  # relative positions are clipped to +-window_size
    mask_left: int = 48  # units a layer sees to the left ...
    mask_right: int = 2  # ... and to the right: the lookahead is finite
    style_size: int = 128  # raw voice vectors: the first half of the teacher's style (timbre) and its second (prosody)
    gin_channels: int = 128
    duration_channels: int = 192
    prosody_layers: int = 3
    prosody_kernel: int = 5
    flow_size: int = 128
    flow_count: int = 4
    wavenet_hidden: int = 128
    wavenet_layers: int = 3
    wavenet_kernel: int = 5
    posterior_layers: int = 6  # training only
    upsample_initial: int = 256
    upsample_rates: list[int] = field(default_factory=lambda: [5, 2])
    upsample_kernels: list[int] = field(default_factory=lambda: [11, 4])
    resblock_type: int = 2
    resblock_kernels: list[int] = field(default_factory=lambda: [3, 7])
    resblock_dilations: list[int] = field(default_factory=lambda: [1, 3, 5])  # the same for every kernel
    head: str = "mb-istft"
    subbands: int = 4
    istft_n_fft: int = 20
    istft_hop: int = 5
    source: bool = True  # the head filters a pulse train of the predicted pitch, and noise
    log_f0_mean: float = 5.2
    log_f0_std: float = 0.4


@dataclass
class FeatureDecoderConfig:
    """nano's voice in front of its generator (`istft_generator`), at 80 frames a second."""

    sample_rate: int = 24000
    hop_length: int = 300
    unit_count: int = 0  # set from the unit inventory
    hidden_size: int = 224
    block_count: int = 4
    head_count: int = 2
    ffn_size: int = 640
    ffn_kernel: int = 3
    window_size: int = 4
    mask_left: int = 48
    mask_right: int = 2
    style_size: int = 128  # half of a raw voice vector: timbre, and prosody
    gin_channels: int = 96
    duration_channels: int = 224
    prosody_layers: int = 5
    prosody_kernel: int = 5
    feature_hidden: int = 320
    feature_kernel: int = 5
    feature_dilations: list[int] = field(default_factory=lambda: [1, 2, 4, 1, 2, 4, 1, 1])
    feature_size: int = 512
    log_f0_mean: float = 5.2
    log_f0_std: float = 0.4


@dataclass
class VadConfig:
    """Silero VAD v6 at 16 kHz; samples."""

    window_length: int = 512  # one probability each: 32 ms
    context_length: int = 64  # of the window before
    fft_length: int = 256
    hop_length: int = 128
    channels: list[int] = field(default_factory=lambda: [128, 64, 64, 128])
    strides: list[int] = field(default_factory=lambda: [1, 2, 2, 1])  # their product is the number of spectra in a window
    hidden: int = 128
    max_utterance_seconds: float = 15.0  # of one turn: the longest that the language model was trained on (the bundle's, not Silero's)


@dataclass
class EndpointConfig:
    frames: int = 128  # of 20 ms: the newest states that it sees
    hidden: int = 64
    kernel_size: int = 5
    heads: int = 4
    feed_forward: int = 32


def log_spaced_lags(low: int, high: int, count: int) -> list[int]:
    ratio = (high / low) ** (1 / (count - 1))
    return [round(low * ratio**i) for i in range(count)]


COMPONENTS = {"vad": VadConfig, "frontend": FrontendConfig, "tone": ToneConfig, "encoder": EncoderConfig, "endpoint": EndpointConfig, "aligner": AlignerConfig, "lm": LMConfig, "decoder": DecoderConfig}


def to_gguf_keys(component: str, config) -> dict[str, object]:
    """`moss-speech.<component>.<field>`: the field's own name, so that twin and loader cannot drift apart."""
    return {f"moss-speech.{component}.{name}": value for name, value in asdict(config).items() if value is not None}


def of_block(count: int | list[int], block: int) -> int:
    """A number of heads, which may differ by block."""
    return count[block] if isinstance(count, list) else count
