"""A step or two of each trainer on seconds of synthetic speech, by its command line: losses are finite, weights move, checkpoints are what the next stage reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from training.data import prepare, teacher_features
from training.data.g2p import to_phonemes
from training.data.voices import emotion_table
from training.decoder import train as train_decoder
from training.encoder import train as train_encoder
from training.encoder.speech_encoder import load_encoder
from training.evaluation import tones
from training.export import average, pack_checkpoints
from training.export.bundle import Bundle, write
from training.export.istft_generator import FrozenVoice
from training.export.replace_decoder import replace
from training.lm import train as train_lm
from training.loop import checkpoint
from training.networks.istft_generator import IstftGenerator, IstftGeneratorConfig
from training.voice import train as train_voice


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


def captured(runs: Path) -> None:
    """Clips of random features, as data/teacher_features.py keeps them."""
    rng, store = np.random.default_rng(4), teacher_features.Store(runs / teacher_features.FOLDER)
    for i, (voice, lang, text) in enumerate((("af_heart", "en", "The weather is nice today."), ("zf_xiaoxiao", "zh", "今天天气很好。"))):
        phonemes = to_phonemes(text, lang)
        durations = [6, *(int(n) for n in rng.integers(2, 7, len(phonemes))), 6]
        frames = 2 * sum(durations)
        prosody = np.stack([np.full(frames, 140.0 + 60 * i), rng.normal(2.1, 6.7, frames)], 1).astype(np.float32)
        features, audio = rng.normal(0, 1, (frames, teacher_features.CHANNELS)), rng.uniform(-0.1, 0.1, frames * teacher_features.FRAME)
        job = teacher_features.Job(f"v{i:06d}", lang, "sentence", text, voice, 1.0)
        store.add(job, phonemes, (features, prosody, durations, audio, len(phonemes)))


def test_voice(corpora, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A step, one more from where it ended, FP16 weights to go on from, and a bundle that speaks through a generator."""
    _, runs = corpora
    captured(runs)
    small = ("--batch", 2, "--window", 24, "--minutes", 0.002, "--threads", 1)
    run(train_voice.main, monkeypatch, *small)
    first = checkpoint.load(runs / "voice" / "resume.pt")
    run(train_voice.main, monkeypatch, *small)
    second = checkpoint.load(runs / "voice" / "resume.pt")
    assert 1 <= first["step"] < second["step"] and finite(second["model"])
    for part in ("voice.text", "voice.duration", "voice.prosody", "voice.features"):
        assert any(not torch.equal(first["model"][n], second["model"][n]) for n in first["model"] if n.startswith(part)), part

    run(train_voice.main, monkeypatch, "--export", tmp_path / "voice.pt")
    run(train_voice.main, monkeypatch, "--start", tmp_path / "voice.pt", "--out", runs / "again", *small)
    assert checkpoint.load(runs / "again" / "resume.pt")["step"] > second["step"]

    twin = IstftGenerator(IstftGeneratorConfig())
    norms = [(torch.zeros(norm.fc.out_features // 2), torch.ones(norm.fc.out_features // 2)) for norm in twin.norms()]
    bundle = Bundle()
    bundle.add_checkpoint(runs / "voice" / "latest.pt")
    bundle.generator = (twin, {"anna": FrozenVoice(torch.zeros(128), norms)})
    bundle.voices, bundle.voice_languages, bundle.default_voices = (["anna"], np.zeros((1, 128)), np.zeros((1, 128))), ["en"], (0, 0)
    bundle.emotions = emotion_table()
    sizes = write(bundle, tmp_path / "voice.gguf", "q8_0")
    assert sizes["generator"] > 1e7 and sizes["decoder"] > 1e7

    other = tmp_path / "other.gguf"
    bundle.name, bundle.states["decoder"] = "other", {name: value + 1 for name, value in bundle.states["decoder"].items()}
    write(bundle, other, "q8_0")
    replace(tmp_path / "voice.gguf", other)
    wanted, found = (gguf.GGUFReader(path) for path in (tmp_path / "voice.gguf", other))
    assert [t.data.tobytes() for t in wanted.tensors] == [t.data.tobytes() for t in found.tensors], "the decoder is the other one"
    assert found.fields["general.name"].contents() == "other" and len(found.fields) == len(wanted.fields)
    bundle.units = bundle.units[::-1]
    write(bundle, other, "q8_0")
    with pytest.raises(ValueError, match="other units"):
        replace(tmp_path / "voice.gguf", other)
