"""A bundle of small random networks: written as GGUF, and heard, answered and spoken by the addon as PyTorch does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from training.data.template import IGNORE, TOKENIZER, Positions, Template
from training.data.units import AUDIO_PAD, EOSP, N_AUDIO, N_UNITS, SPACE, text_to_ids
from training.data.voices import emotion_table
from training.encoder.speech_encoder import padded_length
from training.export.bundle import Bundle, write
from training.networks.aligner import Aligner
from training.networks.config import AlignerConfig, DecoderConfig, EncoderConfig, FrontendConfig, LMConfig, ToneConfig
from training.networks.encoder import Encoder
from training.networks.frontend import Frontend
from training.networks.lm import LM
from training.networks.tone import Tone
from training.networks.vits import Decoder

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("parity.cjs")
NODE = shutil.which("node")
BUILT = (ROOT / "dist" / "lib" / "binding.js").exists() and any((ROOT / "build" / "Release").glob("*.node"))
BLANK = 0


def random_weights(module: nn.Module, seed: int, gain: float = 1.0) -> nn.Module:
    """Weights that let every term show: norms near 1, biases not 0, matrices that keep the signal's size."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in module.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.dim() >= 2:
                p.copy_(noise * gain / (p.numel() / p.shape[0]) ** 0.5)
            else:
                p.copy_(0.1 * noise + ("norm" in name and name.endswith("weight")))
    return module.eval()


class Networks:
    def __init__(self) -> None:
        self.template = Template()
        frontend = FrontendConfig(channels=[8, 8, 16, 16, 16, 32], kernel_sizes=[16, 10, 4, 4, 4, 3])
        encoder = EncoderConfig(embedding_length=32, feed_forward_length=32, block_count=2, head_count=2, pos_conv_kernel=8, pos_conv_groups=4, chunk_size=8, left_context=16)
        lm = LMConfig(
            embedding_length=32, feed_forward_length=64, shared_block_count=2, head_count=4, key_length=16, context_length=512,
            text_vocab_size=self.template.tokenizer.get_vocab_size(), audio_vocab_size=N_AUDIO,
        )  # fmt: skip
        decoder = DecoderConfig(
            unit_count=N_UNITS, hidden_size=32, block_count=2, ffn_size=32, style_size=16, gin_channels=16, duration_channels=16, prosody_layers=2,
            flow_size=16, flow_count=2, wavenet_hidden=16, wavenet_layers=2, upsample_initial=16, resblock_dilations=[1, 3],
        )  # fmt: skip
        tone = ToneConfig(lags=[32, 45, 64, 90, 128, 180, 267], hidden=16, tcn_channels=16, kernel_size=3, dilations=[1, 2, 4])
        aligner = AlignerConfig(embedding_length=32, block_count=1, head_count=2, feed_forward_length=32)
        self.configs = {"frontend": frontend, "tone": tone, "encoder": encoder, "aligner": aligner, "lm": lm, "decoder": decoder}
        made = [Frontend(frontend), Tone(tone, 32), Encoder(encoder, 32, N_UNITS), Aligner(aligner, 32, 32), LM(lm), Decoder(decoder)]
        self.frontend, self.tone, self.encoder, self.aligner, self.lm, self.decoder = (random_weights(m, i + 1, 1.4 if i < 2 else 1.0) for i, m in enumerate(made))
        with torch.no_grad():  # random weights would send exponentials and phases where no trained ones are
            self.decoder.prosody.stats.weight[decoder.flow_size :].mul_(0.2)
            self.decoder.gen.post.weight.mul_(0.1)
        self.voices = np.random.default_rng(7).standard_normal((2, 2, 16)).astype(np.float32)

    def bundle(self) -> Bundle:
        bundle = Bundle(name="random", tokenizer=TOKENIZER, sampling={"temperature": 0.0, "repetition_penalty": 1.0})
        for name, config in self.configs.items():
            bundle.add(name, config, getattr(self, name).state_dict())
        bundle.voices = (["anna", "mei"], *self.voices)
        bundle.voice_languages, bundle.default_voices, bundle.emotions = ["en", "zh"], (0, 1), emotion_table()
        return bundle

    def hear(self, wave: np.ndarray) -> torch.Tensor:
        """[1, T, E], padded as in live use."""
        padded = np.pad(wave, (0, padded_length(len(wave), self.configs["frontend"].tail_padding) - len(wave)))[None]
        x = torch.from_numpy(padded)
        features, tone = self.frontend(x), self.tone(x)["embedding"]
        return self.encoder(features, tone, self.configs["encoder"].chunk_size, torch.tensor([features.shape[1]]))

    def prompt(self, user: torch.Tensor) -> torch.Tensor:
        """The embeddings of a user's turn [1, T, H] in the template."""
        text = lambda name: self.embed(self.template.strings[name])  # noqa: E731
        return torch.cat([text("user_prefix"), user, text("assistant_prefix")], 1)

    def embed(self, ids: list[int], audio: int = AUDIO_PAD) -> torch.Tensor:
        return self.lm.embed(torch.tensor([ids]), torch.full((1, len(ids)), audio))

    def write(self, embeddings: torch.Tensor, count: int) -> list[int]:
        ids: list[int] = []
        special = self.template.special
        while len(ids) < count:
            logits = self.lm(embeddings)[0][0, -1]
            logits[[special[name] for name in ("im_start", "sosp", "modality_pad", "pad")]] = -torch.inf
            if (best := int(logits.argmax())) == special["im_end"]:
                break
            ids.append(best)
            embeddings = torch.cat([embeddings, self.embed([best])], 1)
        return ids

    def speak(self, embeddings: torch.Tensor, count: int) -> list[int]:
        units: list[int] = []
        embeddings = torch.cat([embeddings, self.embed([self.template.special["sosp"]])], 1)
        while len(units) < count:
            logits = self.lm(embeddings)[1][0, -1]
            logits[[BLANK, *(i for i in range(N_UNITS, N_AUDIO) if i != EOSP or not units)]] = -torch.inf
            if (best := int(logits.argmax())) == EOSP:
                break
            units.append(best)
            embeddings = torch.cat([embeddings, self.embed([self.template.special["modality_pad"]], best)], 1)
        return units


    def loss(self, reply: list[int], units: list[int], **question: Any) -> float:
        """-ln p of a spoken and written reply, summed over both channels."""
        embeddings = Positions(self.template).user(**question).reply(reply, units)
        x = self.lm.embed(torch.tensor([embeddings.text]), torch.tensor([embeddings.audio]))
        for first, hidden, _ in embeddings.speech:
            spoken = self.aligner(hidden[None], self.lm.text_embd.weight)
            x[:, first : first + spoken.shape[1]] = spoken
        targets = (torch.tensor(embeddings.text_target), torch.tensor(embeddings.audio_target))
        return sum(float(F.cross_entropy(logits[0], target, reduction="sum", ignore_index=IGNORE)) for logits, target in zip(self.lm(x), targets))


def speech() -> np.ndarray:
    """A second and a half of a gliding tone in noise."""
    rng, samples = np.random.default_rng(3), 24_000
    phase = 2 * np.pi * np.cumsum(np.linspace(120, 240, samples)) / 16_000
    return (sum(np.sin(k * phase) / k for k in range(1, 6)) * 0.1 + 0.01 * rng.standard_normal(samples)).astype(np.float32)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks()


def test_what_is_written(networks: Networks, tmp_path: Path):
    """Shapes, types and values; equal inputs give equal bytes."""
    sizes = write(networks.bundle(), tmp_path / "a.gguf", "q8_0")
    write(networks.bundle(), tmp_path / "b.gguf", "q8_0")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()
    assert set(sizes) == set(networks.configs)
    tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / "a.gguf").tensors}
    head = tensors["audio.output.weight"]
    assert head.tensor_type == gguf.GGMLQuantizationType.Q8_0
    np.testing.assert_allclose(gguf.quants.dequantize(head.data, head.tensor_type), networks.lm.audio_output.weight.detach(), atol=0.01)
    conv = tensors["frontend.conv.1.weight"]
    want = networks.frontend.state_dict()["conv.1.weight"]
    assert conv.tensor_type == gguf.GGMLQuantizationType.F16
    np.testing.assert_allclose(np.asarray(conv.data, np.float32).reshape(want.shape[0], want.shape[2], want.shape[1]).transpose(0, 2, 1), want, atol=1e-3)


def test_what_does_not_fit_is_refused(networks: Networks, tmp_path: Path):
    bundle = networks.bundle()
    bundle.states["lm"] = {k: v for k, v in bundle.states["lm"].items() if k != "text_norm.weight"}
    with pytest.raises(ValueError, match=r"lm\.text_norm\.weight: expected"):
        write(bundle, tmp_path / "x.gguf", "f32")


@torch.no_grad()
def addon(networks: Networks, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the addon makes of speech, of text and of units; what PyTorch does."""
    path, question = folder / "random.gguf", folder / "in.json"
    write(networks.bundle(), path, "f32")
    wave, text, units = speech(), networks.template.encode("turn on the light"), text_to_ids("hˈəlO wˈɜɹld.")
    reply = networks.template.encode("Hello world.")
    question.write_text(json.dumps({"samples": wave.tolist(), "textIds": text, "units": units, "replyIds": reply}), encoding="utf-8")
    done = subprocess.run([NODE, str(SCRIPT), str(path), str(question)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    hidden = networks.hear(wave)
    stages: dict[str, torch.Tensor] = {}
    speaker, style = (torch.from_numpy(v[:1]) for v in networks.voices)
    networks.decoder.infer(torch.tensor([[*text_to_ids(SPACE), *units, *text_to_ids(SPACE)]]), speaker, style, stages=stages)
    want = {
        "losses": [networks.loss(reply, units, hidden=hidden[0]), networks.loss(reply, units, text=text)],
        "features": hidden[0].numpy(), "spoken": networks.speak(networks.prompt(networks.aligner(hidden, networks.lm.text_embd.weight)), 12),
        "written": networks.write(networks.prompt(networks.embed(text)), 12), "decoded": int(stages["decoder.durations"].sum()) * 200,
    }  # fmt: skip
    return json.loads(done.stdout), want


@pytest.mark.skipif(not NODE, reason="node is not on the PATH")
@pytest.mark.skipif(not BUILT, reason="the addon or dist/ is not built: npm run build")
def test_the_addon_computes_what_pytorch_does(networks: Networks, tmp_path: Path):
    got, want = addon(networks, tmp_path)
    features = np.array(got["features"]).reshape(want["features"].shape)
    np.testing.assert_allclose(features, want["features"], atol=2e-3)  # F32 on both sides; sums in another order
    np.testing.assert_allclose(got["losses"], want["losses"], rtol=1e-4)  # of 16 units and some ids in 5,000
    spoken = got["spoken"]["units"]
    assert len(spoken) >= 4 and spoken[:12] == want["spoken"][: len(spoken)]
    assert len(want["written"]) >= 4 and got["written"]["textIds"] == want["written"]
    assert got["decoded"] == want["decoded"], "units last as long"
