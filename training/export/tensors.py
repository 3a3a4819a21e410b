"""Tensors and keys as GGUF files have them, whatever the component."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from torch import nn

ARCHITECTURE = "moss-speech"
# Read raw voice vectors, whose means are folded into the bias: rounding the weight would shift the voice.
KEEP_F32 = {"decoder.speaker.weight", "decoder.text.style.weight", "decoder.gen.synthesis", "decoder.gen.analysis"}


def layouts(twin: nn.Module) -> dict[str, str]:
    """Tensor name -> matrix, conv, transposed or table."""
    kinds = {nn.Linear: "matrix", nn.Embedding: "matrix", nn.Conv1d: "conv", nn.ConvTranspose1d: "transposed"}
    found = {name: "table" for name in twin.state_dict()}
    for name, module in twin.named_modules():
        if type(module) in kinds:
            found[f"{name}.weight"] = kinds[type(module)]
    return found


def encode(name: str, kind: str, tensor: torch.Tensor, matrix_type: Type) -> tuple[np.ndarray, Type]:
    """The tensor's array in the file and its type."""
    array = tensor.detach().float().cpu().numpy()
    if name.endswith("gen.synthesis"):
        kind = "transposed"
    elif name.endswith("gen.analysis"):
        kind = "conv"
    if kind == "conv":  # [out, in / groups, kernel] -> [out, kernel * in / groups]
        array = array.transpose(0, 2, 1).reshape(array.shape[0], -1)
    elif kind == "transposed":  # [in, out, kernel] -> [out, kernel * in]
        array = array.transpose(1, 2, 0).reshape(array.shape[1], -1)
    array = np.ascontiguousarray(array, np.float32)
    if kind == "table" or name in KEEP_F32 or matrix_type == Type.F32:
        return array, Type.F32
    if kind == "matrix" and matrix_type == Type.Q8_0:
        if array.shape[0] < 32:
            return array, Type.F32
        if array.shape[1] % 32 == 0:
            return gguf.quants.quantize(array, Type.Q8_0), Type.Q8_0
    if np.abs(array).max() > 65504:
        raise ValueError(f"{name}: too large for F16")
    return array.astype(np.float16), Type.F16


def add_key(writer: gguf.GGUFWriter, key: str, value: object) -> None:
    match value:
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case list() | tuple():
            writer.add_array(key, list(value))
        case _:
            raise TypeError(f"{key}: {type(value).__name__} has no GGUF type")


def copy_fields(reader: gguf.GGUFReader, writer: gguf.GGUFWriter, wanted: Callable[[str], bool]) -> None:
    """The keys of a file that are wanted, but for the architecture, which the writer has."""
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture" or not wanted(key):
            continue
        kind = field.types[0]
        writer.add_key_value(key, field.contents(), kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)


def copy_tensors(reader: gguf.GGUFReader, writer: gguf.GGUFWriter, wanted: Callable[[str], bool]) -> None:
    """The tensors of a file that are wanted, as they are."""
    for tensor in reader.tensors:
        if wanted(tensor.name):
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)


def rewrite(bundle: Path, kept: Callable[[str], bool], add: Callable[[gguf.GGUFWriter], None]) -> None:
    """Writes a file anew, atomically: its keys and tensors that are to be kept, and what `add` adds."""
    reader = gguf.GGUFReader(bundle)
    part = bundle.with_name(bundle.name + ".part")
    writer = gguf.GGUFWriter(part, reader.fields["general.architecture"].contents())
    copy_fields(reader, writer, kept)
    copy_tensors(reader, writer, kept)
    add(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(part, bundle)


@torch.no_grad()
def put_network(bundle: Path, name: str, network: nn.Module, keys: dict[str, object], matrix_type: Type) -> None:
    """Puts a component of that name into a file, in place of the one that it may have; everything else stays as it is, byte for byte."""

    def add(writer: gguf.GGUFWriter) -> None:
        for key, value in keys.items():
            add_key(writer, key, value)
        for tensor, kind in layouts(network).items():
            array, type_ = encode(f"{name}.{tensor}", kind, network.state_dict()[tensor], matrix_type)
            writer.add_tensor(f"{name}.{tensor}", array, raw_dtype=type_)

    rewrite(bundle, lambda found: not found.removeprefix("moss-speech.").startswith(f"{name}."), add)
