"""Component checkpoints to one GGUF bundle.

    python -m training.export.bundle encoder.pt lm.pt decoder.pt --voices data/voices --out models/nano.gguf --type q8_0

A checkpoint is {"config": {component: fields}, "model": {"component.tensor": tensor}} and may hold several components, or it is
the decoder trainer's {"config": fields, "decoder": tensors}. A later one replaces components of an earlier one. Equal inputs
give equal bytes.

Layout (what native/model expects): a linear layer or an embedding is [out, in]; a convolution [out, kernel * in / groups] with
the input channel fastest, a transposed one the same with its output channels first. `--type` is the type of matrices: those
whose rows are no multiple of 32, or that have fewer than 32 rows, stay F16 or F32 under q8_0. Convolutions are F16 unless the
type is f32; biases, norms and tables are always F32.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from torch import nn

from ..data import mandarin
from ..data.units import AUDIO_PAD, EOSP, SPACE, UNIT_ID, UNITS
from ..loop import checkpoint
from ..networks.aligner import Aligner
from ..networks.config import COMPONENTS, FeatureDecoderConfig, to_gguf_keys
from ..networks.encoder import Encoder
from ..networks.endpoint import Endpoint
from ..networks.frontend import Frontend
from ..networks.istft_generator import IstftGenerator
from ..networks.lm import LM, gguf_name
from ..networks.tone import Tone
from ..networks.vad import Vad
from ..networks.vits import Decoder
from ..networks.feature_decoder import FeatureDecoder
from .istft_generator import FrozenVoice, add_generator, load_generator
from .tensors import ARCHITECTURE, add_key, encode, layouts

MATRIX_TYPES = {"f32": Type.F32, "f16": Type.F16, "q8_0": Type.Q8_0}



@dataclass
class Bundle:
    """What goes into a file. `configs` and `states` by component; the rest is left out where empty."""

    configs: dict[str, object] = field(default_factory=dict)
    states: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    name: str = "nano"
    license: str = "MIT"
    description: str = ""
    units: list[str] = field(default_factory=lambda: UNITS)
    tokenizer: Path | None = None
    voices: tuple[list[str], np.ndarray, np.ndarray] | None = None  # names, speakers [n, S], styles [n, S]
    voice_languages: list[str] = field(default_factory=list)
    voice_gains: list[float] = field(default_factory=list)  # factors on the samples; none: 1
    default_voices: tuple[int, int] = (0, 0)  # English, Mandarin
    emotions: tuple[list[str], np.ndarray] | None = None  # names, [n, 4]
    generator: tuple[IstftGenerator, dict[str, FrozenVoice]] | None = None  # of a decoder that speaks through one, with each voice's constants
    sampling: dict[str, float] = field(default_factory=dict)  # defaults: temperature, top_k, top_p, repetition_penalty

    def add(self, component: str, config: object, state: dict[str, torch.Tensor]) -> None:
        self.configs[component], self.states[component] = config, state

    def add_checkpoint(self, path: Path) -> None:
        self.add_saved(checkpoint.load(path), str(path))

    def add_saved(self, saved: dict, name: str) -> None:
        """What a trainer keeps, see above; `name` is for errors."""
        if "units" in saved and saved["units"] != self.units:
            raise ValueError(f"{name}: trained on another unit inventory")
        if "decoder" in saved:
            self.add("decoder", COMPONENTS["decoder"](**saved["config"]), saved["decoder"])
            return
        if "voice" in saved:  # in front of the waveform generator
            self.add("decoder", FeatureDecoderConfig(**saved["config"]), saved["voice"])
            return
        for component, fields in saved["config"].items():
            prefix = component + "."
            state = {name[len(prefix) :]: tensor for name, tensor in saved["model"].items() if name.startswith(prefix)}
            if state:
                self.add(component, COMPONENTS[component](**fields), state)

    def twin(self, component: str) -> nn.Module:
        """The component's module without memory: it tells which tensors there are and what kind each is."""
        config = self.configs
        with torch.device("meta"):
            match component:
                case "vad":
                    return Vad(config["vad"])
                case "frontend":
                    return Frontend(config["frontend"])
                case "tone":
                    return Tone(config["tone"], config["encoder"].embedding_length)
                case "encoder":
                    return Encoder(config["encoder"], config["frontend"].channels[-1], len(self.units))
                case "endpoint":
                    return Endpoint(config["endpoint"], config["encoder"].embedding_length)
                case "aligner":
                    return Aligner(config["aligner"], config["encoder"].embedding_length, config["lm"].embedding_length)
                case "lm":
                    return LM(config["lm"])
        if isinstance(config["decoder"], FeatureDecoderConfig):
            return FeatureDecoder(config["decoder"])
        return Decoder(config["decoder"])  # its synthesis filter is computed: no meta device


def add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Path) -> None:
    from ..data.template import Template

    template = Template(tokenizer)
    writer.add_string("tokenizer.huggingface.json", tokenizer.read_text(encoding="utf-8"))
    for name, token in template.special.items():
        writer.add_uint32(f"moss-speech.token.{name}", token)
    for name, ids in template.strings.items():
        writer.add_array(f"moss-speech.template.{name}", ids)
    writer.add_uint32("moss-speech.audio.eosp", EOSP)
    writer.add_uint32("moss-speech.audio.pad", AUDIO_PAD)


def add_presets(writer: gguf.GGUFWriter, bundle: Bundle) -> None:
    if bundle.units == UNITS:
        writer.add_uint32("moss-speech.decoder.edge_unit", UNIT_ID[SPACE])  # training has one at both ends (decoder/examples.py)
    names, speakers, styles = bundle.voices
    writer.add_array("moss-speech.decoder.voices", names)
    writer.add_array("moss-speech.decoder.voice_languages", bundle.voice_languages)
    if bundle.voice_gains:
        writer.add_array("moss-speech.decoder.voice_gains", bundle.voice_gains)
    writer.add_array("moss-speech.decoder.default_voices", list(bundle.default_voices))
    emotions, table = bundle.emotions
    writer.add_array("moss-speech.decoder.emotions", emotions)
    writer.add_array("moss-speech.decoder.emotion_table", [float(value) for value in table.reshape(-1)])
    writer.add_tensor("decoder.voice.speaker", np.ascontiguousarray(speakers, np.float32))
    writer.add_tensor("decoder.voice.style", np.ascontiguousarray(styles, np.float32))


def write(bundle: Bundle, path: Path, matrix_type: str) -> dict[str, int]:
    """Writes the file; returns the bytes of each component's tensors. Raises ValueError for a tensor that is missing or does not fit."""
    if "decoder" in bundle.configs and not (bundle.voices and bundle.emotions):
        raise ValueError("a decoder needs voices and emotions")
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    writer.add_name(bundle.name)
    writer.add_license(bundle.license)
    if bundle.description:
        writer.add_description(bundle.description)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_file_type({"f32": 0, "f16": 1, "q8_0": 7}[matrix_type])  # llama.cpp's numbers
    writer.add_array("moss-speech.units", bundle.units)
    if bundle.units == UNITS and "encoder" in bundle.configs:
        syllables = json.loads(mandarin.TABLE_PATH.read_text(encoding="utf-8"))  # frequent ones first
        writer.add_array("moss-speech.syllable.names", list(syllables))
        writer.add_array("moss-speech.syllable.units", [units.replace(" ", "") for units in syllables.values()])
    if bundle.tokenizer:
        add_vocabulary(writer, bundle.tokenizer)
    for name, value in bundle.sampling.items():
        add_key(writer, f"moss-speech.sampling.{name}", value)
    sizes: dict[str, int] = {}
    for component in COMPONENTS:  # in the order of the signal path, whatever the order of the checkpoints
        if component not in bundle.configs:
            continue
        for key, value in to_gguf_keys(component, bundle.configs[component]).items():
            add_key(writer, key, value)
        twin, state = bundle.twin(component), bundle.states[component]
        expected = {name: tuple(tensor.shape) for name, tensor in twin.state_dict().items()}
        found = {name: tuple(tensor.shape) for name, tensor in state.items()}
        if expected != found:
            wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            raise ValueError(f"{component}.{wrong[0]}: expected {expected.get(wrong[0])}, found {found.get(wrong[0])} ({len(wrong)} tensors do not fit)")
        for name, kind in layouts(twin).items():
            full_name = gguf_name(name) if component == "lm" else f"{component}.{name}"
            if len(full_name) > 63:
                raise ValueError(f"{full_name}: a GGUF tensor's name has at most 63 characters")
            array, type_ = encode(f"{component}.{name}", kind, state[name], MATRIX_TYPES[matrix_type])
            writer.add_tensor(full_name, array, raw_dtype=type_)
            sizes[component] = sizes.get(component, 0) + array.nbytes
    if "decoder" in bundle.configs:
        add_presets(writer, bundle)
    if bundle.generator:
        sizes["generator"] = add_generator(writer, *bundle.generator, matrix_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--type", choices=MATRIX_TYPES, default="q8_0")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json (default with a language model: training/data/tokenizer.json)")
    parser.add_argument("--voices", type=Path, help="folder of the teacher's voice files (default with a decoder: voices/ in the data folder)")
    parser.add_argument("--generator", type=Path, help="for a decoder that speaks through one: a distilled one (training.voice.distil_generator), or the voices' constants for the teacher's")
    parser.add_argument("--name", default="nano")
    parser.add_argument("--license", default="MIT")
    parser.add_argument("--description", default="")
    args = parser.parse_args()

    bundle = Bundle(name=args.name, license=args.license, description=args.description)
    for path in args.checkpoints:
        bundle.add_checkpoint(path)
    if "lm" in bundle.configs:
        from ..data.template import TOKENIZER

        bundle.tokenizer = args.tokenizer or TOKENIZER
        # What nano says is settled by what it heard; and a phoneme said twice is no fault.
        bundle.sampling = {"temperature": 0.0, "repetition_penalty": 1.0}
    if args.generator:
        bundle.generator = load_generator(args.generator)
    if "decoder" in bundle.configs:
        from ..data import voices

        bundle.voices = voices.named_voices(args.voices)
        bundle.emotions = voices.emotion_table()
        names = bundle.voices[0]
        bundle.voice_languages = [voices.language_of(name) for name in names]
        if args.generator:
            bundle.voice_gains = [float(10 ** ((voices.LEVEL - voices.LEVELS[name]) / 20)) for name in names]
        bundle.default_voices = (names.index(voices.DEFAULT_VOICE["en"]), names.index(voices.DEFAULT_VOICE["zh"]))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for component, size in write(bundle, args.out, args.type).items():
        print(f"{component:10} {size / 1e6:8.2f} MB")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
