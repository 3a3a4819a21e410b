"""Training examples of the encoder: labelled clips, their frame targets, augmentation and batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..data.augment import SAMPLE_RATE, Augment, resample
from ..data.corpora import TRAINED
from ..data.prepare import AudioStore
from ..data.units import TONES, UNIT_ID, UNITS
from ..data.voices import WATCHED_ACCENTS
from .speech_encoder import FRAME, padded_length

WATCHED_VOICES = {  # held out of training to watch it: the test voices have no clips in the teacher's corpus
    *WATCHED_ACCENTS, "am_puck", "zf_xiaoni*0.7+zm_yunyang*0.3", "zm_yunjian*0.7+zf_xiaoxiao*0.3", "zm_yunyang*0.5+zm_yunxi*0.5", "zf_xiaobei*0.6+zf_xiaoxiao*0.4",
}  # fmt: skip
HUMAN_MANDARIN = {"chenwang": "zh-syllables", "yuetan": "zh-words"}
REPEAT = {"en-digits": 2, "domain-digits": 2, "en-coffee": 2, "zh-joined": 0.8, "domain-words": 4, "en-words": 4, "en-wake": 0.5, "bursts": 0.3, "zh-syllables": 2, "domain-reply": 0.5}  # times an epoch; else 1
BABBLE = ("en-wake", "en-kathleen", "bursts", "teacher")
SILENCE = 0  # class of the frame targets: the CTC blank's id
IGNORE = -1
TONE_DELAY, UNIT_DELAY = 0.06, 0.08  # seconds by which the targets of a causal network lag behind the sound
LONGEST_UNIT, LONGEST_RHYME = 0.25, 0.4  # seconds; the teacher's last unit before a pause takes the silence in
TEACHER_FRAME, F0_STEP = 0.025, 0.0125

VOWELS = frozenset(UNIT_ID[c] for c in "aeoyɤɨəɚɛɔiuʊɑɪʌæɜjwɥ" if c in UNIT_ID)  # and glides: with them a Mandarin rhyme begins
CODAS = frozenset(UNIT_ID[c] for c in "nŋ")
TONE_CLASS = {UNIT_ID[t]: i + 1 for i, t in enumerate(TONES)}
PAUSES = frozenset(UNIT_ID[c] for c in " ,.?!")


@dataclass
class Clip:
    key: str  # corpus/id
    corpus: str
    lang: str
    speaker: str
    store_index: int
    samples: int
    ids: list[int]
    text: str
    split: str  # corpora.Record's, or `watch`: a voice that is kept to watch the training with
    repeat: float  # times an epoch
    bounds: np.ndarray | None = None  # [units + 1] seconds; unit i lies between bounds i and i + 1
    f0: np.ndarray | None = None  # Hz, one value per 12.5 ms; 0 is unvoiced
    start: int = 0  # of an excerpt, in samples


def excerpt(clip: Clip, rng: np.random.Generator) -> Clip:
    """One to four consecutive words of an aligned clip, so that short utterances come in both languages and by many voices."""
    edges = [-1, *(i for i, unit in enumerate(clip.ids) if unit in PAUSES), len(clip.ids)]
    words = [(a + 1, b) for a, b in zip(edges, edges[1:]) if b > a + 1]
    if clip.bounds is None or len(words) < 2:
        return clip
    count = int(rng.integers(1, min(4, len(words) - 1) + 1))
    first = int(rng.integers(0, len(words) - count + 1))
    low, high = words[first][0], words[first + count - 1][1]
    start, end = int(clip.bounds[low] / TEACHER_FRAME), int(np.ceil(clip.bounds[high] / TEACHER_FRAME))
    if end - start < 4:
        return clip
    step, pitch_step = int(TEACHER_FRAME * SAMPLE_RATE), round(TEACHER_FRAME / F0_STEP)
    return replace(
        clip, ids=clip.ids[low:high], bounds=clip.bounds[low : high + 1] - start * TEACHER_FRAME, start=clip.start + start * step,
        samples=(end - start) * step, f0=None if clip.f0 is None else clip.f0[start * pitch_step : end * pitch_step],
    )  # fmt: skip


class Corpora:
    """The labelled clips of the prepared audio (training.data.prepare), as the encoder wants them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.clips: list[Clip] = []
        self.known: set[str] = set()
        self.reload()

    def reload(self) -> list[Clip]:
        """Reads the index again and adds what was prepared since; the new clips are returned."""
        self.store = AudioStore(self.folder)
        found = [self._clip(i, r) for i, r in enumerate(self.store.records) if r["id"] not in self.known]
        self.clips += found
        self.known |= {c.key for c in found}
        self.babble_indices = [i for i, r in enumerate(self.store.records) if r["corpus"] in BABBLE and r["split"] in TRAINED]
        return found

    def _clip(self, i: int, r: dict) -> Clip:
        ids = list(r["ids"])
        durations = r.get("durations")
        while ids and ids[-1] in PAUSES:  # a pause at the end cannot be heard: the recording just ends
            ids.pop()
            durations = durations and durations[:-1]
        bounds = np.cumsum([r.get("lead", 0), *durations]) * TEACHER_FRAME if durations else None
        split = "watch" if r["speaker"] in WATCHED_VOICES else r["split"]
        text = r.get("text") or r.get("pinyin", "")
        return Clip(r["id"], r["corpus"], r["lang"], r["speaker"], i, r["samples"], ids, text, split, self._repeat(r), bounds, self.store.f0(i))

    @staticmethod
    def _repeat(r: dict) -> float:
        return 1.5 if r["corpus"] == "teacher" and r["lang"] == "en" else REPEAT.get(r["corpus"], 1.0)

    def wave(self, clip: Clip) -> np.ndarray:
        return self.store.audio(clip.store_index)[clip.start : clip.start + clip.samples]

    def babble(self, rng: np.random.Generator) -> np.ndarray:
        return self.store.audio(self.babble_indices[rng.integers(len(self.babble_indices))])


def tone_spans(ids: list[int], bounds: np.ndarray) -> list[tuple[float, float, int]]:
    """Mandarin rhymes of a unit sequence: (start, end, tone class 1–5). A coda belongs to the rhyme unless a vowel follows it."""
    spans, i = [], 0
    while i < len(ids):
        if ids[i] not in VOWELS:
            i += 1
            continue
        start, tone = i, 5
        while i < len(ids) and ids[i] in VOWELS:
            i += 1
        if i < len(ids) and ids[i] in TONE_CLASS:
            tone = TONE_CLASS[ids[i]]
            i += 1
        if i < len(ids) and ids[i] in CODAS and not (i + 1 < len(ids) and ids[i + 1] in VOWELS):
            i += 1
        spans.append((bounds[start], bounds[i], tone))
    return spans


@dataclass
class Example:
    wave: np.ndarray  # float32, padded as in live use
    ids: list[int]
    frame_ids: np.ndarray  # [T] unit of each frame, SILENCE, or IGNORE
    log_f0: np.ndarray  # [T] ln Hz; 0 unvoiced, NaN unknown
    tone: np.ndarray  # [T] 0 none, 1–5, or IGNORE
    tone_weight: np.ndarray  # [T]

    @property
    def frames(self) -> int:
        return len(self.frame_ids)


def frame_targets(frames: int, parts: list[tuple[Clip, float, float, float]]) -> tuple[np.ndarray, ...]:
    """`parts` are (clip, start and end second, rate at which it is played)."""
    time = (np.arange(frames) + 0.5) * FRAME / SAMPLE_RATE
    frame_ids, tone = np.full(frames, SILENCE), np.zeros(frames, np.int64)
    log_f0, weight = np.zeros(frames, np.float32), np.full(frames, 0.25, np.float32)
    for clip, start, end, rate in parts:
        inside = (time - UNIT_DELAY >= start) & (time - UNIT_DELAY < end)
        if clip.bounds is None:
            frame_ids[inside] = IGNORE
        else:
            bounds = start + clip.bounds / rate
            unit = np.searchsorted(bounds, time - UNIT_DELAY, side="right") - 1
            hit = (unit >= 0) & (unit < len(clip.ids))
            late = time[hit] - UNIT_DELAY - bounds[unit[hit]] > LONGEST_UNIT
            frame_ids[hit] = np.where(late, IGNORE, np.asarray(clip.ids)[unit[hit]])
        here = (time - 0.02 >= start) & (time - 0.02 < end)
        if clip.f0 is None:
            log_f0[here] = np.nan
        else:
            place = (time[here] - 0.01 - start) * rate / F0_STEP - 0.5  # the correlation's window is centred 10 ms before the frame's middle
            f0 = clip.f0[np.clip(np.round(place).astype(int), 0, len(clip.f0) - 1)] * rate
            log_f0[here] = np.where(f0 > 0, np.log(np.maximum(f0, 1)), 0)
        if clip.lang != "zh":
            continue
        if clip.bounds is None:
            tone[inside] = IGNORE
            continue
        for low, high, label in tone_spans(clip.ids, bounds):
            place = (time - TONE_DELAY - low) / min(max(high - low, 1e-3), LONGEST_RHYME)
            hit = (place >= 0) & (place < 1)
            tone[hit] = label
            weight[hit] = 0.3 + 1.2 * (place[hit] > 0.45)
    return frame_ids, log_f0, tone, weight


class Examples:
    """Turns clips into augmented examples and those into batches of about equal length."""

    def __init__(self, corpora: Corpora, admit: Callable[[list[Clip]], list[Clip]], tail_padding: int, seed: int = 0, strength: float = 1.0):
        """`admit` chooses the clips to train on; it is asked again, before each epoch, about those prepared since."""
        self.corpora, self.admit, self.tail_padding = corpora, admit, tail_padding
        self.clips = admit(corpora.clips)
        self.rng = np.random.default_rng(seed)
        self.augment = Augment(corpora.babble, strength)

    def rate(self, clip: Clip) -> float:
        if self.rng.random() < 0.2:
            return 1.0
        if clip.corpus in ("en-digits", "en-words"):  # few speakers: many sizes of vocal tract
            return float(np.exp(self.rng.uniform(np.log(0.75), np.log(1.3))))
        return float(np.exp(self.rng.uniform(np.log(0.82), np.log(1.22))))

    def silence(self, longest: float) -> int:
        return 0 if self.rng.random() < 0.3 else int(self.rng.uniform(0, longest) * SAMPLE_RATE)

    def augmented(self, clips: list[Clip]) -> Example:
        rng = self.rng
        pieces, parts, at = [np.zeros(self.silence(0.4), np.float32)], [], 0
        at = len(pieces[0])
        level = 1e-4
        for i, clip in enumerate(clips):
            rate = self.rate(clip)
            wave = resample(self.corpora.wave(clip), rate)
            power = float(np.sqrt((wave**2).mean())) + 1e-5
            wave = wave * np.float32(0.1 / power * 10 ** (rng.uniform(-3, 3) / 20))
            level = 0.1
            parts.append((clip, at / SAMPLE_RATE, (at + len(wave)) / SAMPLE_RATE, rate))
            gap = np.zeros(int(rng.uniform(0.08, 0.5) * SAMPLE_RATE) if i + 1 < len(clips) else self.silence(0.4), np.float32)
            pieces += [wave, gap]
            at += len(wave) + len(gap)
        wave = np.concatenate(pieces)
        return self.example(self.augment(wave, level, rng), parts)

    def noise(self) -> Example:
        """Nobody speaks: the units are none."""
        wave = self.augment.noisy(np.zeros(int(self.rng.uniform(0.5, 2.5) * SAMPLE_RATE), np.float32), 0.1, self.rng)
        return self.example(self.augment.filtered(wave * np.float32(10 ** -self.rng.uniform(0, 2.5)), self.rng), [])

    def example(self, wave: np.ndarray, parts: list[tuple[Clip, float, float, float]]) -> Example:
        length = padded_length(len(wave), self.tail_padding)
        ids: list[int] = []
        for i, (clip, *_) in enumerate(parts):
            ids += ([UNIT_ID[" "]] if i else []) + clip.ids
        return Example(np.pad(wave, (0, length - len(wave))), ids, *frame_targets(length // FRAME, parts))

    def clean(self, clip: Clip) -> Example:
        wave = self.corpora.wave(clip)
        return self.example(wave, [(clip, 0.0, len(wave) / SAMPLE_RATE, 1.0)])

    def groups(self) -> list[list[Clip]]:
        """One epoch: clips repeated by their weight; some of the short ones joined in twos and threes."""
        rng = self.rng
        chosen = [c for c in self.clips for _ in range(int(c.repeat + rng.random()))]
        chosen = [excerpt(c, rng) if rng.random() < 0.35 else c for c in chosen]
        rng.shuffle(chosen)
        groups, waiting, size = [], [], 2
        for clip in chosen:
            if clip.samples < 1.5 * SAMPLE_RATE and rng.random() < 0.2:
                waiting.append(clip)
                if len(waiting) == size:
                    groups.append(waiting)
                    waiting, size = [], int(rng.integers(2, 4))
            else:
                groups.append([clip])
        return groups

    def batches(self, seconds: float) -> Iterator[list[Example]]:
        """Endless batches of at most `seconds`, padding included."""
        while True:
            self.clips += self.admit(self.corpora.reload())
            groups = self.groups()
            size = max(300, int(2 * seconds))
            for start in range(0, len(groups), size):
                pool = [self.augmented(g) for g in groups[start : start + size]]
                pool += [self.noise() for _ in range(len(pool) // 100)]
                pool.sort(key=lambda e: e.frames)
                found, batch = [], []
                for example in pool:
                    if batch and (len(batch) + 1) * example.frames * FRAME > seconds * SAMPLE_RATE:
                        found.append(batch)
                        batch = []
                    batch.append(example)
                found.append(batch)
                for i in self.rng.permutation(len(found)):
                    yield found[i]


def collate(batch: list[Example]) -> dict[str, torch.Tensor]:
    """wave [B, N], lengths [B], frame targets [B, T], ids (concatenated) with id_lengths [B]."""
    frames = max(e.frames for e in batch)

    def stack(name: str, fill: float) -> torch.Tensor:
        rows = [getattr(e, name) for e in batch]
        return torch.from_numpy(np.stack([np.pad(r, (0, frames - len(r)), constant_values=fill) for r in rows]))

    return {
        "wave": torch.from_numpy(np.stack([np.pad(e.wave, (0, frames * FRAME - len(e.wave))) for e in batch])),
        "lengths": torch.tensor([e.frames for e in batch]),
        "ids": torch.tensor([i for e in batch for i in e.ids], dtype=torch.long),
        "id_lengths": torch.tensor([len(e.ids) for e in batch]),
        "frame_ids": stack("frame_ids", IGNORE).long(),
        "log_f0": stack("log_f0", np.nan),
        "tone": stack("tone", IGNORE),
        "tone_weight": stack("tone_weight", 0.0),
    }


def spoken(symbols: str) -> str:
    """Phones and tones only: without boundaries, pauses and stress."""
    return re.sub(r"[ ,.?!ˈˌ_]", "", symbols)


def as_text(ids: list[int]) -> str:
    return "".join(UNITS[i] for i in ids)
