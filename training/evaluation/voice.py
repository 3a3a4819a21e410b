"""Where the sound of nano's voice is lost: `distillmos` of sentences that it never had, with more and more of the chain its own.

    python -m training.evaluation.voice --voice $MOSS_RUNS/voice/latest.pt --generator training/checkpoints/generator-voices.pt --clips 4

- `teacher`: the teacher's recording,
- `generator`: its features through the generator with the voice's constants,
- `features`: the voice's features of the teacher's durations and prosody,
- `all`: everything predicted.

Held-out clips of the captured features (voice/examples.py); `--write FOLDER` keeps the audio.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch

from ..data.units import N_UNITS
from ..data.voices import NAMED_VOICES, voice_vector
from ..export.istft_generator import FrozenVoice, load_voices
from ..loop import checkpoint
from ..networks.config import FeatureDecoderConfig
from ..networks.istft_generator import IstftGenerator
from ..networks.feature_decoder import FeatureDecoder
from ..voice.examples import Clip, Clips
from ..voice.teacher_generator import teacher_generator
from .opinion import judge

STAGES = ("teacher", "generator", "features", "all")


def held_out(data: Clips, voice: str, count: int) -> list[Clip]:
    """Sentences and replies of a second or more; single words tell the judge little."""
    return [clip for clip in data.valid() if clip.voice == voice and clip.frames >= 80][:count]


@torch.no_grad()
def spoken(data: Clips, clip: Clip, voice: FeatureDecoder, twin: IstftGenerator, constants: FrozenVoice) -> dict[str, np.ndarray]:
    """The clip's audio at each stage, 24 kHz."""
    config, style = voice.config, constants.style[None]
    twin.freeze(constants.statistics)
    units, vectors = torch.tensor(clip.ids)[None], [torch.tensor(v)[None] for v in voice_vector(clip.voice, None)]
    frames = slice(clip.start, clip.start + clip.frames)
    true_f0 = torch.tensor(data.prosody[frames, 0])[None]
    features = torch.tensor(data.features[frames].astype(np.float32)).T[None]
    prosody = torch.tensor(np.stack([clip.pitch, clip.voiced, clip.energy], -1))[None]
    own = voice.infer(units, *vectors, durations=torch.tensor(clip.durations)[None], prosody=prosody)
    free = voice.infer(units, *vectors)
    generate = lambda x, f0: twin(x, style, f0)[0].numpy()  # noqa: E731
    hop = config.hop_length
    return {
        "teacher": data.audio[frames.start * hop : frames.stop * hop].astype(np.float32) / 32768,
        "generator": generate(features, true_f0),
        "features": generate(own.features.transpose(1, 2), true_f0),
        "all": generate(free.features.transpose(1, 2), free.f0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", type=Path, required=True)
    parser.add_argument("--generator", type=Path, required=True, help="constants of the voices (training.export.istft_generator)")
    parser.add_argument("--clips", type=int, default=4, help="of each voice")
    parser.add_argument("--write", type=Path, help="a folder for the audio")
    args = parser.parse_args()
    saved = checkpoint.load(args.voice)
    config = FeatureDecoderConfig(**saved["config"])
    assert config.unit_count == N_UNITS
    voice = FeatureDecoder(config).eval()
    voice.load_state_dict(saved["voice"])
    data, twin, constants, score = Clips(config), teacher_generator(), load_voices(args.generator), judge()
    table: dict[str, dict[str, list[float]]] = {}
    for name in NAMED_VOICES:
        for clip in held_out(data, name, args.clips):
            for stage, audio in spoken(data, clip, voice, twin, constants[name]).items():
                table.setdefault(name, {}).setdefault(stage, []).append(score(audio, config.sample_rate))
                if args.write:
                    args.write.mkdir(parents=True, exist_ok=True)
                    soundfile.write(args.write / f"{name}-{clip.id}-{stage}.wav", audio, config.sample_rate)
    means = {name: {"clips": len(scores["all"]), **{stage: round(float(np.mean(scores[stage])), 2) for stage in STAGES}} for name, scores in table.items()}
    for name, row in means.items():
        print(name, row, file=sys.stderr)
    print(json.dumps({"step": saved["step"], "voices": means}))


if __name__ == "__main__":
    main()
