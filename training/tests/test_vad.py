"""The voice activity network: the twin is Silero's, and so is what nano's bundle holds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import gguf
import numpy as np
import onnxruntime
import pytest
import torch

from training.export.import_vad import add_vad, imported

ROOT = Path(__file__).parents[2]
NANO = ROOT / "models" / "nano.gguf"
WEIGHTS = Path(find_spec("silero_vad").submodule_search_locations[0]) / "data" / "silero_vad_16k_op15.onnx"  # the package itself is not imported


@pytest.fixture(scope="module")
def vad():
    return imported(WEIGHTS)


def samples(count: int) -> np.ndarray:
    """A voice-like tone that comes and goes in noise."""
    t = np.arange(count) / 16000
    rng = np.random.default_rng(1)
    tone = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12)) * (np.sin(2 * np.pi * 3 * t) > 0)
    return (0.1 * tone + 0.01 * rng.standard_normal(count)).astype(np.float32)


@torch.no_grad()
def test_the_twin_gives_sileros_probabilities(vad):
    wave = samples(512 * 40)
    session = onnxruntime.InferenceSession(str(WEIGHTS))
    padded, state, expected = np.concatenate([np.zeros(64, np.float32), wave]), np.zeros((2, 1, 128), np.float32), []
    for begin in range(0, len(wave), 512):
        probability, state = session.run(None, {"input": padded[None, begin : begin + 576], "state": state, "sr": np.array(16000)})
        expected.append(probability.item())
    assert max(expected) - min(expected) > 0.1
    assert np.abs(vad(torch.from_numpy(wave)).numpy() - expected).max() < 1e-5


def test_another_file_is_refused(tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(b"no network")
    with pytest.raises(ValueError, match="sha256"):
        imported(other)


def contents(path: Path) -> dict[str, object]:
    reader = gguf.GGUFReader(path)
    keys = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    return keys | {tensor.name: (tensor.tensor_type, tensor.data.tobytes()) for tensor in reader.tensors}


@pytest.mark.skipif(not NANO.exists(), reason="models/nano.gguf is not there")
def test_nano_holds_it_and_putting_it_in_again_changes_nothing(vad, tmp_path):
    before = contents(NANO)
    assert before["moss-speech.vad.window_length"] == 512
    stored = np.frombuffer(before["vad.recurrent.weight"][1], np.float16)
    assert np.array_equal(stored, vad.recurrent.weight.detach().half().numpy().ravel())
    copy = tmp_path / "nano.gguf"
    copy.write_bytes(NANO.read_bytes())
    add_vad(vad, copy)
    assert contents(copy) == before
