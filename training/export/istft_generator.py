"""The waveform generator (networks/istft_generator.py) as a component `generator` of a GGUF file, its norms frozen for each voice.

    python -m training.export.istft_generator --voices af_heart zf_xiaoxiao --constants training/checkpoints/generator-voices.pt   # measured on captured features
    python -m training.export.istft_generator --constants training/checkpoints/generator-voices.pt --out teacher-generator.gguf --type f32

Layout (what native/model/istft_generator expects): the convolutions as bundle.py has them. Each norm and its affine of the style become a scale and a
shift of a voice, `generator.<block>.norm1.0.scale` and `.shift` [voices, channels]. Convolutions are of the type where their rows are a multiple of 32 and there
are 32 of them, else F16 (F32 under f32 and bf16); what reads phases is F16; the constants are always F32.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from ..loop import checkpoint
from ..networks.istft_generator import EPSILON, AdaIn, IstftGenerator, IstftGeneratorConfig
from .tensors import ARCHITECTURE, add_key, encode, layouts

TYPES = {"f32": Type.F32, "f16": Type.F16, "bf16": Type.BF16, "q8_0": Type.Q8_0}
STYLE_CHANNELS = 128
LARGE = 110_000  # weights of a convolution that a checkpoint keeps in 8 bits


@dataclass
class FrozenVoice:
    """What makes the norms constant: the style that is spoken with, and every norm's mean and variance (IstftGenerator.statistics)."""

    style: torch.Tensor  # [S]
    statistics: list[tuple[torch.Tensor, torch.Tensor]]


def scale_and_shift(norm: AdaIn, style: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A frozen norm as x * scale + shift, [C] each."""
    gain, offset = (norm.fc.weight.double() @ style.double() + norm.fc.bias.double()).chunk(2)
    scale = (1 + gain) / (variance.double() + EPSILON).sqrt()
    return scale, offset - mean.double() * scale


def constants(twin: IstftGenerator, voices: list[FrozenVoice]) -> dict[str, np.ndarray]:
    """`<norm>.scale` and `<norm>.shift` [voices, C]."""
    names = [name for name, module in twin.named_modules() if isinstance(module, AdaIn)]
    tables: dict[str, np.ndarray] = {}
    for i, (name, norm) in enumerate(zip(names, twin.norms(), strict=True)):
        rows = [scale_and_shift(norm, voice.style, *voice.statistics[i]) for voice in voices]
        for j, what in enumerate(("scale", "shift")):
            tables[f"{name}.{what}"] = torch.stack([row[j] for row in rows]).detach().numpy().astype(np.float32)
    return tables


def encode_weight(name: str, kind: str, tensor: torch.Tensor, matrix_type: Type) -> tuple[np.ndarray, Type]:
    array, _ = encode(name, kind, tensor, Type.F32)  # the layout
    if kind not in ("conv", "transposed") or matrix_type == Type.F32:
        return array, Type.F32
    if name.startswith("noise_conv"):  # reads phases, in which eight bits would be heard
        return array.astype(np.float16), Type.F16
    if matrix_type == Type.BF16:
        return gguf.quants.quantize(array, Type.BF16), Type.BF16
    if matrix_type == Type.Q8_0 and array.shape[0] >= 32 and array.shape[1] % 32 == 0:
        return gguf.quants.quantize(array, Type.Q8_0), Type.Q8_0
    return array.astype(np.float16), Type.F16


@torch.no_grad()
def add_generator(writer: gguf.GGUFWriter, twin: IstftGenerator, voices: dict[str, FrozenVoice], matrix_type: str) -> int:
    """Adds keys and tensors to a file; returns the tensors' bytes."""
    for field, value in asdict(twin.config).items():
        add_key(writer, f"moss-speech.generator.{field}", value)
    writer.add_array("moss-speech.generator.voices", list(voices))
    kinds, state = layouts(twin), twin.state_dict()
    tensors = {
        name: encode_weight(name, kind, state[name], TYPES[matrix_type]) for name, kind in kinds.items() if ".norm" not in name and name != "window"
    }  # fmt: skip
    tensors.update({name: (table, Type.F32) for name, table in constants(twin, list(voices.values())).items()})
    for name, (array, type_) in tensors.items():
        writer.add_tensor(f"generator.{name}", array, raw_dtype=type_)
    return sum(array.nbytes for array, _ in tensors.values())


def write(path: Path, twin: IstftGenerator, voices: dict[str, FrozenVoice], matrix_type: str, name: str, license: str) -> int:
    """A file with the generator alone."""
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    writer.add_name(name)
    writer.add_license(license)
    size = add_generator(writer, twin, voices, matrix_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return size


@dataclass
class Clip:
    """Of the teacher's captured features (data/teacher_features.py)."""

    voice: str
    style: torch.Tensor  # [S]: of the row that spoke
    features: torch.Tensor  # [512, T]
    f0: torch.Tensor  # [T]


def clips(voices: list[str], count: int) -> list[Clip]:
    """The first `count` captured clips of each voice."""
    from ..data.teacher import Teacher
    from ..data.teacher_features import CHANNELS, FOLDER
    from ..folders import runs_folder

    teacher, folder, found = Teacher(1), runs_folder() / FOLDER, []
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    for voice in voices:
        of_voice = [row for row in rows if row["voice"] == voice]
        if len(of_voice) < count:
            raise ValueError(f"{voice}: {len(of_voice)} clips captured, {count} wanted")
        for row in of_voice[:count]:
            read = lambda name, type_, width: np.fromfile(  # noqa: E731
                folder / name, type_, row["frames"] * width, offset=row["start"] * width * np.dtype(type_).itemsize  # noqa: B023
            ).reshape(-1, width)  # fmt: skip
            style = teacher.voice(voice)[row["style_row"], :STYLE_CHANNELS]
            features, f0 = read("features.f16", np.float16, CHANNELS).T, read("prosody.f32", np.float32, 2)[:, 0]
            found.append(Clip(voice, *(torch.tensor(np.ascontiguousarray(part, np.float32)) for part in (style, features, f0))))
    return found


@torch.no_grad()
def freeze(twin: IstftGenerator, of_voice: list[Clip]) -> FrozenVoice:
    """A voice's constants: statistics and styles of its clips, weighted by length."""
    twin.collect()
    for clip in of_voice:
        twin(clip.features[None], clip.style[None], clip.f0[None])
    statistics = twin.statistics()
    lengths = torch.tensor([clip.f0.shape[0] for clip in of_voice], dtype=torch.float32)
    return FrozenVoice((torch.stack([clip.style for clip in of_voice]) * lengths[:, None]).sum(0) / lengths.sum(), statistics)


def constants_of(saved: dict) -> dict[str, FrozenVoice]:
    return {voice: FrozenVoice(**fields) for voice, fields in saved["voices"].items()}


def load_voices(path: Path) -> dict[str, FrozenVoice]:
    """The constants of the teacher's voices that `main` has measured."""
    return {voice: FrozenVoice(**saved) for voice, saved in checkpoint.load(path).items()}


def packed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor | tuple[torch.Tensor, torch.Tensor]]:
    """Large convolutions [A, B, kernel] in 8 bits with a scale [A, 1, kernel], which loses no more than a q8_0 bundle does; the voices' gains and shifts in F32, the rest in FP16."""
    result = {}
    for name, value in state.items():
        if value.ndim == 3 and value.numel() >= LARGE:
            scale = (value.abs().amax(1, keepdim=True) / 127).clamp(min=1e-8)
            result[name] = ((value / scale).round().to(torch.int8), scale)
        else:
            result[name] = value.clone() if ".fc." in name else value.half()
    return result


def unpacked(state: dict) -> dict[str, torch.Tensor]:
    return {name: value[0] * value[1] if isinstance(value, tuple) else value.float() for name, value in state.items()}


def save_generator(path: Path, generator: IstftGenerator, voices: dict[str, FrozenVoice], step: int) -> None:
    """A distilled generator (voice/distil_generator.py)."""
    constants = {name: asdict(voice) for name, voice in voices.items()}
    checkpoint.save(path, {"step": step, "config": asdict(generator.config), "generator": packed(generator.state_dict()), "voices": constants})


def load_generator(path: Path) -> tuple[IstftGenerator, dict[str, FrozenVoice]]:
    """A distilled generator with its voices; or the teacher's, where the file has the constants of its voices alone."""
    saved = checkpoint.load(path)
    if "generator" not in saved:
        from ..voice.teacher_generator import teacher_generator

        return teacher_generator(), load_voices(path)
    generator = IstftGenerator(IstftGeneratorConfig(**saved["config"]))
    generator.load_state_dict(unpacked(saved["generator"]))
    return generator.eval(), constants_of(saved)


def main() -> None:
    from ..voice.teacher_generator import teacher_generator

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", nargs="+", default=[], help="voices to measure; none: those that --constants has")
    parser.add_argument("--clips", type=int, default=25, help="of each voice, for its constants")
    parser.add_argument("--constants", type=Path, required=True, help="where the voices' constants are kept")
    parser.add_argument("--out", type=Path, help="write a GGUF file of the generator alone")
    parser.add_argument("--type", choices=TYPES, default="q8_0")
    arguments = parser.parse_args()
    twin = teacher_generator()
    if arguments.voices:
        found = clips(arguments.voices, arguments.clips)
        checkpoint.save(arguments.constants, {voice: asdict(freeze(twin, [clip for clip in found if clip.voice == voice])) for voice in arguments.voices})
    voices = load_voices(arguments.constants)
    if arguments.out is None:
        return
    size = write(arguments.out, twin, voices, arguments.type, "Kokoro-82M's waveform generator", "Apache-2.0")
    print(f"{arguments.out}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
