"""Makes the reference tensors of the waveform generator with a harmonic source: python test/golden/make_istft_golden.py

istft.gguf, istft-q8_0.gguf    a small random generator with the constants of two voices
istft.golden.gguf              what it was given, and the PyTorch twin's stages, frozen for the second voice; waves of short utterances
istft-odd.gguf                 one with odd sizes: of a frame, of the strides, of the channels
istft-odd.golden.gguf          the same of it
--teacher FOLDER               teacher.gguf and teacher.golden.gguf, of the teacher's weights and a captured clip, to be kept out of the repository:
                               MOSS_TEACHER_GENERATOR=FOLDER is for the C++ test

Stages are [T, C].
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import gguf
import numpy as np
import torch

from make_golden import FOLDER
from training.export.istft_generator import FrozenVoice, clips, freeze, write
from training.networks.istft_generator import IstftGenerator, IstftGeneratorConfig

CONFIG = IstftGeneratorConfig(
    feature_size=16, style_size=8, channels=[32, 12], upsample_rates=[4, 3], upsample_kernels=[8, 7], resblock_kernels=[3, 5], resblock_dilations=[1, 2],
    noise_kernels=[3, 5], istft_n_fft=8, istft_hop=2,
)  # fmt: skip
ODD = IstftGeneratorConfig(
    feature_size=5, style_size=4, channels=[7, 6, 5], upsample_rates=[3, 3, 5], upsample_kernels=[5, 3, 7], resblock_kernels=[5, 3, 1], resblock_dilations=[1, 3, 2],
    noise_kernels=[1, 3, 7], istft_n_fft=12, istft_hop=3, sample_rate=16000,
)  # fmt: skip
SHORT = (1, 2, 3, 7)  # frames


def random_twin(config: IstftGeneratorConfig, seed: int) -> IstftGenerator:
    """Weights that keep the signal's size and let every term show."""
    generator = torch.Generator().manual_seed(seed)
    twin = IstftGenerator(config)
    with torch.no_grad():
        for name, p in twin.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith("alpha"):
                p.copy_(noise.abs() + 0.3)
            elif name == "source.weight":
                p.copy_(noise)
            elif p.dim() >= 2:
                p.copy_(noise * (0.3 if ".fc." in name else 1.0) / (p.numel() / p.shape[0 if name[:2] != "up" else 1]) ** 0.5)
            else:
                p.copy_(0.1 * noise)
        twin.post.weight.mul_(0.2)  # its outputs are exponents
    return twin.eval()


def random_f0(frames: int, generator: torch.Generator) -> torch.Tensor:
    """Gliding, with frames without voice."""
    t = torch.arange(frames)
    f0 = 200 + 80 * (t / 5).sin() + 10 * torch.randn(frames, generator=generator)
    return f0 * ((t % 16) < 11)


def rows(name: str, tensor: torch.Tensor) -> np.ndarray:
    """A stage as [T, C]."""
    tensor = tensor[..., None] if name.startswith("generator.wave") else tensor.transpose(1, 2)
    return np.ascontiguousarray(tensor[0].detach().float().numpy())


@torch.no_grad()
def save_stages(path: Path, twin: IstftGenerator, voice: FrozenVoice, features: torch.Tensor, f0: torch.Tensor, only: tuple[str, ...] = ()) -> None:
    """`only`: stages that begin so are kept; () keeps all."""
    twin.freeze(voice.statistics)
    stages: dict[str, torch.Tensor] = {}
    twin(features[None], voice.style[None], f0[None], stages)
    phases = stages["generator.source"].chunk(2, 1)[1]
    print(f"{path.name}: the phase nearest to half a turn is off by {float((math.pi - phases.abs())[phases.abs() < math.pi - 1e-9].min()):.1e}")
    for frames in SHORT:
        stages[f"generator.wave.{frames}"] = twin(features[None, :, :frames], voice.style[None], f0[None, :frames])
    writer = gguf.GGUFWriter(path, "golden")
    writer.add_tensor("input.features", np.ascontiguousarray(features.T.numpy()))
    writer.add_tensor("input.f0", np.ascontiguousarray(f0.numpy()))
    for name, tensor in stages.items():
        if name.startswith(only or ""):
            writer.add_tensor(name, rows(name, tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@torch.no_grad()
def random_voices(twin: IstftGenerator, generator: torch.Generator) -> dict[str, FrozenVoice]:
    """Styles, and statistics of random features, of two voices."""
    config, voices = twin.config, {}
    for voice in ("anna", "mei"):
        features, style = torch.randn(1, config.feature_size, 60, generator=generator), torch.randn(1, config.style_size, generator=generator)
        twin.collect()
        twin(features, style, random_f0(60, generator)[None])
        voices[voice] = FrozenVoice(style[0], twin.statistics())
    return voices


def make_random(name: str, config: IstftGeneratorConfig, seed: int, frames: int, types: tuple[str, ...] = ("f32",)) -> None:
    twin, generator = random_twin(config, seed), torch.Generator().manual_seed(seed + 1)
    voices = random_voices(twin, generator)
    for type_ in types:
        write(FOLDER / (f"{name}.gguf" if type_ == "f32" else f"{name}-{type_}.gguf"), twin, voices, type_, name, "MIT")
    features = torch.randn(config.feature_size, frames, generator=generator)
    save_stages(FOLDER / f"{name}.golden.gguf", twin, voices["mei"], features, random_f0(frames, generator))


def make_teacher(folder: Path) -> None:
    from training.voice.teacher_generator import teacher_generator

    folder.mkdir(parents=True, exist_ok=True)
    twin, found = teacher_generator(), clips(["af_heart"], 5)
    voice = freeze(twin, found[1:])
    write(folder / "teacher.gguf", twin, {"af_heart": voice}, "f32", "teacher", "Apache-2.0")
    save_stages(folder / "teacher.golden.gguf", twin, voice, found[0].features[:, :120], found[0].f0[:120])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.teacher:
        make_teacher(arguments.teacher)
        return
    make_random("istft", CONFIG, 50, 32, ("f32", "q8_0"))
    make_random("istft-odd", ODD, 60, 24)


if __name__ == "__main__":
    main()
