"""Makes the tiny models and the reference tensors that the C++ tests compare stage by stage.

    python test/golden/make_golden.py            # needs training/requirements.txt; run from the project's root

tiny.gguf, tiny-q8_0.gguf    all components with random weights: layer norm, pre-norm, causal
tiny.golden.gguf             inputs and named stages of the PyTorch twins for it (the decoder's: make_decoder_golden.py)
whole.gguf, whole-q8_0.gguf  front end and encoder of the other kind: group norm, post-norm, not causal (as Wav2Vec2-base)
whole.golden.gguf            its inputs and stages
uneven.gguf                  front end, encoder and language model whose blocks have different numbers of heads, as pruning leaves them
uneven.golden.gguf           its inputs and stages

Stages are stored as ggml has them: a [T, C] array here is ne = [C, T] there.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1]))

from training.data.units import AUDIO_PAD, N_AUDIO, N_UNITS  # noqa: E402
from training.data.voices import emotion_table  # noqa: E402
from training.export.bundle import Bundle, write  # noqa: E402
from training.networks.aligner import Aligner  # noqa: E402
from training.networks.config import AlignerConfig, DecoderConfig, EncoderConfig, FrontendConfig, LMConfig, ToneConfig  # noqa: E402
from training.networks.encoder import Encoder  # noqa: E402
from training.networks.frontend import Frontend  # noqa: E402
from training.networks.lm import LM  # noqa: E402
from training.networks.tone import Tone  # noqa: E402
from training.networks.vits import Decoder  # noqa: E402

FRONTEND = FrontendConfig(channels=[8, 8, 16, 16, 16, 32], kernel_sizes=[16, 10, 4, 4, 4, 3], tail_padding=640)
TONE = ToneConfig(lags=[32, 45, 64, 90, 128, 180, 267], hidden=16, tcn_channels=16, kernel_size=3, dilations=[1, 2, 4])
# left_context is no multiple of chunk_size, and the whole has more chunks than the ring of keys and values.
ENCODER = EncoderConfig(embedding_length=32, feed_forward_length=32, block_count=2, head_count=2, pos_conv_kernel=8, pos_conv_groups=4, chunk_size=4, left_context=6)
ALIGNER = AlignerConfig(embedding_length=32, block_count=1, head_count=2, feed_forward_length=32)
LM_CONFIG = LMConfig(
    embedding_length=32, feed_forward_length=32, shared_block_count=2, head_count=4, head_count_kv=2, key_length=16,
    context_length=512, text_vocab_size=264, audio_vocab_size=N_AUDIO,
)  # fmt: skip
DECODER = DecoderConfig(
    unit_count=N_UNITS, hidden_size=32, block_count=2, ffn_size=32, mask_left=6, style_size=16, gin_channels=16, duration_channels=16,
    prosody_layers=2, prosody_kernel=3, flow_size=16, flow_count=2, wavenet_hidden=16, wavenet_layers=2, upsample_initial=16, resblock_dilations=[1, 3],
)  # fmt: skip
WHOLE_FRONTEND = replace(FRONTEND, norm="group", causal=False, tail_padding=0)
WHOLE_ENCODER = replace(ENCODER, norm_first=False, pos_conv_causal=False, chunk_size=0)


def randomize(module: nn.Module, seed: int, gain: float = 1.0) -> nn.Module:
    """Weights that let every term show: norms near 1, biases not 0, matrices that keep the signal's size."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in module.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.dim() >= 2:
                p.copy_(noise * gain / (p.numel() / p.shape[0]) ** 0.5)
            elif "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.1 * noise)
            else:
                p.copy_(0.1 * noise)
    return module.eval()


def calm_decoder(decoder: nn.Module) -> nn.Module:
    """Random weights would send the decoder's exponentials and phases where no trained one is, and rounding errors with them."""
    with torch.no_grad():
        decoder.prosody.stats.weight[decoder.config.flow_size :].mul_(0.2)  # log deviation of the prior
        decoder.gen.post.weight.mul_(0.1)  # log magnitudes and phases
    return decoder


def voice_like(samples: int, seed: int) -> torch.Tensor:
    """A gliding harmonic tone in noise, [1, N]."""
    rng = np.random.default_rng(seed)
    f0 = np.linspace(120, 260, samples) + 10 * np.sin(np.arange(samples) / 900)
    phase = 2 * np.pi * np.cumsum(f0) / 16000
    wave = sum(np.sin(k * phase) / k for k in range(1, 6)) * 0.1 * (np.sin(np.arange(samples) / 2500) > -0.6)
    return torch.tensor((wave + 0.01 * rng.standard_normal(samples))[None], dtype=torch.float32)


def tiny_tokenizer() -> Path:
    """Bytes and the special tokens: 261 ids."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in ("im_start", "im_end", "sosp", "modality_pad", "pad")])
    path = FOLDER / "tiny-tokenizer.json"
    path.write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def save_golden(path: Path, tensors: dict[str, torch.Tensor], ids: dict[str, list[int]]) -> None:
    writer = gguf.GGUFWriter(path, "golden")
    for name, values in ids.items():
        writer.add_array(name, values)
    for name, tensor in tensors.items():
        array = tensor.detach().float().numpy()
        if name.startswith("frontend.conv"):  # [1, C, T]
            array = array.transpose(0, 2, 1)
        elif name in ("tone.log_f0", "tone.voicing"):
            array = array[..., None]
        writer.add_tensor(name, np.ascontiguousarray(array.reshape(-1, array.shape[-1])))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@torch.no_grad()
def make_tiny() -> None:
    frontend = randomize(Frontend(FRONTEND), 1, 1.4)
    tone = randomize(Tone(TONE, ENCODER.embedding_length), 2, 1.4)
    encoder = randomize(Encoder(ENCODER, FRONTEND.channels[-1], N_UNITS), 3)
    aligner = randomize(Aligner(ALIGNER, ENCODER.embedding_length, LM_CONFIG.embedding_length), 4)
    lm = randomize(LM(LM_CONFIG), 5)
    decoder = calm_decoder(randomize(Decoder(DECODER), 6))

    bundle = Bundle(name="tiny", description="Random weights, for tests.", tokenizer=tiny_tokenizer())
    for component, config, module in (
        ("frontend", FRONTEND, frontend), ("tone", TONE, tone), ("encoder", ENCODER, encoder),
        ("aligner", ALIGNER, aligner), ("lm", LM_CONFIG, lm), ("decoder", DECODER, decoder),
    ):  # fmt: skip
        bundle.add(component, config, module.state_dict())
    rng = np.random.default_rng(7)
    bundle.voices = (["anna", "mei"], rng.standard_normal((2, DECODER.style_size)), rng.standard_normal((2, DECODER.style_size)))
    bundle.voice_languages, bundle.default_voices = ["en", "zh"], (0, 1)
    bundle.emotions = emotion_table()
    write(bundle, FOLDER / "tiny.gguf", "f32")
    write(bundle, FOLDER / "tiny-q8_0.gguf", "q8_0")

    stages: dict[str, torch.Tensor] = {}
    wave = voice_like(5800, 8)  # with tail_padding and rounded up to whole rows: 24 frames, 6 rows
    length = -(-(wave.shape[1] + FRONTEND.tail_padding) // 1280) * 1280
    padded = torch.nn.functional.pad(wave, (0, length - wave.shape[1]))
    features = frontend(padded, stages)
    embedding = tone(padded, stages)["embedding"]
    hidden = encoder(features, embedding, ENCODER.chunk_size, stages=stages)
    stages["encoder.logits"] = encoder.ctc(hidden)
    full = encoder(features, embedding, 0)
    rows = aligner(hidden, lm.text_embd.weight, stages)

    text = torch.randint(0, LM_CONFIG.text_vocab_size, (24,), generator=torch.Generator().manual_seed(9))
    audio = torch.randint(0, N_UNITS, (24,), generator=torch.Generator().manual_seed(10))
    audio[:6] = AUDIO_PAD
    grid = lm.embed(text, audio)
    lm(torch.cat([grid[None, :6], rows, grid[None, 6:]], 1), stages)

    save_golden(
        FOLDER / "tiny.golden.gguf", {"input.samples": wave, "encoder.full.hidden": full, **stages},
        {"input.text": text.tolist(), "input.audio": audio.tolist()},
    )  # fmt: skip


@torch.no_grad()
def make_whole() -> None:
    frontend = randomize(Frontend(WHOLE_FRONTEND), 21, 1.4)
    encoder = randomize(Encoder(WHOLE_ENCODER, WHOLE_FRONTEND.channels[-1], N_UNITS), 22)
    bundle = Bundle(name="whole", description="Random weights, for tests.")
    bundle.add("frontend", WHOLE_FRONTEND, frontend.state_dict())
    bundle.add("encoder", WHOLE_ENCODER, encoder.state_dict())
    write(bundle, FOLDER / "whole.gguf", "f32")
    write(bundle, FOLDER / "whole-q8_0.gguf", "q8_0")
    stages: dict[str, torch.Tensor] = {}
    wave = voice_like(4800, 23)
    hidden = encoder(frontend(wave, stages), None, 0, stages=stages)
    stages["encoder.logits"] = encoder.ctc(hidden)
    save_golden(FOLDER / "whole.golden.gguf", {"input.samples": wave, **stages}, {})


@torch.no_grad()
def make_uneven() -> None:
    encoder_config = replace(WHOLE_ENCODER, block_count=3, head_count=[2, 3, 1], key_length=8)
    lm_config = replace(LM_CONFIG, head_count=[4, 2, 6, 2], head_count_kv=[2, 1, 3, 2], key_length=8)
    frontend = randomize(Frontend(WHOLE_FRONTEND), 31, 1.4)
    encoder = randomize(Encoder(encoder_config, WHOLE_FRONTEND.channels[-1], N_UNITS), 32)
    lm = randomize(LM(lm_config), 33)
    bundle = Bundle(name="uneven", description="Random weights, for tests.")
    bundle.add("frontend", WHOLE_FRONTEND, frontend.state_dict())
    bundle.add("encoder", encoder_config, encoder.state_dict())
    bundle.add("lm", lm_config, lm.state_dict())
    write(bundle, FOLDER / "uneven.gguf", "f32")
    stages: dict[str, torch.Tensor] = {}
    wave = voice_like(4800, 34)
    hidden = encoder(frontend(wave, stages), None, 0, stages=stages)
    stages["encoder.logits"] = encoder.ctc(hidden)
    text = torch.randint(0, lm_config.text_vocab_size, (20,), generator=torch.Generator().manual_seed(35))
    audio = torch.randint(0, N_UNITS, (20,), generator=torch.Generator().manual_seed(36))
    lm(lm.embed(text, audio)[None], stages)
    save_golden(FOLDER / "uneven.golden.gguf", {"input.samples": wave, **stages}, {"input.text": text.tolist(), "input.audio": audio.tolist()})


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_tiny()
    make_whole()
    make_uneven()
    for path in sorted(FOLDER.glob("*.gguf")):
        print(f"{path.name:20} {path.stat().st_size / 1000:8.1f} kB")
