"""Where the sound of nano's voice is lost: `distillmos` of sentences that it never had, with more and more of the chain its own.

    python -m training.evaluation.voice --voice $MOSS_RUNS/voice/latest.pt --generator training/checkpoints/generator-voices.pt --clips 4
    python -m training.evaluation.voice --voice … --generator $MOSS_RUNS/generator/latest.pt --stages generator all    # a distilled generator

- `teacher`: the teacher's recording,
- `generator`: its features through the generator with the voice's constants; `distance` is that of log spectra to the teacher's generator, in dB,
- `features`: the voice's features of the teacher's durations and prosody,
- `all`: everything predicted.

Held-out sentences (voice/examples.py), which the teacher speaks in every voice where `$MOSS_RUNS/voice-held-out` has not enough; `--write FOLDER` keeps the audio.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch

from ..data import g2p
from ..data.teacher_features import VOICES, FeatureTeacher, Job, Store, sentences_of
from ..data.units import N_UNITS
from ..data.voices import NAMED_VOICES, voice_vector
from ..export.istft_generator import FrozenVoice, load_generator
from ..folders import runs_folder
from ..loop import checkpoint
from ..networks.config import FeatureDecoderConfig
from ..networks.istft_generator import IstftGenerator
from ..networks.feature_decoder import FeatureDecoder
from ..voice.examples import Clip, Clips, held_out
from .opinion import judge

STAGES = ("teacher", "generator", "features", "all")


def clips(config: FeatureDecoderConfig, count: int) -> tuple[Clips, dict[str, list[Clip]]]:
    """`count` held-out sentences of each voice, which the teacher speaks first if need be: each voice its own, of a second or more."""
    folder = runs_folder() / "voice-held-out"
    store = Store(folder)
    teacher = None
    for lang, voices in VOICES.items():
        texts = [text for text in sentences_of(lang) if held_out(text) and len(text) >= (24 if lang == "en" else 8)]
        random.Random(7).shuffle(texts)
        for i, voice in enumerate(voices):
            for j, text in enumerate(texts[i :: len(voices)][:count]):
                job = Job(f"h-{voice}-{j}", lang, "sentence", text, voice, 1.0)
                if job.id not in store.done:
                    teacher = teacher or FeatureTeacher(torch.get_num_threads())
                    phonemes = g2p.to_phonemes(text, lang, british=voice[0] == "b")
                    store.add(job, phonemes, teacher.features(phonemes, voice, job.speed))
    data = Clips(config, folder)
    return data, {name: [clip for clip in data.clips if clip.voice == name and clip.frames >= 80][:count] for name in NAMED_VOICES}


def log_spectra(audio: np.ndarray) -> torch.Tensor:
    """In dB, of 512 samples each; what is below -60 counts as -60."""
    parts = torch.stft(torch.tensor(audio), 512, 128, window=torch.hann_window(512), return_complex=True)
    return 20 * parts.abs().clamp(min=1e-3).log10()


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """The mean over time of the root mean square difference over frequency."""
    return float((log_spectra(a) - log_spectra(b)).square().mean(0).sqrt().mean())


@torch.no_grad()
def spoken(data: Clips, clip: Clip, voice: FeatureDecoder, twin: IstftGenerator, constants: FrozenVoice, stages: list[str]) -> dict[str, np.ndarray]:
    """The clip's audio at some stages, 24 kHz."""
    config, style = voice.config, constants.style[None]
    twin.freeze(constants.statistics)
    units, vectors = torch.tensor(clip.ids)[None], [torch.tensor(v)[None] for v in voice_vector(clip.voice, None)]
    frames = slice(clip.start, clip.start + clip.frames)
    true_f0 = torch.tensor(data.prosody[frames, 0])[None]
    features = torch.tensor(data.features[frames].astype(np.float32)).T[None]
    prosody = torch.tensor(np.stack([clip.pitch, clip.voiced, clip.energy], -1))[None]
    generate = lambda x, f0: twin(x, style, f0)[0].numpy()  # noqa: E731
    audio = {}
    if "teacher" in stages:
        audio["teacher"] = data.audio[frames.start * config.hop_length : frames.stop * config.hop_length].astype(np.float32) / 32768
    if "generator" in stages:
        audio["generator"] = generate(features, true_f0)
    if "features" in stages:
        own = voice.infer(units, *vectors, durations=torch.tensor(clip.durations)[None], prosody=prosody)
        audio["features"] = generate(own.features.transpose(1, 2), true_f0)
    if "all" in stages:
        free = voice.infer(units, *vectors)
        audio["all"] = generate(free.features.transpose(1, 2), free.f0)
    return audio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", type=Path, required=True)
    parser.add_argument("--generator", type=Path, required=True, help="constants of the teacher's voices (training.export.istft_generator), or a distilled generator")
    parser.add_argument("--clips", type=int, default=4, help="of each voice")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--against", type=Path, help="constants of the teacher's voices: also the distance of `generator` from the teacher's generator")
    parser.add_argument("--write", type=Path, help="a folder for the audio")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    saved = checkpoint.load(args.voice)
    config = FeatureDecoderConfig(**saved["config"])
    assert config.unit_count == N_UNITS
    voice = FeatureDecoder(config).eval()
    voice.load_state_dict(saved["voice"])
    (twin, constants), score = load_generator(args.generator), judge()
    data, of_voice = clips(config, args.clips)
    teacher = load_generator(args.against) if args.against else None
    table: dict[str, dict[str, list[float]]] = {}
    for name in NAMED_VOICES:
        row = table.setdefault(name, {})
        for clip in of_voice[name]:
            made = spoken(data, clip, voice, twin, constants[name], args.stages)
            for stage, audio in made.items():
                row.setdefault(stage, []).append(score(audio, config.sample_rate))
                if args.write:
                    args.write.mkdir(parents=True, exist_ok=True)
                    soundfile.write(args.write / f"{name}-{clip.id}-{stage}.wav", audio, config.sample_rate)
            if teacher and "generator" in made:
                wanted = spoken(data, clip, voice, teacher[0], teacher[1][name], ["generator"])["generator"]
                row.setdefault("distance", []).append(distance(made["generator"], wanted))
    means = {name: {"clips": len(of_voice[name]), **{what: round(float(np.mean(values)), 2) for what, values in row.items()}} for name, row in table.items()}
    for name, row in means.items():
        print(name, row, file=sys.stderr)
    print(json.dumps({"step": saved["step"], "voices": means}))


if __name__ == "__main__":
    main()
