"""Trains a smaller waveform generator on the teacher's: `python -m training.voice.distil_generator`. Resumes from `$MOSS_RUNS/generator/resume.pt`.

It begins as what `prune_generator` makes of the teacher. The source is given, so both have the same phases, and every error can be measured: of the spectra that
the waveform is made of, and of the waveform's short-time spectra. `latest.pt` holds averaged weights with the voices' constants, for `training.export.bundle
--generator`. Examples are made while it trains, some a step, and drawn again later; with `--from-level 1` level 0 stays as it is and its output is kept with them.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..data.units import N_UNITS
from ..export.istft_generator import FrozenVoice, constants_of, load_voices, save_generator, unpacked
from ..folders import runs_folder
from ..loop.checkpoint import Average, load, save
from ..loop.muon import Muon
from ..loop.stopping import stop_signals
from ..networks.config import FeatureDecoderConfig
from ..networks.istft_generator import IstftGenerator, IstftGeneratorConfig
from .examples import Clips
from .generator_examples import WindowDraw, set_voices
from .prune_generator import Pruning
from .teacher_generator import teacher_generator

SIZES = (256, 512, 1024, 2048)  # of the short-time spectra
COMPRESSION = 0.3  # exponent of their magnitudes: about as loud as they are heard
FLOOR = 1e-8  # of a squared magnitude
QUIETEST = -9.0  # log magnitude of a bin of the generator's: what is below does not matter
FIRST = 4  # examples of each voice before the first step
WEIGHTS = {"magnitude": 1.0, "complex": 0.5, "log_magnitude": 0.05, "spectrum": 0.5}


def multiply_accumulates(config: IstftGeneratorConfig) -> float:
    """Of a second of speech."""
    rate, channels, total, bins = config.sample_rate / config.hop_length, config.feature_size, 0.0, config.istft_n_fft + 2
    for i, width in enumerate(config.channels):
        total += rate * config.upsample_kernels[i] * channels * width  # each input frame
        rate *= config.upsample_rates[i]
        stride = round(config.sample_rate / config.istft_hop / rate)
        kernels = sum(config.resblock_kernels) + config.noise_kernels[i]
        total += rate * width * (2 * len(config.resblock_dilations) * width * kernels + bins * (2 * stride if stride > 1 else 1))
        channels = width
    return total + rate * 7 * channels * bins


def compressed(wave: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[B, n] -> short-time spectrum with compressed magnitudes: these, and real and imaginary parts."""
    parts = torch.view_as_real(torch.stft(wave, size, size // 4, window=torch.hann_window(size), return_complex=True))
    power = parts.square().sum(-1) + FLOOR
    return power ** (COMPRESSION / 2), parts * power[..., None] ** ((COMPRESSION - 1) / 2)


def losses(student: IstftGenerator, post: torch.Tensor, wanted: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of log magnitudes and phases [B, 2 bins, n], the teacher's and the student's."""
    (m, p), (m_wanted, p_wanted) = post.chunk(2, 1), wanted.chunk(2, 1)
    loud = (COMPRESSION * m_wanted).exp()
    angle = p.sin() - p_wanted.sin()
    result = {
        "log_magnitude": (m.clamp(min=QUIETEST) - m_wanted.clamp(min=QUIETEST)).abs().mean(),
        "spectrum": ((COMPRESSION * m).exp() - loud).abs().mean() + (loud * (0.5 * angle).sin().abs()).mean(),
    }
    wave, wave_wanted = student.waveform(post), student.waveform(wanted)
    magnitude, complex_ = 0.0, 0.0
    for size in SIZES:
        (a, b), (a_wanted, b_wanted) = compressed(wave, size), compressed(wave_wanted, size)
        magnitude = magnitude + (a - a_wanted).abs().mean() / a_wanted.mean()
        complex_ = complex_ + (b - b_wanted).square().sum(-1).add(1e-6).sqrt().mean() / a_wanted.mean()
    return result | {"magnitude": magnitude / len(SIZES), "complex": complex_ / len(SIZES)}


@dataclass
class Example:
    voice: int
    x: torch.Tensor  # [C, T] input of the first level that is trained: the features, or the output of the levels before
    source: torch.Tensor  # [2 bins, n]
    wanted: torch.Tensor  # [2 bins, n]: the teacher's log magnitudes and phases


class Distillation:
    """Teacher and student with their voices' constants."""

    def __init__(self, teacher: IstftGenerator, teachers_voices: dict[str, FrozenVoice], student: IstftGenerator, voices: dict[str, FrozenVoice], first_level: int):
        self.teacher, self.student, self.first_level = teacher, student, first_level
        self.names = list(voices)
        self.teachers_voices, self.voices = [teachers_voices[name] for name in self.names], list(voices.values())
        teacher.requires_grad_(False)
        student.source.requires_grad_(False)
        levels = len(student.config.channels)
        for modules in (student.up, student.noise_conv, student.noise_res, student.res):
            for i, module in enumerate(modules):
                module.requires_grad_(i // (len(modules) // levels) >= first_level)

    @torch.no_grad()
    def examples(self, draw: WindowDraw, voices: list[int]) -> list[Example]:
        windows = draw.draw(self.teacher, voices)
        wanted = self.teacher.frames(windows.features, set_voices(self.teacher, self.teachers_voices, windows.voices), windows.source)
        x, style = windows.features, set_voices(self.student, self.voices, windows.voices)
        for i in range(self.first_level):
            x = self.student.level(i, x, style, windows.source)
        return [Example(*parts) for parts in zip(voices, x, windows.source, wanted)]

    def losses(self, batch: list[Example]) -> dict[str, torch.Tensor]:
        x, source, wanted = (torch.stack([getattr(example, name) for example in batch]) for name in ("x", "source", "wanted"))
        style = set_voices(self.student, self.voices, torch.tensor([example.voice for example in batch]))
        for i in range(self.first_level, len(self.student.up)):
            x = self.student.level(i, x, style, source)
        return losses(self.student, self.student.post(F.leaky_relu(x)), wanted)


def total(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    return sum(WEIGHTS[name] * value for name, value in parts.items())


def pruned(teacher: IstftGenerator, voices: dict[str, FrozenVoice], config: IstftGeneratorConfig, draw: WindowDraw, windows: int) -> tuple[IstftGenerator, dict[str, FrozenVoice]]:
    """A student from `windows` windows of each voice."""
    drawn = draw.draw(teacher, list(range(len(voices))) * windows)
    student, its_voices = Pruning(teacher, list(voices.values()), config, drawn).run()
    return student, dict(zip(voices, its_voices))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=runs_folder() / "generator")
    parser.add_argument("--constants", type=Path, default=Path("training/checkpoints/generator-voices.pt"), help="of the teacher's voices (training.export.istft_generator)")
    parser.add_argument("--start", type=Path, help="where to start if there is nothing to resume: an exported checkpoint; without it, a pruned teacher")
    parser.add_argument("--export", type=Path, help="write the averaged weights as a checkpoint there, and stop")
    parser.add_argument("--channels", type=int, nargs=2, default=[192, 96], help="of the student's levels")
    parser.add_argument("--noise-kernels", type=int, nargs=2, default=[3, 3])
    parser.add_argument("--prune-windows", type=int, default=8, help="of each voice, for the pruning")
    parser.add_argument("--from-level", type=int, default=0, choices=(0, 1), help="the first level that is trained")
    parser.add_argument("--minutes", type=float, default=20, help="of training; the learning rate falls to nothing over the steps that fit; 0: prune only")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--window", type=int, default=32, help="frames of 12.5 ms")
    parser.add_argument("--fresh", type=int, default=2, help="examples of a batch that are made anew, until enough are kept: more variety, but each costs the teacher's run")
    parser.add_argument("--kept", type=int, default=2000, help="examples that are kept in memory: some 0.7 MB each")
    parser.add_argument("--lr", type=float, default=1.5e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    resume = args.out / "resume.pt"
    teacher, teachers_voices = teacher_generator(), load_voices(args.constants)
    data = Clips(FeatureDecoderConfig(unit_count=N_UNITS))

    def drawer(clips: list, seed: int) -> WindowDraw:
        return WindowDraw(data, clips, list(teachers_voices), args.window, np.random.default_rng(seed))

    saved = load(resume) if resume.exists() else load(args.start) | {"average": None} if args.start else None
    if saved:
        student = IstftGenerator(IstftGeneratorConfig(**saved["config"]))
        student.load_state_dict(unpacked(saved["generator"]))
        voices = constants_of(saved)
    else:
        config = IstftGeneratorConfig(channels=args.channels, noise_kernels=args.noise_kernels, style_size=len(teachers_voices))
        student, voices = pruned(teacher, teachers_voices, config, drawer(data.train(), args.seed), args.prune_windows)
    step = saved["step"] if saved else 0
    average = Average(student, 0.99)
    if saved and saved["average"]:
        average.load_state_dict(saved["average"])
    if args.export:
        average.swap()
        save_generator(args.export, student, voices, step)
        return
    distillation = Distillation(teacher, teachers_voices, student, voices, args.from_level)
    trained = [p for p in student.parameters() if p.requires_grad]
    # Adam's first steps undo the fit, at any learning rate that is worth it; Muon's do not.
    optimizers = [Muon([p for p in trained if p.ndim > 2], args.lr, weight_decay=0.0), torch.optim.Adam([p for p in trained if p.ndim <= 2], args.lr, (0.9, 0.99))]
    if saved and saved.get("from_level") == args.from_level:
        for optimizer, state in zip(optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)
    print(f"step {step}: {multiply_accumulates(student.config) / 1e9:.2f} G multiply-accumulates a second, {sum(p.numel() for p in student.parameters()) / 1e6:.1f} M parameters", flush=True)

    def write() -> None:
        state = {"step": step, "from_level": args.from_level, "config": asdict(student.config), "generator": student.state_dict()}
        state |= {"voices": {name: asdict(v) for name, v in voices.items()}, "optimizers": [optimizer.state_dict() for optimizer in optimizers]}
        save(resume, state | {"average": average.state_dict()})
        average.swap()
        save_generator(args.out / "latest.pt", student, voices, step)
        average.swap()

    write()
    rng, draw = np.random.default_rng(args.seed + step), drawer(data.train(), args.seed + step)
    voice_count = len(voices)
    watched = distillation.examples(drawer(data.train(), 12345), list(range(voice_count)))  # a window of each voice; not held out, but seldom drawn
    stop, kept = stop_signals(), distillation.examples(draw, list(range(voice_count)) * FIRST)
    log = open(args.out / "log.jsonl", "a", encoding="utf-8")
    sums: dict[str, float] = {}
    count, began, written, first = 0, time.time(), time.time(), step

    def report() -> None:
        average.swap()
        with torch.no_grad():
            parts = distillation.losses(watched)
        average.swap()
        row = {"step": step, "minutes": round((time.time() - began) / 60, 2), "cpu": round(time.process_time() / 60, 2), "kept": len(kept)}
        row |= {name: round(value / max(count, 1), 4) for name, value in sums.items()}
        row["watched"] = {name: round(float(value), 4) for name, value in parts.items()}
        log.write(json.dumps(row) + "\n")
        log.flush()
        print(row, flush=True)

    report()
    while not stop and (progress := (time.time() - began) / 60 / max(args.minutes, 1e-9)) < 1:
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = args.lr * min(1.0, (step - first + 1) / 10) * (0.5 + 0.5 * np.cos(np.pi * progress))
        fresh = distillation.examples(draw, [(step * args.fresh + i) % voice_count for i in range(args.fresh)]) if len(kept) < args.kept else []
        parts = distillation.losses(fresh + [kept[i] for i in rng.integers(len(kept), size=args.batch - len(fresh))])
        kept += fresh
        student.zero_grad(set_to_none=True)
        total(parts).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        average.update()
        step += 1
        count += 1
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if count == 50:
            report()
            sums, count = {}, 0
        if time.time() - written > 180:
            write()
            written = time.time()
    write()
    print(f"stopped at step {step}", flush=True)


if __name__ == "__main__":
    main()
