"""Makes the reference tensors of the decoder: python test/golden/make_decoder_golden.py, after make_golden.py.

decoder.golden.gguf        stages of the PyTorch twin for the decoder of tiny.gguf and tiny-q8_0.gguf
decoder-odd.gguf           a decoder with what the first lacks: odd number of flows, residual blocks of type 1, three of them, no source
decoder-odd.golden.gguf    its stages

Edge units, noise, voice and emotion are as the C++ decoder has them. Stages are [T, C].
"""

from __future__ import annotations

from dataclasses import replace

import gguf
import numpy as np
import torch

from make_golden import DECODER, FOLDER, calm_decoder, randomize
from training.data.units import N_UNITS, SPACE, UNIT_ID
from training.data.voices import EMOTIONS, emotion_table
from training.export.bundle import Bundle, write
from training.networks.vits import Decoder
from training.networks.vits_generator import F0_STEP

ODD = replace(
    DECODER, hidden_size=24, head_count=3, block_count=1, ffn_size=20, ffn_kernel=5, window_size=2, mask_left=3, mask_right=4, style_size=8,
    gin_channels=8, duration_channels=12, prosody_layers=1, prosody_kernel=5, flow_size=6, flow_count=3, wavenet_hidden=10, wavenet_layers=3,
    wavenet_kernel=3, upsample_initial=24, upsample_rates=[2, 4], upsample_kernels=[6, 4], hop_length=8 * 2 * 4, subbands=4, istft_n_fft=8, istft_hop=2,
    resblock_type=1, source=False, resblock_kernels=[5, 3, 7], resblock_dilations=[1, 2],
)  # fmt: skip
SPEED = 0.5
EMOTION = "happy"
SEED = 0x123456789ABC


def philox_normal(seed: int, use: int, frames: int, channels: int) -> np.ndarray:
    """[frames, channels]: native/model/noise.h. Use 0 is the prior's, 1 the source's."""
    block, frame = np.meshgrid(np.arange(-(-channels // 4), dtype=np.uint64), np.arange(frames, dtype=np.uint64))
    low = np.uint64(0xFFFFFFFF)
    counter = [block, np.full_like(block, use), frame & low, frame >> np.uint64(32)]
    key = [np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * counter[0], np.uint64(0xCD9E8D57) * counter[2]
        counter = [(b >> np.uint64(32)) ^ counter[1] ^ key[0], b & low, (a >> np.uint64(32)) ^ counter[3] ^ key[1], a & low]
        key = [(key[0] + np.uint64(0x9E3779B9)) & low, (key[1] + np.uint64(0xBB67AE85)) & low]
    words = [w.astype(np.float64) for w in counter]
    values = []
    for u, v in ((words[0], words[1]), (words[2], words[3])):
        radius, angle = np.sqrt(-2 * np.log((u + 0.5) / 2**32)), 2 * np.pi * (v / 2**32)
        values += [radius * np.cos(angle), radius * np.sin(angle)]
    return np.stack(values, -1).reshape(frames, -1)[:, :channels].astype(np.float32)


def rows(name: str, tensor: torch.Tensor) -> np.ndarray:
    """A stage as [T, C]."""
    if name == "decoder.z" or name.startswith("decoder.gen"):  # [1, C, T]
        tensor = tensor.transpose(1, 2)
    elif name in ("decoder.wave", "decoder.log_durations", "decoder.durations"):  # [1, T]
        tensor = tensor[..., None]
    return np.ascontiguousarray(tensor[0].detach().float().numpy())


@torch.no_grad()
def save_stages(name: str, decoder: Decoder, voices: tuple[np.ndarray, np.ndarray], count: int, seed: int) -> None:
    units = torch.randint(1, N_UNITS, (count,), generator=torch.Generator().manual_seed(seed))
    edge = torch.tensor([UNIT_ID[SPACE]])
    speed, shift, scale, energy = EMOTIONS[EMOTION]
    config = decoder.config
    noise = torch.tensor(philox_normal(SEED, 0, 10 * count + 1000, config.flow_size))[None]
    columns, channels = noise.shape[1] * config.hop_length // (config.istft_hop * config.subbands), config.subbands * (config.istft_n_fft + 2)
    source_noise = torch.tensor(philox_normal(SEED, 1, columns, channels).T)[None]
    stages: dict[str, torch.Tensor] = {}
    decoder.infer(
        torch.cat([edge, units, edge])[None], *(torch.tensor(v[1:2], dtype=torch.float32) for v in voices), noise=noise, source_noise=source_noise,
        speed=SPEED * speed, pitch_shift=shift, pitch_range=scale, energy_shift=energy, stages=stages,
    )  # fmt: skip
    writer = gguf.GGUFWriter(FOLDER / f"{name}.golden.gguf", "golden")
    writer.add_array("input.units", units.tolist())
    writer.add_uint64("input.seed", SEED)
    writer.add_float32("input.speed", SPEED)
    writer.add_uint32("input.emotion", list(EMOTIONS).index(EMOTION))
    for stage, tensor in stages.items():
        writer.add_tensor(stage, rows(stage, tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    fractions = (stages["decoder.log_durations"].exp() / (SPEED * speed)) % 1
    pitch = stages["decoder.prosody"][..., 0].double() * scale + shift / config.log_f0_std
    steps = (pitch * config.log_f0_std + config.log_f0_mean).exp() / F0_STEP % 1
    print(f"{name}: the F0 nearest to a tie is off by {float((steps - 0.5).abs().min()):.5f} of a step")
    print(f"{name}: {int(stages['decoder.durations'].sum())} frames; the duration nearest to a tie is off by {float((fractions - 0.5).abs().min()):.4f}")


def make() -> None:
    rng = np.random.default_rng(7)  # as make_golden.py
    voices = [rng.standard_normal((2, DECODER.style_size)) for _ in range(2)]
    save_stages("decoder", calm_decoder(randomize(Decoder(DECODER), 6)), voices, 18, 37)

    decoder = calm_decoder(randomize(Decoder(ODD), 32))
    bundle = Bundle(name="decoder-odd", description="Random weights, for tests.")
    bundle.add("decoder", ODD, decoder.state_dict())
    voices = [rng.standard_normal((2, ODD.style_size)) for _ in range(2)]
    bundle.voices = (["anna", "mei"], *voices)
    bundle.voice_languages, bundle.default_voices = ["en", "zh"], (0, 1)
    bundle.emotions = emotion_table()
    write(bundle, FOLDER / "decoder-odd.gguf", "f32")
    save_stages("decoder-odd", decoder, voices, 15, 33)


if __name__ == "__main__":
    torch.set_num_threads(1)
    make()
