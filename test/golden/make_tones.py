"""Trains a Wav2Vec2ForCTC that a test can ask for the truth: it writes down tones, one letter a pitch, in words with pauses.

Which frame is which unit is known, so that it learns frame by frame, without the plateau in which CTC begins.

    python test/golden/make_tones.py      # two minutes on a core; needs transformers, safetensors; run from the project's root

tones/   the checkpoint, F16: group norm and post-norm, as Wav2Vec2-base. test/encoder.test.ts makes the same tones.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

FOLDER = Path(__file__).parent / "tones"
LETTERS = "ABCDEFGH"
VOCABULARY = ["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS]
RATE = 16000
TONE, GAP, PAUSE = 0.12, 0.06, 0.24  # seconds: a letter, what follows it, and what follows a word


def pitch(letter: str) -> float:
    return 320 * 1.35 ** LETTERS.index(letter)


def tone(letter: str, amplitude: float) -> np.ndarray:
    n = round(TONE * RATE)
    return amplitude * np.sin(np.pi * np.arange(n) / n) ** 0.5 * np.sin(2 * np.pi * pitch(letter) * np.arange(n) / RATE)


def example(rng: np.random.Generator, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """A normalized wave of words in noise, and the unit of each frame: letters and delimiters for their middle, blanks between."""
    wave = np.zeros(round(seconds * RATE))
    units = np.zeros(len(wave), dtype=int)
    amplitude = rng.uniform(0.1, 0.7)
    time = PAUSE
    while time < seconds - 1:
        for letter in rng.choice(list(LETTERS), rng.integers(1, 5)):
            start = round(time * RATE)
            sound = tone(letter, amplitude)
            wave[start : start + len(sound)] += sound
            units[start + 400 : start + len(sound) - 400] = VOCABULARY.index(letter)
            time += TONE + GAP
        middle = round((time - GAP + PAUSE / 2) * RATE)
        units[middle - 640 : middle + 640] = VOCABULARY.index("|")
        time += PAUSE - GAP
    wave += rng.uniform(0.001, 0.01) * rng.standard_normal(len(wave))
    wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
    return wave.astype(np.float32), units[200 :: 320][: (len(wave) - 400) // 320 + 1]


def main() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    rng = np.random.default_rng(1)
    config = Wav2Vec2Config(
        vocab_size=len(VOCABULARY), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, conv_dim=[24] * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, mask_time_prob=0.0, layerdrop=0.0, hidden_dropout=0.0,
        attention_dropout=0.0, activation_dropout=0.0, final_dropout=0.0, feat_proj_dropout=0.0,
    )  # fmt: skip
    model = Wav2Vec2ForCTC(config).train()
    steps = 600
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        waves, units = zip(*(example(rng, 2 if step < steps // 2 else 4) for _ in range(6)), strict=True)
        logits = model(torch.tensor(np.stack(waves))).logits  # [B, T, U]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(np.concatenate(units)))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(step, f"{loss.item():.3f}", flush=True)
    model.eval().half().save_pretrained(FOLDER)
    for name, value in {
        "vocab.json": {token: i for i, token in enumerate(VOCABULARY)},
        "tokenizer_config.json": {"tokenizer_class": "Wav2Vec2CTCTokenizer", "pad_token": "<pad>", "word_delimiter_token": "|"},
        "preprocessor_config.json": {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True, "sampling_rate": RATE},
    }.items():
        (FOLDER / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
