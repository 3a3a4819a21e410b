"""A step or two of each trainer on seconds of synthetic speech, by its command line: losses are finite, weights move, checkpoints are what the next stage reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from training.data import prepare
from training.decoder import train as train_decoder
from training.encoder import train as train_encoder
from training.encoder.speech_encoder import load_encoder
from training.evaluation import tones
from training.export import average, pack_checkpoints
from training.export.bundle import Bundle
from training.lm import train as train_lm
from training.loop import checkpoint


def run(main, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["trainer", *map(str, arguments)])
    main()


def finite(state: dict[str, torch.Tensor]) -> bool:
    return all(bool(torch.isfinite(value.float()).all()) for value in state.values())


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], prefix: str) -> bool:
    """Whether every matrix of a part is another."""
    names = [name for name, value in before.items() if name.startswith(prefix) and value.ndim > 1]
    return bool(names) and all(not torch.equal(before[name].float(), after[name].float()) for name in names)


@pytest.fixture
def prepared(corpora):
    prepare.append(None)
    return corpora


def test_encoder_language_model_and_export(prepared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """base → fold a → their mean, published; the language model over it; both in a GGUF."""
    _, runs = prepared
    torch.manual_seed(1)
    start = train_encoder.Trainee().state_dict()
    run(train_encoder.main, monkeypatch, "--fold", "base", "--minutes", 0.01, "--seconds", 6, "--lr", 3e-3)
    base = checkpoint.load(runs / "encoder-base" / "state.pt")
    assert base["step"] >= 1 and finite(base["trainee"])
    for part in ("net.frontend", "net.tone", "net.encoder"):
        assert moved(start, base["trainee"], part)
    run(train_encoder.main, monkeypatch, "--fold", "a", "--init", "base", "--minutes", 0.005, "--seconds", 6)
    fold = checkpoint.load(runs / "encoder-a" / "model.pt")
    assert fold["fold"] == "a" and finite(fold["trainee"])
    log = [json.loads(line) for line in (runs / "encoder-a" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert not [name for name in log[-1] if name.startswith(("digits", "words"))], "people of the tests are not watched"
    run(average.main, monkeypatch, "--fold", "shipped", "--out", runs / "encoder-shipped" / "model.pt", runs / "encoder-base" / "model.pt", runs / "encoder-a" / "model.pt")
    with pytest.raises(SystemExit, match="heard speakers"):
        run(average.main, monkeypatch, "--fold", "base", "--out", tmp_path / "x.pt", runs / "encoder-a" / "model.pt")

    run(train_lm.main, monkeypatch, "--encoder", runs / "encoder-shipped" / "model.pt", "--minutes", 0.02, "--positions", 200, "--run", runs / "lm", "--warmup", 1)
    lm = checkpoint.load(runs / "lm" / "state.pt")
    assert lm["step"] >= 1 and finite(lm["model"])
    assert (runs / "lm" / "latest.pt").exists()

    published = tmp_path / "checkpoints"
    monkeypatch.setattr(pack_checkpoints, "FOLDER", published)
    monkeypatch.setattr(tones, "PUBLISHED", published)
    pack_checkpoints.main()
    assert {path.name for path in published.iterdir()} == {"encoder-base.pt", "encoder-shipped.pt", "encoder-a.pt", "lm.pt"}, "folds are published too"
    packed = load_encoder(published / "encoder-a.pt")
    for name, value in packed.state_dict().items():
        torch.testing.assert_close(value, fold["trainee"][f"net.{name}"], atol=1e-2, rtol=1e-2)
    assert tones.fold_encoder("a") == runs / "encoder-a" / "model.pt"
    (runs / "encoder-a" / "model.pt").unlink()
    assert tones.fold_encoder("a") == published / "encoder-a.pt"
    assert tones.fold_encoder("b") is None
    tones.bundle_of(published / "encoder-a.pt", tmp_path / "fold.gguf")
    assert (tmp_path / "fold.gguf").stat().st_size > 1_000_000

    bundle = Bundle()
    for path in (runs / "encoder-shipped" / "model.pt", runs / "lm" / "latest.pt"):
        bundle.add_checkpoint(path)
    assert {"frontend", "tone", "encoder", "aligner", "lm"} == set(bundle.configs)
    with pytest.raises(ValueError, match="heard|untrained"):
        tones.score(published / "encoder-a.pt", "yuetan", [])


def test_decoder(prepared, monkeypatch: pytest.MonkeyPatch):
    """Two plain steps, two adversarial ones, and the checkpoint that goes on."""
    _, runs = prepared
    small = ("--batch", 2, "--segment", 36, "--window", 48, "--judged", 24, "--gan-start", 2)
    run(train_decoder.main, monkeypatch, "--steps", 2, *small)
    first = checkpoint.load(runs / "decoder" / "resume.pt")
    run(train_decoder.main, monkeypatch, "--steps", 4, *small)
    second = checkpoint.load(runs / "decoder" / "resume.pt")
    assert (first["step"], second["step"]) == (2, 4)
    assert finite(second["model"]) and finite(second["discriminators"])
    for part in ("decoder.text", "decoder.prosody", "decoder.flow", "decoder.gen"):
        assert any(not torch.equal(first["model"][n], second["model"][n]) for n in first["model"] if n.startswith(part)), part
    assert any(not torch.equal(first["discriminators"][n], second["discriminators"][n]) for n in first["discriminators"]), "the adversarial part has begun"
    assert "decoder" in checkpoint.load(runs / "decoder" / "latest.pt")
