"""The teacher's waveform generator (Kokoro-82M, Apache-2.0), cut out of its int8 ONNX graph: as a graph, and as weights for its PyTorch twin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..data.teacher import assemble_model
from ..data.teacher_features import CHANNELS, FEATURES, GENERATOR_STYLE
from ..folders import runs_folder
from ..networks.istft_generator import IstftGenerator, IstftGeneratorConfig

F0_INPUT = "/decoder/decoder/Unsqueeze_output_0"  # [1, 1, T] Hz
_PREFIX, _GRAPH = "decoder.decoder.generator.", "/decoder/decoder/generator/"


def cut_graph(folder: Path | None = None) -> Path:
    """The graph from features, style and F0 to audio alone: `generator.onnx`."""
    import onnx

    folder = folder or runs_folder() / "kokoro-js"
    path = folder / "generator.onnx"
    if not path.exists():
        model = onnx.load(str(assemble_model(folder)))
        audio = next(output.name for output in model.graph.output if not output.name.startswith("/"))
        value = lambda name, shape: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)  # noqa: E731
        model.graph.value_info.extend([value(FEATURES, [1, CHANNELS, "t"]), value(GENERATOR_STYLE, [1, 128]), value(F0_INPUT, [1, 1, "t"])])
        onnx.save(onnx.utils.Extractor(model).extract_model([FEATURES, GENERATOR_STYLE, F0_INPUT], [audio]), str(path))
    return path


def teacher_generator(folder: Path | None = None) -> IstftGenerator:
    """The twin with the teacher's weights, dequantized."""
    import onnx

    graph = onnx.load(str(cut_graph(folder))).graph
    values = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}

    zero_points = {node.input[1]: node.input[3] for node in graph.node if node.op_type in ("ConvInteger", "MatMulInteger")}  # equal ones are shared

    def dequantized(name: str) -> np.ndarray:
        if name in values:
            return values[name]
        whole = values[f"{name}_quantized"].astype(np.float32) - values[zero_points[f"{name}_quantized"]].astype(np.float32)
        return whole * values[f"{name}_scale"]

    twin = IstftGenerator(IstftGeneratorConfig())
    source = next(node for node in graph.node if node.name.endswith("/m_source/l_linear/MatMul"))
    state: dict[str, np.ndarray] = {"source.weight": values[source.input[1]].T, "source.bias": values[f"{_PREFIX}m_source.l_linear.bias"]}
    config = twin.config
    for i in range(len(config.upsample_rates)):
        state[f"up.{i}.weight"] = values[f"{_GRAPH}Mul{f'_{i}' if i else ''}_output_0"]
        state[f"up.{i}.bias"] = values[f"{_PREFIX}ups.{i}.bias"]
        state[f"noise_conv.{i}.weight"] = dequantized(f"{_PREFIX}noise_convs.{i}.weight")
        state[f"noise_conv.{i}.bias"] = values[f"{_PREFIX}noise_convs.{i}.bias"]
    state["post.weight"], state["post.bias"] = values[f"{_GRAPH}Mul_2_output_0"], values[f"{_PREFIX}conv_post.bias"]
    blocks = [(f"noise_res.{i}", f"noise_res.{i}") for i in range(len(config.noise_kernels))] + [(f"resblocks.{i}", f"res.{i}") for i in range(len(twin.res))]
    for theirs, ours in blocks:
        for i in range(len(config.resblock_dilations)):
            for j in (1, 2):
                # Weight norm is a product of the graph: Mul_2, Mul_5, … of a block are its convolutions in the order in which they run.
                state[f"{ours}.conv{j}.{i}.weight"] = dequantized(f"{_GRAPH}{theirs}/Mul_{2 + 3 * (2 * i + j - 1)}_output_0")
                state[f"{ours}.conv{j}.{i}.bias"] = values[f"{_PREFIX}{theirs}.convs{j}.{i}.bias"]
                state[f"{ours}.snake{j}.{i}.alpha"] = values[f"{_PREFIX}{theirs}.alpha{j}.{i}"].reshape(-1)
                state[f"{ours}.norm{j}.{i}.fc.weight"] = dequantized(f"{_PREFIX}{theirs}.adain{j}.{i}.fc.weight").T
                state[f"{ours}.norm{j}.{i}.fc.bias"] = values[f"{_PREFIX}{theirs}.adain{j}.{i}.fc.bias"]
    twin.load_state_dict({name: torch.tensor(np.ascontiguousarray(value)) for name, value in state.items()})
    return twin.eval()

