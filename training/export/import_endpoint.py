"""Puts the head that tells whether a turn is complete into a GGUF bundle.

    python -m training.export.import_endpoint training/checkpoints/endpoint.pt models/nano.gguf

Everything else in the bundle stays as it is, byte for byte; a head that it has already is replaced. The head must have been trained on the states of the bundle's
encoder. Matrices are stored in INT8, the convolution in F16.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..endpoint.train import load_endpoint
from ..networks.config import to_gguf_keys
from ..networks.endpoint import Endpoint
from .bundle import MATRIX_TYPES
from .tensors import put_network


def add_endpoint(head: Endpoint, bundle: Path, matrix_type: str = "q8_0") -> None:
    """Rewrites the file `bundle`, atomically."""
    put_network(bundle, "endpoint", head, to_gguf_keys("endpoint", head.config), MATRIX_TYPES[matrix_type])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("bundle", type=Path)
    args = parser.parse_args()
    add_endpoint(load_endpoint(args.weights), args.bundle)
    print(f"{args.bundle}: {args.bundle.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
