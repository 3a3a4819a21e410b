"""Makes what the C++ tests of the end of turn compare with.

    python test/golden/make_endpoint_golden.py     # needs training/requirements.txt

endpoint.gguf           a tiny head with random weights, for the states of tiny.gguf's encoder
endpoint.golden.gguf    states, more of them than it sees, and the twin's stages of them; and of a few of them
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parents[1])]

from make_golden import ENCODER, randomize, save_golden  # noqa: E402
from training.export.bundle import Bundle, write  # noqa: E402
from training.export.import_endpoint import add_endpoint  # noqa: E402
from training.networks.config import EndpointConfig  # noqa: E402
from training.networks.endpoint import Endpoint  # noqa: E402

CONFIG = EndpointConfig(frames=20, hidden=16, kernel_size=3, heads=2, feed_forward=8)


@torch.no_grad()
def main() -> None:
    head = randomize(Endpoint(CONFIG, ENCODER.embedding_length), 1)
    write(Bundle(name="endpoint", description="Random weights, for tests."), FOLDER / "endpoint.gguf", "f32")
    add_endpoint(head, FOLDER / "endpoint.gguf", "f32")
    states = torch.randn(1, 30, ENCODER.embedding_length, generator=torch.Generator().manual_seed(2))
    stages: dict[str, torch.Tensor] = {}
    few: dict[str, torch.Tensor] = {}
    head(states[:, -CONFIG.frames :], stages=stages)
    head(states[:, :5], stages=few)
    stages["input.states"] = states
    stages["few.probability"] = few["endpoint.probability"]
    stages["whole.probability"] = stages.pop("endpoint.probability")
    save_golden(FOLDER / "endpoint.golden.gguf", stages, {})


if __name__ == "__main__":
    main()
