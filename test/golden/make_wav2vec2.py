"""Makes small checkpoints of every kind of speech encoder that is imported, and the stages that transformers computes with them.

    npm run build:ts; python test/golden/make_wav2vec2.py     # needs transformers, safetensors, gguf; run from the project's root

wav2vec2/NAME/          a checkpoint as transformers saves it, random weights
wav2vec2/NAME.gguf, NAME-q8_0.gguf   what `moss-speech convert` makes of it
wav2vec2/NAME.golden.gguf            samples and named stages; units in our order: the blank first

base      Wav2Vec2ForCTC: group norm, post-norm, no convolution biases, even positional kernel, normalized input
large     Wav2Vec2ForCTC: layer norm, pre-norm, convolution biases, weight norm as older checkpoints spell it, blank last; F16
hubert    HubertForCTC: no norm before the projection, ReLU, odd positional kernel, input as it is; BF16
data2vec  Data2VecAudioForCTC: a stack of positional convolutions; F16
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioForCTC,
    HubertConfig,
    HubertForCTC,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
)

FOLDER = Path(__file__).parent / "wav2vec2"
VOCABULARY = ["<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "A", "O", "N", "'"]
SMALL = {
    "vocab_size": len(VOCABULARY), "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "conv_dim": [8, 8, 8, 8, 8, 16, 16], "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True, "num_conv_pos_embedding_groups": 2}
HUBERT = {"feat_proj_layer_norm": False, "hidden_act": "relu", "feat_extract_activation": "relu", "num_conv_pos_embeddings": 5}
DATA2VEC = {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 7}


def randomize(model: torch.nn.Module, seed: int) -> None:
    """Weights that let every term show: norms near 1, biases not 0, matrices that keep the signal's size."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith("original0"):  # the gain of weight norm, one a tap
                p.copy_((1 + 0.3 * noise) * (model.config.hidden_size / p.numel()) ** 0.5)
            elif p.dim() >= 2:
                p.copy_(noise * (1.6 if "conv_layers" in name else 1) / (p.numel() / p.shape[0]) ** 0.5)
            elif "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.1 * noise)
            else:
                p.copy_(0.1 * noise)


def voice_like(samples: int, seed: int) -> np.ndarray:
    """A gliding harmonic tone in noise, off centre: what normalization has to take out."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.cumsum(np.linspace(120, 260, samples)) / 16000
    wave = sum(np.sin(k * phase) / k for k in range(1, 6)) * 0.1 * (np.sin(np.arange(samples) / 900) > -0.6)
    return (wave + 0.02 + 0.01 * rng.standard_normal(samples)).astype(np.float32)


def save_checkpoint(model: torch.nn.Module, name: str, vocabulary: list[str], normalize: bool, old_spelling: bool) -> None:
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    if old_spelling:
        names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
        tensors = load_file(folder / "model.safetensors")
        for new, old in names.items():
            tensors = {key.replace(new, old): tensor for key, tensor in tensors.items()}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "vocab.json", {token: i for i, token in enumerate(vocabulary)})
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "Wav2Vec2CTCTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
        "word_delimiter_token": "|", "do_lower_case": name == "large",
    })  # fmt: skip
    write_json(folder / "preprocessor_config.json", {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": normalize, "feature_size": 1, "sampling_rate": 16000,
    })  # fmt: skip
    for path in (folder / "config.json", folder / "generation_config.json"):
        if path.exists():
            write_json(path, json.loads(path.read_text()))


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


@torch.no_grad()
def stages_of(model: torch.nn.Module, wave: np.ndarray, normalize: bool) -> dict[str, torch.Tensor]:
    stages: dict[str, torch.Tensor] = {}
    body = getattr(model, model.base_model_prefix)

    def keep(name: str):
        def hook(_module, _inputs, output) -> None:
            stages[name] = output[0] if isinstance(output, tuple) else output

        return hook

    for i, layer in enumerate(body.feature_extractor.conv_layers):
        layer.register_forward_hook(keep(f"frontend.conv.{i}"))
    body.feature_projection.register_forward_hook(keep("encoder.input"))
    for i, layer in enumerate(body.encoder.layers):
        layer.register_forward_hook(keep(f"encoder.blk.{i}"))
    extractor = Wav2Vec2FeatureExtractor(do_normalize=normalize)
    values = extractor(wave, sampling_rate=16000, return_tensors="pt").input_values
    body.encoder.layers[0].register_forward_pre_hook(lambda _module, inputs: stages.update({"encoder.pos": inputs[0]}))
    body.encoder.register_forward_hook(lambda _module, _inputs, output: stages.update({"encoder.hidden": output.last_hidden_state}))
    stages["encoder.logits"] = model(values).logits
    return stages


def save_golden(path: Path, wave: np.ndarray, stages: dict[str, torch.Tensor]) -> None:
    writer = gguf.GGUFWriter(path, "golden")
    writer.add_tensor("input.samples", wave[None])
    for name, tensor in stages.items():
        array = tensor[0].numpy()  # [T, C], but a convolution's [C, T]
        writer.add_tensor(name, np.ascontiguousarray(array.T if name.startswith("frontend") else array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def convert(name: str, kind: str, out: str) -> None:
    cli = FOLDER.parents[2] / "dist" / "bin" / "moss-speech.js"
    subprocess.run(["node", cli, "convert", FOLDER / name, "-o", FOLDER / out, "--type", kind], check=True, stdout=subprocess.DEVNULL)


def make(name: str, model_class: type, config: object, dtype: torch.dtype, normalize: bool = True, pad: int = 0) -> None:
    vocabulary = VOCABULARY[1:] + VOCABULARY[:1] if pad else VOCABULARY
    config.pad_token_id = pad
    model = model_class(config).eval()
    randomize(model, len(name))
    save_checkpoint(model.to(dtype), name, vocabulary, normalize, old_spelling=name == "large")
    model.float()
    wave = voice_like(2300, 7)
    stages = stages_of(model, wave, normalize)
    order = [pad, *(i for i in range(len(vocabulary)) if i != pad)]
    stages["encoder.logits"] = stages["encoder.logits"][..., order]
    save_golden(FOLDER / f"{name}.golden.gguf", wave, stages)
    convert(name, "f32", f"{name}.gguf")
    convert(name, "q8_0", f"{name}-q8_0.gguf")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make("base", Wav2Vec2ForCTC, Wav2Vec2Config(**SMALL), torch.float32)
    make("large", Wav2Vec2ForCTC, Wav2Vec2Config(**SMALL | LARGE), torch.float16, pad=len(VOCABULARY) - 1)
    make("hubert", HubertForCTC, HubertConfig(**SMALL | HUBERT), torch.bfloat16, normalize=False)
    make("data2vec", Data2VecAudioForCTC, Data2VecAudioConfig(**SMALL | DATA2VEC), torch.float16)
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            print(f"{str(path.relative_to(FOLDER)):40} {path.stat().st_size / 1000:8.1f} kB")
