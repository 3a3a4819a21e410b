"""Training examples of the decoder: random windows of aligned utterances with units, prosody labels and voice vectors."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch

from ..data.corpora import TRAINED
from ..data.prepare import AudioStore
from ..data.units import SPACE, UNIT_ID
from ..data.voices import voice_vector
from ..networks.config import DecoderConfig, FeatureDecoderConfig

HOP = 200  # samples of a decoder frame at 16 kHz: 12.5 ms
TEACHER_STRIDE = 2  # decoder frames in a frame of the teacher's durations
EDGE_CAP = 12  # frames of silence kept before and after an utterance: the pauses that its first and last unit stand for
MARGIN = 412  # samples around a window that the posterior's spectrogram needs
UNIT_SPAN = 80  # units that go through the unit encoder at once
LEFT_UNITS, RIGHT_UNITS = 24, 18  # context of the window's units where the utterance is longer than that
ENERGY = (2.1, 6.7)  # mean and deviation of the teacher's energy over the corpus


@dataclass
class Utterance:
    key: str
    lang: str
    voice: str
    tokens: int
    text: str
    offset: int  # of frame 0 in the memory map
    available: int  # samples before frame 0 that belong to the same clip
    ids: np.ndarray  # [U]
    durations: np.ndarray  # [U] frames; 0 where the teacher gave none
    pitch: np.ndarray  # [T] standardised ln F0, interpolated where unvoiced
    voiced: np.ndarray  # [T]
    energy: np.ndarray  # [T] standardised

    @property
    def frames(self) -> int:
        return len(self.pitch)


def with_edges(lead: int, durations: list[int], tail: int) -> tuple[np.ndarray, int]:
    """Durations in the teacher's frames -> in ours, with those of the silence at both ends, which is cut to EDGE_CAP; and how many frames are cut at the start."""
    lead, tail = TEACHER_STRIDE * lead, TEACHER_STRIDE * tail
    skip = max(0, lead - EDGE_CAP)
    return np.array([lead - skip, *(TEACHER_STRIDE * d for d in durations), min(tail, EDGE_CAP)], np.int64), skip


def standardised_pitch(f0: np.ndarray, voiced: np.ndarray, config: DecoderConfig | FeatureDecoderConfig) -> np.ndarray:
    """ln F0; in unvoiced frames the straight line between their voiced neighbours, of which there are some."""
    at = np.arange(len(f0))
    return np.interp(at, at[voiced], (np.log(f0[voiced]) - config.log_f0_mean) / config.log_f0_std).astype(np.float32)


def load_corpus(store: AudioStore, name: str, config: DecoderConfig, minimum: int) -> list[Utterance]:
    """Utterances of a corpus that carries durations, pitch and energy; what may not be trained and clips under `minimum` frames are left out."""
    edge = UNIT_ID[SPACE]
    utterances = []
    for i, row in enumerate(store.records):
        if row["corpus"] != name or row["split"] not in TRAINED or "prosody" not in row:
            continue
        durations, skip = with_edges(row.get("lead", 0), row["durations"], row.get("tail", 0))
        frames = int(durations.sum())
        f0, energy = store.f0(i)[skip : skip + frames], (store.energy(i)[skip : skip + frames] - ENERGY[0]) / ENERGY[1]
        if len(f0) < frames or frames < minimum or row["samples"] < (skip + frames) * HOP:
            continue
        voiced = f0 > 0
        if not voiced.any():
            continue
        pitch = standardised_pitch(f0, voiced, config)
        utterances.append(
            Utterance(
                row["id"], row["lang"], row["speaker"], len(row["ids"]), row["text"], row["offset"] + skip * HOP, skip * HOP,
                np.array([edge, *row["ids"], edge]), durations, pitch, voiced.astype(np.float32), energy,
            )
        )  # fmt: skip
    return utterances


def held_out(utterance: Utterance) -> bool:
    """About one sentence in forty, by its text: the same sentence in every voice."""
    return zlib.crc32(utterance.text.encode()) % 40 == 0


def cut(samples: np.ndarray, u: Utterance, start: int, frames: int) -> np.ndarray:
    """Samples of frames [start, start + frames) with MARGIN on either side; zeros outside the clip."""
    first, last = start * HOP - MARGIN, (start + frames) * HOP + MARGIN
    begin, end = max(first, -u.available), min(last, u.frames * HOP)
    audio = np.zeros(last - first, np.float32)
    if end > begin:
        audio[begin - first : end - first] = samples[u.offset + begin : u.offset + end] / 32768.0
    return audio


def unit_window(ids: np.ndarray, durations: np.ndarray, window: int, rng: np.random.Generator) -> tuple[int, dict[str, np.ndarray]]:
    """A random window's first frame; and which units its frames are of, where in them, and those units with some context."""
    total = int(durations.sum())
    # Uniform over windows that may stick out by half, then moved inside: else the first and last syllables were hardly ever seen.
    start = int(np.clip(rng.integers(-window // 2, max(1, total - window // 2)), 0, max(0, total - window)))
    count = min(window, total - start)
    ends = durations.cumsum()
    unit = np.searchsorted(ends, np.arange(start, start + count), side="right")  # [count]
    low, high = 0, len(ids)
    if high > UNIT_SPAN:
        low, high = max(0, unit[0] - LEFT_UNITS), min(len(ids), max(unit[-1] + 1 + RIGHT_UNITS, unit[0] - LEFT_UNITS + UNIT_SPAN))
    length = durations[unit]
    place = (np.arange(start, start + count) - (ends[unit] - length) + 0.5) / length
    judged = np.ones(high - low, np.float32)  # units whose duration is trained: not where the context was cut
    if high < len(ids):
        judged[-RIGHT_UNITS:] = 0
    if low > 0:
        judged[:8] = 0
    judged[durations[low:high] == 0] = 0
    pad = lambda x: np.pad(x, (0, window - count))  # noqa: E731
    return start, {
        "valid": pad(np.ones(count, np.float32)), "index": pad(unit - low), "place": pad(place.astype(np.float32)),
        "length": pad(0.1 * length.astype(np.float32)), "ids": ids[low:high], "durations": durations[low:high], "judged": judged,
    }  # fmt: skip


def padded(x: np.ndarray, start: int, window: int) -> np.ndarray:
    """Rows start .. start + window of x, zeros after its end."""
    x = x[start : start + window]
    return np.pad(x, [(0, window - len(x)), *[(0, 0)] * (x.ndim - 1)])


def windowed(samples: np.ndarray, u: Utterance, window: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A random window of an utterance, and the units around it."""
    start, item = unit_window(u.ids, u.durations, window, rng)
    speaker, style = voice_vector(u.voice, None if rng.random() < 0.5 else u.tokens)
    prosody = {name: padded(getattr(u, name), start, window) for name in ("pitch", "voiced", "energy")}
    return {**item, **prosody, "audio": cut(samples, u, start, window), "speaker": speaker, "style": style}


def collate(items: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    """Stacks; pads the units and adds `units_valid` [B, U, 1]."""
    units = max(len(item["ids"]) for item in items)
    batch = {}
    for name in items[0]:
        values = [item[name] for item in items]
        if name in ("ids", "durations", "judged"):
            values = [np.pad(v, (0, units - len(v))) for v in values]
        batch[name] = torch.from_numpy(np.stack(values))
    lengths = torch.tensor([len(item["ids"]) for item in items])
    batch["units_valid"] = (torch.arange(units)[None] < lengths[:, None]).float()[..., None]
    return batch


class Mixture:
    """Draws batches from corpora by weight; within a corpus, the languages equally, and an utterance by its length and its voice's favour."""

    def __init__(self, samples: np.ndarray, corpora: list[tuple[list[Utterance], float]], window: int, seed: int, favour: dict[str, float]):
        self.samples, self.corpora, self.window = samples, corpora, window
        self.rng = np.random.default_rng(seed)
        self.weights = np.array([w for _, w in corpora]) / sum(w for _, w in corpora)
        self.chances = []
        for utterances, _ in corpora:
            chance = np.array([min(u.frames, 400) * favour.get(u.voice, 1.0) for u in utterances])
            for lang in {u.lang for u in utterances}:
                chance /= np.where([u.lang == lang for u in utterances], chance[[u.lang == lang for u in utterances]].sum(), 1)
            self.chances.append(chance / chance.sum())

    def batch(self, size: int) -> dict[str, torch.Tensor]:
        items = []
        for c in self.rng.choice(len(self.corpora), size, p=self.weights):
            utterances = self.corpora[c][0]
            u = utterances[self.rng.choice(len(utterances), p=self.chances[c])]
            items.append(windowed(self.samples, u, self.window, self.rng))
        return collate(items)
