"""The end of a turn: pauses as a live session finds them, what is asked at them, and the head."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from training.endpoint.examples import ASKED_AFTER, asked, learned, questions
from training.endpoint.train import completeness, exported, load_endpoint, ranked
from training.endpoint.turns import AFTER, SAMPLE_RATE, WINDOW, Pause, Turn, continued, lengthened, pauses, speech_end, speech_start
from training.export.import_endpoint import add_endpoint
from training.loop import checkpoint
from training.networks.config import EncoderConfig, EndpointConfig
from training.networks.endpoint import Endpoint

NANO = Path(__file__).parents[2] / "models" / "nano.gguf"


def probabilities(*runs: tuple[int, float]) -> np.ndarray:
    return np.concatenate([np.full(count, p, np.float32) for count, p in runs])


def test_pauses_follow_the_rule_of_live_sessions():
    spoken = probabilities((3, 0.0), (10, 0.9), (4, 0.1), (2, 0.25), (9, 0.0))
    assert pauses(spoken) == [Pause(13 * WINDOW, 17 * WINDOW), Pause(19 * WINDOW, None)]
    assert speech_start(spoken) == 3 * WINDOW
    assert pauses(probabilities((3, 0.0), (2, 0.9), (9, 0.0))) == []  # a click
    assert pauses(probabilities((20, 0.3))) == []  # never certain


def tone(seconds: float, level: float = 0.1) -> np.ndarray:
    return (level * np.sin(2 * np.pi * 150 * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def test_the_end_is_where_the_level_falls():
    rng = np.random.default_rng(1)
    wave = np.concatenate([np.zeros(8000, np.float32), tone(1), np.zeros(8000, np.float32)])
    wave += rng.standard_normal(len(wave)).astype(np.float32) * 1e-4
    assert speech_end(wave, 2) == pytest.approx(1.5, abs=0.02)
    longer = continued(wave, 1.5)
    assert len(longer) >= (1.5 + AFTER) * SAMPLE_RATE and np.array_equal(longer[:24000], wave[:24000])
    assert 0 < longer[-SAMPLE_RATE:].std() < 1e-3  # its background goes on


def turn() -> Turn:
    """0.5 s of silence, 1 s of speech, a pause of 4 windows, 1 s of speech, silence."""
    told = probabilities((16, 0.0), (31, 0.9), (4, 0.0), (31, 0.9), (120, 0.0))
    wave = np.random.default_rng(2).standard_normal(len(told) * WINDOW).astype(np.float32) * 0.01
    return Turn("x/1", "en-coffee", "en", "train", lambda: wave, 82 * WINDOW / SAMPLE_RATE - 0.05, wave=wave, probabilities=told)


def test_questions_are_asked_at_pauses_that_are_long_enough():
    short = turn()
    assert list(questions(short)) == [(82 * WINDOW + ASKED_AFTER, True)]
    longer = lengthened(short)
    added = len(longer.wave) - len(short.wave)
    assert added > 0 and longer.end == pytest.approx(short.end + added / SAMPLE_RATE)
    longer.probabilities = probabilities((16, 0.0), (31, 0.9), (4 + added // WINDOW, 0.0), (31, 0.9), (120, 0.0))
    assert [(e.complete, e.kind) for e in asked(longer)] == [(False, "lengthened"), (True, "end")]
    kinds = {e.kind for e in learned(short, np.random.default_rng(3))}
    assert "end" in kinds and kinds <= {"end", "cut"}


@pytest.fixture
def head() -> Endpoint:
    torch.manual_seed(1)
    return Endpoint(EndpointConfig(frames=24, hidden=32), EncoderConfig().embedding_length).eval()


@torch.no_grad()
def test_what_is_before_a_turn_does_not_count(head):
    states = torch.randn(1, 24, 256)
    other = torch.cat([torch.randn(1, 14, 256), states[:, 14:]], 1)
    torch.testing.assert_close(head(other, torch.tensor([10])), head(states[:, 14:]))
    assert (head(other) - head(states)).abs() > 1e-4  # it does, where it belongs to it
    data = {"hidden": torch.cat([states, other]).half(), "frames": torch.tensor([10, 10])}
    torch.testing.assert_close(*completeness(head, data))


def test_the_area_under_the_curve():
    assert ranked(torch.tensor([0.1, 0.4, 0.3, 0.9]), torch.tensor([False, True, False, True])) == 1
    assert ranked(torch.tensor([0.1, 0.2, 0.3, 0.9]), torch.tensor([True, False, False, True])) == 0.5


def contents(path: Path) -> dict[str, object]:
    reader = gguf.GGUFReader(path)
    keys = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    return keys | {t.name: (t.tensor_type, t.data.tobytes()) for t in reader.tensors}


@pytest.mark.skipif(not NANO.exists(), reason="models/nano.gguf is not there")
def test_a_bundle_takes_the_head_and_keeps_the_rest(head, tmp_path):
    checkpoint.save(tmp_path / "head.pt", exported(head))
    bundle = tmp_path / "nano.gguf"
    bundle.write_bytes(NANO.read_bytes())
    before = contents(bundle)
    add_endpoint(load_endpoint(tmp_path / "head.pt"), bundle)
    after = contents(bundle)
    assert after["moss-speech.endpoint.frames"] == 24
    others = {name for name in before if not name.removeprefix("moss-speech.").startswith("endpoint.")}
    assert {name: after[name] for name in others} == {name: before[name] for name in others}
    add_endpoint(load_endpoint(tmp_path / "head.pt"), bundle)
    assert contents(bundle) == after
