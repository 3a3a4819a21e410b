"""A small generator out of a larger one: pruned, trained for a few steps, kept and exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from training.data.teacher_features import CHANNELS
from training.export.istft_generator import FrozenVoice, load_generator, packed, save_generator, unpacked, write
from training.networks.istft_generator import IstftGenerator, IstftGeneratorConfig
from training.voice.distil_generator import Distillation, multiply_accumulates, pruned, total
from training.voice.examples import Clip
from training.voice.generator_examples import WindowDraw

LARGE = IstftGeneratorConfig(style_size=8, channels=[48, 32], upsample_rates=[3, 4], upsample_kernels=[9, 8], resblock_kernels=[3, 5], resblock_dilations=[1, 2], noise_kernels=[5, 5])
SMALL = replace(LARGE, style_size=2, channels=[32, 16], noise_kernels=[3, 3])
FRAMES = 24


class Captured:
    """Two clips, as voice.examples.Clips has them."""

    def __init__(self):
        rng = np.random.default_rng(1)
        t = np.arange(80)
        self.features = np.sin(t[:, None] * rng.uniform(0.05, 0.6, CHANNELS) + rng.uniform(0, 6, CHANNELS)).astype(np.float16)
        self.prosody = np.stack([150 + 40 * np.sin(t / 9), 0 * t], 1).astype(np.float32)
        self.clips = [self.clip("anna", 0), self.clip("otto", 40)]

    def clip(self, voice: str, start: int) -> Clip:
        empty = np.zeros(40, np.float32)
        return Clip(voice, "en", "sentence", voice, "", 0, empty, empty, start, empty, empty, empty)


@pytest.fixture
def teacher() -> tuple[IstftGenerator, dict[str, FrozenVoice]]:
    torch.manual_seed(2)
    twin = IstftGenerator(LARGE).eval()
    voices = {}
    for name in ("anna", "otto"):
        style = torch.randn(8)
        twin.collect()
        with torch.no_grad():
            twin(torch.randn(1, CHANNELS, 30), style[None], torch.full((1, 30), 140.0))
        voices[name] = FrozenVoice(style, twin.statistics())
    return twin, voices


def draw() -> WindowDraw:
    data = Captured()
    return WindowDraw(data, data.clips, ["anna", "otto"], FRAMES, np.random.default_rng(3))


def test_a_student_of_the_same_size_is_the_teacher(teacher):
    student, voices = pruned(*teacher, replace(LARGE, style_size=2), draw(), 1)
    clips, f0 = torch.randn(1, CHANNELS, 20), torch.full((1, 20), 170.0)
    with torch.no_grad():
        waves = []
        for generator, constants in ((teacher[0], teacher[1]), (student, voices)):
            generator.freeze(constants["otto"].statistics)
            waves.append(generator(clips, constants["otto"].style[None], f0))
    assert torch.nn.functional.cosine_similarity(waves[0], waves[1]).item() > 0.98  # the up-sampling is fitted to little speech


@pytest.mark.parametrize("first_level", [0, 1])
def test_it_learns_and_is_exported(teacher, tmp_path: Path, first_level: int):
    student, voices = pruned(*teacher, SMALL, draw(), 2)
    assert multiply_accumulates(SMALL) < 0.6 * multiply_accumulates(LARGE)
    distillation = Distillation(*teacher, student, voices, first_level)
    batch = distillation.examples(draw(), [0, 1])
    before = {name: value.clone() for name, value in student.state_dict().items()}
    trained = [p for p in student.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, 1e-3)
    course = []
    for _ in range(12):
        loss = total(distillation.losses(batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.append(float(loss.detach()))
    assert np.isfinite(course).all() and min(course[-3:]) < 0.95 * course[0]
    after = student.state_dict()
    assert torch.equal(before["up.0.weight"], after["up.0.weight"]) == (first_level == 1)
    assert not torch.equal(before["res.2.conv1.0.weight"], after["res.2.conv1.0.weight"])

    save_generator(tmp_path / "generator.pt", student, voices, 12)
    loaded, constants = load_generator(tmp_path / "generator.pt")
    assert loaded.config == SMALL and list(constants) == ["anna", "otto"]
    write(tmp_path / "a.gguf", loaded, constants, "q8_0", "a", "Apache-2.0")
    tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / "a.gguf").tensors}
    assert tensors["generator.res.2.norm2.1.scale"].shape.tolist() == [16, 2]
    norm, constant = loaded.res[2].norm2[1], constants["otto"].statistics[loaded.norms().index(loaded.res[2].norm2[1])]
    wanted = (1 + norm.fc.weight[:16, 1] + norm.fc.bias[:16]) / (constant[1] + 1e-5).sqrt()
    np.testing.assert_allclose(tensors["generator.res.2.norm2.1.scale"].data[1], wanted.detach(), rtol=1e-4)


def test_large_weights_are_kept_in_8_bits():
    weight = torch.randn(256, 160, 3) * torch.rand(256, 1, 1)
    kept = packed({"weight": weight, "norm.fc.weight": torch.randn(4, 2)})
    assert kept["weight"][0].dtype == torch.int8 and kept["norm.fc.weight"].dtype == torch.float32
    error = (unpacked(kept)["weight"] - weight).abs().amax(1)
    assert bool((error <= weight.abs().amax(1) / 253).all())
