"""Puts the voice activity network into a GGUF bundle.

    pip download silero-vad==6.2.3 --no-deps                       # its wheel holds silero_vad_16k_op15.onnx (MIT)
    python -m training.export.import_vad silero_vad_16k_op15.onnx models/nano.gguf

Everything else in the bundle stays as it is, byte for byte; a voice activity network that it has already is replaced. The network is stored in F16, norms and
tables in F32: its probabilities differ from the original's by less than 0.01.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import onnx
import torch

from ..networks.config import VadConfig, to_gguf_keys
from ..networks.vad import Vad
from .bundle import MATRIX_TYPES
from .tensors import put_network

SHA256 = "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49"


def imported(path: Path) -> Vad:
    """The network with the weights of Silero's file. Raises ValueError for another file than the known one."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"{path}: expected silero_vad_16k_op15.onnx of silero-vad 6.2.3 (sha256 {SHA256}), found {found}")
    theirs = {t.name.removeprefix("model."): torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in onnx.load(path).graph.initializer}
    ours = {
        "stft.weight": theirs["stft.forward_basis_buffer"][:, 0],
        "input.weight": theirs["decoder.rnn.weight_ih"],
        "input.bias": theirs["decoder.rnn.bias_ih"] + theirs["decoder.rnn.bias_hh"],
        "recurrent.weight": theirs["decoder.rnn.weight_hh"],
        "output.weight": theirs["decoder.decoder.2.weight"][..., 0],
        "output.bias": theirs["decoder.decoder.2.bias"],
    }
    for i in range(4):
        for kind in ("weight", "bias"):
            ours[f"conv.{i}.{kind}"] = theirs[f"encoder.{i}.reparam_conv.{kind}"]
    vad = Vad(VadConfig())
    vad.load_state_dict(ours)
    return vad.eval()


def add_vad(vad: Vad, bundle: Path, matrix_type: str = "f16") -> None:
    """Rewrites the file `bundle`, atomically."""
    put_network(bundle, "vad", vad, to_gguf_keys("vad", vad.config), MATRIX_TYPES[matrix_type])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("bundle", type=Path)
    args = parser.parse_args()
    add_vad(imported(args.weights), args.bundle)
    print(f"{args.bundle}: {args.bundle.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
