"""Turns: recordings whose speech ends once for good, after natural pauses, and what nano's voice activity network says of them.

Every recording is one turn. What is behind its speech is its own background, continued, so that a decision may come late. Few pauses in recordings that
somebody was asked to make are long. So a recording with a pause is a second turn in which its pauses, where the speaker made them, last as long as those of people
who think: 0.25 to 2 s, log-normal about 0.6 s, of its own background.

A turn belongs to a split, `train`, `valid` or `test`:

- coffee orders (many people, spontaneous, no speaker ids): by the clusters of their voices (`voice_groups`), so that no voice is in two splits as far as
  resemblyzer can tell. The encoder has learned from all of them; only the head has not;
- kathleen: by sentence. Her voice is in all splits, and the encoder has learned from all of her;
- digits of people, said in groups as telephone numbers are: by speaker, as the encoder's (speakers.json). The pauses between them are drawn;
- the teacher: sentences of its corpus are trained; the test's are Mandarin, by voices that no training hears (spoken.py). There are no Mandarin sentences of people.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from zlib import crc32

import gguf
import numpy as np
import torch

from ..data import speakers
from ..data.corpora import manifest_rows
from ..data.prepare import decode
from ..folders import data_folder, runs_folder
from ..networks.config import VadConfig
from ..networks.vad import Vad

SAMPLE_RATE = 16000
WINDOW = 512  # samples of a probability
DRAWS = 3  # of the lengths of a trained turn's pauses
DOUBT = 0.3  # seconds between the end by level and that of the network: more, as with a noise behind the speech, and the turn is left out
AFTER = 3.5  # seconds of background behind the speech
THRESHOLD = 0.4  # of the network, as lib/live/options.ts has it: speech begins with it, and lasts while above half of it
SHORTEST = 0.15  # seconds of speech that begin a turn


@dataclass
class Turn:
    """`end` is where the speech ends, in seconds, by level; 0 if that is not known yet."""

    id: str
    corpus: str
    lang: str
    split: str
    read: Callable[[], np.ndarray] = field(repr=False)
    end: float = 0
    words: list[float] = field(default_factory=list)  # where words end, where that is known: the teacher's
    complete: bool = True  # false: a beginning, whose end is a pause too
    lengthened: bool = False
    wave: np.ndarray | None = field(default=None, repr=False)  # float32 at 16 kHz, with AFTER seconds of background behind the end
    probabilities: np.ndarray | None = field(default=None, repr=False)  # of speech, by window


@dataclass(frozen=True)
class Pause:
    """Samples at which the network heard speech stop and begin again; `stop` is what a live session takes for the end of the speech."""

    stop: int
    resume: int | None


def load_vad(bundle: Path) -> Vad:
    """The voice activity network of a bundle."""
    vad = Vad(VadConfig())
    tensors = {t.name.removeprefix("vad."): t.data for t in gguf.GGUFReader(bundle).tensors if t.name.startswith("vad.")}
    state = {}
    for name, like in vad.state_dict().items():
        values = torch.from_numpy(tensors[name].astype(np.float32))
        if like.ndim == 3:  # [out, kernel * in] → [out, in, kernel]
            values = values.reshape(like.shape[0], like.shape[2], like.shape[1]).transpose(1, 2)
        state[name] = values.reshape(like.shape)
    vad.load_state_dict(state)
    return vad.eval()


def _speech(probabilities: np.ndarray) -> tuple[int, list[Pause]]:
    """The window with which speech begins, and the pauses after it: the rule of lib/live/turn-taker.ts."""
    found, run, certain, stop = [], None, False, None
    for window, p in enumerate(probabilities):
        speaks = p >= THRESHOLD / 2
        if stop is None:  # nobody has spoken yet
            run = (window if run is None else run) if speaks else None
            certain = speaks and (certain or p >= THRESHOLD)
            if certain and (window + 1 - run) * WINDOW >= SHORTEST * SAMPLE_RATE:
                stop = window + 1
        elif speaks:
            if stop < window:
                found.append(Pause(stop * WINDOW, window * WINDOW))
            stop = window + 1
    return run or 0, found + ([Pause(stop * WINDOW, None)] if stop is not None else [])


def pauses(probabilities: np.ndarray) -> list[Pause]:
    """The pauses of a turn, the last of which has no end; none if nobody speaks."""
    return _speech(probabilities)[1]


def speech_start(probabilities: np.ndarray) -> int:
    """The sample at which the speech begins."""
    return _speech(probabilities)[0] * WINDOW


def speech_end(wave: np.ndarray, before: float) -> float:
    """Seconds to the end of the last 10 ms, before a time, that are 12 dB above the background and within 35 dB of the loud ones."""
    hop = SAMPLE_RATE // 100
    frames = wave[: min(len(wave), int(before * SAMPLE_RATE)) // hop * hop].reshape(-1, hop)
    level = 10 * np.log10((frames**2).mean(1) + 1e-10)
    loud = np.flatnonzero(level > max(np.percentile(level, 5) + 12, np.percentile(level, 95) - 35))
    return (loud[-1] + 1) / 100 if len(loud) else before


def continued(wave: np.ndarray, end: float) -> np.ndarray:
    """The wave with its background after the end played back and forth, so that AFTER seconds of it follow; faint noise where there is none."""
    cut = int((end + 0.08) * SAMPLE_RATE)
    background = wave[cut:]
    if len(background) < SAMPLE_RATE // 20:
        background = np.random.default_rng(len(wave)).standard_normal(SAMPLE_RATE).astype(np.float32) * 1e-4
    there_and_back = np.concatenate([background, background[::-1]])
    needed = int(AFTER * SAMPLE_RATE)
    return np.concatenate([wave[:cut], np.tile(there_and_back, needed // len(there_and_back) + 1)[:needed]])


def lengthened(turn: Turn, least: int = 3, draw: int = 0) -> Turn | None:
    """The turn with longer pauses; None if it has none of `least` windows or more. Other draws have other lengths."""
    inner = [pause for pause in pauses(turn.probabilities)[:-1] if pause.resume - pause.stop >= least * WINDOW and pause.resume < turn.end * SAMPLE_RATE]
    if not inner:
        return None
    rng, parts, at, end = np.random.default_rng(crc32(f"{turn.id}{draw or ''}".encode())), [], 0, turn.end
    for pause in inner:
        seconds = float(np.clip(np.exp(rng.normal(np.log(0.6), 0.6)), 0.25, 2.0))
        added = int(seconds * SAMPLE_RATE) - (pause.resume - pause.stop)
        if added <= 0:
            continue
        middle = (pause.stop + pause.resume) // 2
        background = turn.wave[middle - WINDOW // 2 : middle + WINDOW // 2]
        parts += [turn.wave[at:middle], np.resize(np.concatenate([background[::-1], background]), added)]
        at, end = middle, end + added / SAMPLE_RATE
    wave = np.concatenate([*parts, turn.wave[at:]])
    return Turn(f"{turn.id}+{draw or ''}", turn.corpus, turn.lang, turn.split, lambda: wave, end, lengthened=True, wave=wave)


def checksum(text: str) -> int:
    return crc32(text.encode()) % 20


def by_checksum(text: str) -> str:
    """A quarter for the test, a tenth to choose by."""
    value = checksum(text)
    return "test" if value < 5 else "valid" if value < 7 else "train"


def voice_groups(folder: Path) -> dict[str, int]:
    """Clusters of voices of the recordings in a folder, by id: made once, then read from $MOSS_RUNS/endpoint."""
    kept = runs_folder() / "endpoint" / f"voices-{folder.name}.json"
    if not kept.exists():
        sys.modules.setdefault("pkg_resources", SimpleNamespace(get_distribution=lambda name: SimpleNamespace(version="")))  # webrtcvad wants it of old setuptools
        from resemblyzer import VoiceEncoder
        from sklearn.cluster import AgglomerativeClustering

        rows = list(manifest_rows(folder))
        encoder = VoiceEncoder("cpu", verbose=False)
        vectors = np.stack([encoder.embed_utterance(decode(str(folder / row["file"]))) for row in rows])
        labels = AgglomerativeClustering(None, distance_threshold=0.08, metric="cosine", linkage="average").fit_predict(vectors)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({row["id"]: int(label) for row, label in zip(rows, labels)}), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def _file(folder: Path, row: dict) -> Callable[[], np.ndarray]:
    return lambda: decode(str(folder / row["file"]))


def _coffee() -> Iterator[Turn]:
    folder = data_folder() / "en-coffee"
    groups = voice_groups(folder)
    for row in manifest_rows(folder):
        yield Turn(f"en-coffee/{row['id']}", "en-coffee", "en", by_checksum(f"voice {groups[row['id']]}"), _file(folder, row))


def _kathleen() -> Iterator[Turn]:
    folder, said = data_folder() / "en-kathleen", set()
    for row in manifest_rows(folder):
        if row["text"] not in said:  # each was said up to three times
            said.add(row["text"])
            yield Turn(f"en-kathleen/{row['id']}", "en-kathleen", "en", by_checksum(row["text"]), _file(folder, row))


def _digits() -> Iterator[Turn]:
    """Numbers of three to ten digits in groups, 30 to 120 ms between digits and 150 to 600 ms between groups."""
    folder = data_folder() / "en-digits"
    clips: dict[str, list[np.ndarray]] = {}
    for row in manifest_rows(folder):
        wave = decode(str(folder / row["file"]))
        clips.setdefault(row["speaker"], []).append(wave[: int(speech_end(wave, len(wave) / SAMPLE_RATE) * SAMPLE_RATE)])
    for speaker, waves in sorted(clips.items()):
        rng = np.random.default_rng(crc32(speaker.encode()))
        for n in range(60):
            groups = [(3, 3, 4), (3, 4), (3,), (4,), (2, 2), (3, 3)][rng.integers(6)]
            parts = [np.zeros(SAMPLE_RATE // 4, np.float32)]
            for g, size in enumerate(groups):
                for d in range(size):
                    parts.append(waves[rng.integers(len(waves))])
                    last = d + 1 == size
                    gap = 0.0 if last and g + 1 == len(groups) else rng.uniform(0.15, 0.6) if last else rng.uniform(0.03, 0.12)
                    parts.append(np.zeros(int(gap * SAMPLE_RATE), np.float32))
            wave = np.concatenate(parts)
            noise = np.random.default_rng(n).standard_normal(len(wave) + SAMPLE_RATE // 2).astype(np.float32) * 1e-3
            noise[: len(wave)] += wave
            split = speakers.split("en-digits", speaker)
            yield Turn(f"en-digits/{speaker}-{n}", "en-digits", "en", "valid" if split == "train" and n >= 48 else split, lambda noise=noise: noise, len(wave) / SAMPLE_RATE)


def _teacher() -> Iterator[Turn]:
    folder, punctuation = data_folder() / "teacher", set(" ,.;:!?…—\"'“”()")
    for row in manifest_rows(folder):
        phonemes, ends = row["phonemes"], np.cumsum(row["durations"]) * 0.025
        words = [float(ends[i + 1]) for i, (p, after) in enumerate(zip(phonemes, phonemes[1:])) if p not in punctuation and after in punctuation]
        split = "valid" if checksum(row["text"]) in (5, 6) else "train"
        yield Turn(f"teacher/{row['id']}", f"teacher-{row['lang']}", row["lang"], split, _file(folder, row), words=words[:-1])


def _spoken() -> Iterator[Turn]:
    folder = runs_folder() / "endpoint" / "spoken"
    for row in manifest_rows(folder):
        complete = row["kind"] == "sentence"
        yield Turn(f"spoken/{row['id']}", f"spoken-{row['lang']}", row["lang"], row["split"], _file(folder, row), complete=complete)


READERS = {"en-coffee": _coffee, "en-kathleen": _kathleen, "en-digits": _digits, "teacher": _teacher, "spoken": _spoken}


class Speech:
    """What the voice activity network of a bundle says of turns, kept in a file."""

    def __init__(self, bundle: Path, kept: Path):
        self.vad, self.kept, self.fresh = load_vad(bundle), kept, False
        self.known: dict[str, np.ndarray] = dict(np.load(kept)) if kept.exists() else {}

    def of(self, name: str, wave: Callable[[], np.ndarray]) -> np.ndarray:
        if name not in self.known:
            self.known[name], self.fresh = self.vad(torch.from_numpy(wave())).numpy(), True
        return self.known[name]

    def find(self, turn: Turn) -> None:
        """Sets the end of the turn, continues its background and sets its probabilities."""
        wave = turn.read()
        if not turn.end:
            found = pauses(self.of(f"{turn.id} alone", lambda: wave))
            stop = (found[-1].stop if found else len(wave)) / SAMPLE_RATE
            turn.end = speech_end(wave, stop + 0.05)
        turn.wave = continued(wave, turn.end)
        turn.probabilities = self.of(turn.id, lambda: turn.wave)

    def save(self) -> None:
        if self.fresh:
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self.kept, **self.known)


@torch.no_grad()
def turns(bundle: Path, corpora: tuple[str, ...] = tuple(READERS), splits: tuple[str, ...] = ("train", "valid", "test")) -> Iterator[Turn]:
    """The turns of some corpora, first as recorded, then lengthened. What the bundle's voice activity network says is kept in $MOSS_RUNS/endpoint."""
    for corpus in corpora:
        speech = Speech(bundle, runs_folder() / "endpoint" / f"speech-{corpus}.npz")
        for turn in READERS[corpus]():
            if turn.split not in splits:
                continue
            speech.find(turn)
            found = pauses(turn.probabilities)
            if not found or abs(found[-1].stop / SAMPLE_RATE - turn.end) > DOUBT:
                continue
            yield turn
            train = turn.split == "train"  # of people's pauses there are few: shorter ones, and several times
            for draw in range(1, 1 + DRAWS) if train and corpus.startswith("en-") else (0,):
                if turn.complete and (longer := lengthened(turn, 2 if train else 3, draw)):
                    longer.probabilities = speech.of(longer.id, lambda: longer.wave)
                    yield longer
        speech.save()
