"""What the encoder hears of held-out speakers: unit and phone error rates, spoken digits, Mandarin tones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from ..data import g2p
from ..data.edit_distance import distance
from ..data.units import TONES
from ..loop.precision import autocast
from ..loop.streams import to_device
from .encode import best_path
from .examples import Clip, Corpora, Examples, as_text, collate, spoken
from .speech_encoder import SpeechEncoder

DIGITS = "zero one two three four five six seven eight nine".split()


def tones_heard(wanted: str, heard: str) -> tuple[int, int]:
    """(right, all) tones of `wanted`: the strings are aligned so that tones meet tones; a neutral tone wants none."""
    tones = set(TONES)

    def cost(x: str, y: str) -> float:
        return 0.0 if x == y else 0.6 if (x in tones) == (y in tones) else 3.0

    n, m = len(wanted), len(heard)
    table = np.zeros((n + 1, m + 1))
    table[:, 0], table[0, :] = np.arange(n + 1), np.arange(m + 1)
    for i in range(n):
        for j in range(m):
            table[i + 1, j + 1] = min(table[i, j] + cost(wanted[i], heard[j]), table[i, j + 1] + 1, table[i + 1, j] + 1)
    right = total = 0
    i, j = n, m
    extra = 0
    while i or j:
        if i and j and table[i, j] == table[i - 1, j - 1] + cost(wanted[i - 1], heard[j - 1]):
            if wanted[i - 1] in tones:
                total += 1
                right += wanted[i - 1] == heard[j - 1]
            i, j = i - 1, j - 1
        elif i and table[i, j] == table[i - 1, j] + 1:
            total += wanted[i - 1] in tones
            i -= 1
        else:
            extra += heard[j - 1] in tones
            j -= 1
    return max(0, right - extra), max(total, 1)


@torch.no_grad()
def outputs(model: SpeechEncoder, examples: Examples, clips: list[Clip], chunk_size: int = 16, seconds: float = 40.0) -> Iterable[tuple[Clip, dict[str, np.ndarray]]]:
    """Runs clean clips in batches; yields for each its hidden states, CTC log-probabilities and the tone module's outputs, [T, …]."""
    device = next(model.parameters()).device
    order = sorted(clips, key=lambda c: c.samples)
    while order:
        size = max(1, int(seconds * 16000 / (order[-1].samples + 3840)))
        batch, order = order[-size:], order[:-size]
        tensors = to_device(collate([examples.clean(c) for c in batch]), device)
        with autocast(device):
            hidden, tone = model(tensors["wave"], tensors["lengths"], chunk_size)
            logits = model.encoder.ctc(hidden)
        log_probs = logits.float().log_softmax(-1)
        tone_probs = tone["logits"].float().softmax(-1)
        for i, clip in enumerate(batch):
            frames = int(tensors["lengths"][i])
            found = {"hidden": hidden[i, :frames].float(), "ctc": log_probs[i, :frames], "tone": tone_probs[i, :frames]}
            found |= {"log_f0": tone["log_f0"][i, :frames], "voicing": tone["voicing"][i, :frames]}
            found |= {"want_f0": tensors["log_f0"][i, :frames], "want_tone": tensors["tone"][i, :frames]}
            yield clip, {k: v.float().cpu().numpy() for k, v in found.items()}


def held_out(corpora: Corpora) -> dict[str, list[Clip]]:
    """The fixed sets that training watches: voices kept for that, the old questions, and the two human Mandarin speakers. No test speaker of people's."""
    pick = lambda test, step: [c for c in corpora.clips if test(c)][::step]  # noqa: E731
    teacher = {lang: [c for c in corpora.clips if c.corpus == "teacher" and c.split == "watch" and c.lang == lang] for lang in ("en", "zh")}
    domain = {lang: [c for c in corpora.clips if c.corpus == "domain-test" and c.lang == lang] for lang in ("en", "zh")}
    return {
        "en": teacher["en"][:: max(1, len(teacher["en"]) // 40)],
        "zh": teacher["zh"][:: max(1, len(teacher["zh"]) // 40)],
        "domain_en": domain["en"][:: max(1, len(domain["en"]) // 40)],
        "domain_zh": domain["zh"][:: max(1, len(domain["zh"]) // 40)],
        "accents": pick(lambda c: c.corpus == "domain-digits" and c.split == "watch", 1),
        "chenwang": pick(lambda c: c.corpus == "zh-syllables", 7),  # not a multiple of four: the clips come tone by tone
        "yuetan": pick(lambda c: c.corpus == "zh-words", 40),
    }


def evaluate(model: SpeechEncoder, examples: Examples, sets: dict[str, list[Clip]], chunk_size: int = 16) -> dict[str, float]:
    model.eval()
    digits = [spoken(g2p.to_symbols(d, "en")) for d in DIGITS]
    result: dict[str, float] = {}
    for name, clips in sets.items():
        if not clips:
            continue
        errors = units = phone_errors = phones = right = tone_right = tone_total = module_right = module_total = frame_right = frame_total = 0
        pitch_right = pitch_total = voicing_right = voicing_total = 0
        for clip, out in outputs(model, examples, clips, chunk_size):
            heard, wanted = as_text([heard.unit for heard in best_path(out["ctc"])]), as_text(clip.ids)
            errors += distance(wanted, heard)
            units += len(wanted)
            phone_errors += distance(spoken(wanted), spoken(heard))
            phones += len(spoken(wanted))
            if clip.corpus.endswith("-digits"):
                scores = [distance(spoken(heard), d) / max(len(d), 1) for d in digits]
                right += DIGITS[int(np.argmin(scores))] == clip.text and bool(spoken(heard))
            if clip.lang == "zh":
                r, t = tones_heard(spoken(wanted), spoken(heard))
                tone_right, tone_total = tone_right + r, tone_total + t
                if clip.corpus == "zh-syllables":
                    module_right += int(out["tone"][:, 1:].sum(0).argmax()) + 1 == int(clip.text[-1])
                    module_total += 1
            if clip.f0 is not None:
                voiced = out["want_f0"] > 0
                voicing_right += int(((out["voicing"] > 0.5) == voiced).sum())
                voicing_total += len(voiced)
                pitch_right += int((np.abs(out["log_f0"] - out["want_f0"])[voiced] < 0.1).sum())
                pitch_total += int(voiced.sum())
                if clip.lang == "zh":
                    labelled = out["want_tone"] > 0
                    frame_right += int((out["tone"].argmax(-1) == out["want_tone"])[labelled].sum())
                    frame_total += int(labelled.sum())
        result[f"{name}.uer"] = errors / max(units, 1)
        result[f"{name}.per"] = phone_errors / max(phones, 1)
        if name == "accents":
            result[f"{name}.right"] = right / max(len(clips), 1)
        if tone_total:
            result[f"{name}.tone"] = tone_right / tone_total
        if module_total:
            result[f"{name}.tone_module"] = module_right / module_total
        if frame_total:
            result[f"{name}.tone_frames"] = frame_right / frame_total
        if pitch_total:
            result[f"{name}.f0_within_10pct"] = pitch_right / pitch_total
            result[f"{name}.voicing"] = voicing_right / voicing_total
    model.train()
    return result
