"""Training sequences of the aligner and the language model: turns of the dialogue domain, typed, spoken and spliced.

Speech enters as the frozen encoder's states: of recordings (cached once, the augmented copy beside the clean one) and of
sentences spliced from them (`data/splice.py`). No clip of an unlisted or a test speaker is drawn, and no question that is held out
(`data/held_out.py`), however it came about.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from ..data import domain, g2p
from ..data.augment import Augment, resample
from ..data.corpora import TRAINED, split_of
from ..data.domain import Domain, Item
from ..data.prepare import AudioStore
from ..data.splice import SpliceBank
from ..data.template import IGNORE, Positions, Template
from ..data.units import AUDIO_PAD, text_to_ids
from ..encoder.encode import encode
from ..encoder.speech_encoder import SpeechEncoder

POSITION_FRAMES = 4  # encoder frames of one position of the aligner
ANSWERED = {"en-digits", "en-words", "en-wake", "zh-words", "zh-syllables"}  # recordings that are a user's whole turn
# Times that a user's turn is encoded, all but the first degraded and resampled: most for short recordings of few people, where copies stand in for more.
COPIES = {"en-digits": 6, "en-words": 6, "domain-user": 3, "domain-words": 2, "domain-digits": 2}  # else 1
RECORDED_SHARE = {"number": 3, "digit": 2, "home": 4}  # how often a recording of that kind is drawn; else 1
TALKING = {"teacher", "en-kathleen", "en-coffee"}  # sentences of anything: to be repeated, transcribed, or not understood


@dataclass
class Spoken:
    """A clip, the question that it is (None for a sentence of anything), and its encoder states [T, E] in float16: clean, then degraded."""

    record: dict[str, Any]
    item: Item | None
    states: list[np.ndarray]


def item_of(record: dict[str, Any]) -> Item | None:
    """The domain's question and answer that a clip is, or None."""
    lang, text, meta = record["lang"], record.get("text", ""), record.get("meta", {})
    if "reply" in meta and meta.get("kind") != "reply":
        return Item(lang, text, meta["reply"], meta["kind"], meta.get("slots", {}))
    if record["corpus"] in ANSWERED:
        pinyin = record.get("pinyin", "")
        kind = "number" if record["corpus"] == "en-digits" else "word"
        return Item(lang, text or pinyin, domain.reply_to(lang, text, pinyin), kind)
    return None


class Copies(Dataset):
    """Waves of clips by (index in the store, copy): as they are, then each time degraded anew and resampled."""

    def __init__(self, store: AudioStore, wanted: list[tuple[int, int]]):
        self.store, self.wanted = store, wanted
        trained = [i for i, r in enumerate(store.records) if r["split"] in TRAINED]
        noises = [i for i in trained if store.records[i]["corpus"] in ("en-wake", "en-kathleen")] or trained
        self.augment = Augment(lambda rng: store.audio(noises[rng.integers(len(noises))]))

    def __len__(self) -> int:
        return len(self.wanted)

    def __getitem__(self, at: int) -> np.ndarray:
        i, copy = self.wanted[at]
        wave, rng = self.store.audio(i), np.random.default_rng([i, copy])
        if copy == 0:
            return wave
        if not self.store.records[i].get("durations"):  # alignments must stay true
            wave = resample(wave, rng.uniform(0.85, 1.2))
        return self.augment(wave, float(wave.std()), rng)


def encode_clips(model: SpeechEncoder, store: AudioStore, chosen: list[int], copies: dict[str, int], workers: int = 0) -> list[Spoken]:
    """Encodes the chosen records; users' turns of a corpus so many times, else once."""
    spoken = {i: Spoken(store.records[i], item_of(store.records[i]), []) for i in chosen}
    wanted = [(i, copy) for i, s in spoken.items() for copy in range(copies.get(s.record["corpus"], 1) if s.item else 1)]
    for part, waves in enumerate(DataLoader(Copies(store, wanted), batch_size=256, num_workers=workers, collate_fn=list)):
        states = dict(encode(model, waves, bf16=True))
        for k, (i, _) in enumerate(wanted[256 * part : 256 * (part + 1)]):
            spoken[i].states.append(states[k].hidden.astype(np.float16))
        if part % 20 == 0:
            print(f"encoded {256 * part + len(waves)} of {len(wanted)} clips", flush=True)
    return list(spoken.values())


def whole_rows(hidden: np.ndarray) -> np.ndarray:
    """Frames up to whole positions of the aligner."""
    return hidden[: len(hidden) // POSITION_FRAMES * POSITION_FRAMES]


class Turns:
    """Draws training sequences of one to three turns."""

    def __init__(
        self, template: Template, spoken: list[Spoken], rng: random.Random, max_positions: int = 320, transcribed: float = 0.12,
        kinds: dict[str, float] | None = None, typed: float = 0.22, copied: float = 0.02,
    ):  # fmt: skip
        self.template, self.rng, self.max_positions, self.transcribed, self.typed, self.copied = template, rng, max_positions, transcribed, typed, copied
        self.ordinary = sorted(set(range(template.tokenizer.get_vocab_size())) - set(template.special.values()))
        self.domain = Domain("train", domain.KINDS | (kinds or {}))
        self.bank = SpliceBank()
        self.said: dict[str, list[Spoken]] = {}  # clips that are a user's turn, by language and kind
        self.others: dict[str, list[Spoken]] = {"en": [], "zh": []}
        for s in (s for s in spoken if split_of(s.record) in TRAINED):  # once more: states may be older than the lists
            record = s.record
            if record.get("durations"):
                for hidden in s.states:
                    self.bank.add(hidden, record["ids"], record["durations"], record.get("lead", 0))
            if s.item is not None:
                kind = "digit" if record["corpus"].endswith("-digits") else s.item.kind
                self.said.setdefault(f"{s.item.lang}.{kind}", []).append(s)
            elif record["corpus"] in TALKING:
                self.others[record["lang"]].append(s)

    def _recorded(self) -> tuple[np.ndarray, Item]:
        kinds = list(self.said)
        s = self.rng.choice(self.said[self.rng.choices(kinds, [RECORDED_SHARE.get(kind.split(".")[1], 1) for kind in kinds])[0]])
        return self.rng.choice(s.states), s.item

    def _repeat(self) -> tuple[np.ndarray, Item] | None:
        """"Repeat after me", spliced, then somebody's sentence as it was said."""
        s = self.rng.choice(self.others[self.rng.choice(("en", "zh"))])
        record = s.record
        if len(record["ids"]) > 45:
            return None
        frame = self.rng.choice(domain.repeat_frames(record["lang"]))
        if not frame.endswith("{x}"):
            return None
        command = self.bank.splice(text_to_ids(g2p.to_symbols(frame.removesuffix("{x}"), record["lang"])), self.rng)
        if command is None:
            return None
        item = domain.repeat_item(frame, record["text"], record["lang"])
        return (np.concatenate([command, self.rng.choice(s.states)]), item) if item.split == "train" else None

    def _spliced(self) -> tuple[np.ndarray, Item] | None:
        item = self.domain.sample(self.rng)
        hidden = self.bank.splice(text_to_ids(item.user_units), self.rng)
        return None if hidden is None else (hidden, item)

    def _noise(self, hidden: np.ndarray) -> np.ndarray:
        """A little noise and short gaps, so that the language model does not trust single frames; and whole positions.

        The encoder hears its training speakers better than others: states of theirs are too clean without this.
        """
        hidden = hidden.astype(np.float32)
        noise = np.random.default_rng(self.rng.getrandbits(32))
        if self.rng.random() < 0.5:
            hidden += noise.normal(0, 0.1 * hidden.std(), hidden.shape).astype(np.float32)
        if self.rng.random() < 0.4:
            mean = hidden.mean(0)
            for _ in range(1 + len(hidden) // 100):
                start = self.rng.randrange(len(hidden))
                hidden[start : start + self.rng.randint(1, 4)] = mean
        shift = self.rng.randrange(POSITION_FRAMES)  # where the positions' borders fall is chance
        return whole_rows(np.concatenate([np.repeat(hidden[:1], shift, 0), hidden]) if shift else hidden)

    def _typed(self, text: str) -> str:
        roll = self.rng.random()
        if roll < 0.3:
            text = text.rstrip(".!?。！？")
        if roll < 0.15:
            text = text.lower()
        elif 0.3 < roll < 0.4:
            text = re.sub(r"[,，]", "", text)
        return text

    def _copy(self, positions: Positions) -> None:
        """Random ids to be written again: only copying writes them. Few different ones one after another want a long look back."""
        before, after = self.rng.choice(domain.repeat_frames(self.rng.choice(domain.LANGUAGES))).split("{x}")
        alphabet = self.rng.sample(self.ordinary, self.rng.choice((8, 32, 128)))
        ids = self.rng.choices(alphabet, k=self.rng.randint(2, 40))
        positions.user(text=[*self.template.encode(before), *ids, *self.template.encode(after)]).reply(ids)

    def turn(self, positions: Positions) -> None:
        """Appends one turn, or nothing where the draw came to nothing."""
        if self.rng.random() < self.copied:
            return self._copy(positions)
        if not self.bank.frames or self.rng.random() < self.typed:
            item = self.domain.sample(self.rng)
            self._answer(positions.user(text=self.template.encode(self._typed(item.user))), item)
            return
        roll = self.rng.random()
        if roll < 0.44:
            drawn = self._recorded()
        elif roll < 0.56:
            drawn = self._repeat()
        elif roll < 0.66:
            s = self.rng.choice(self.others[self.rng.choice(("en", "zh"))])
            if len(s.record["ids"]) < 60:
                text = self.template.encode(s.record["text"])
                positions.user(hidden=self._noise(self.rng.choice(s.states)), words=text, transcribe=True).reply(text)
            return
        else:
            drawn = self._spliced()
        if drawn is None:
            return
        hidden, item = drawn
        text, transcribe = self.template.encode(item.user), self.rng.random() < self.transcribed
        positions.user(hidden=self._noise(hidden), words=text, transcribe=transcribe)
        if transcribe:
            positions.reply(text)
        else:
            self._answer(positions, item)

    def _answer(self, positions: Positions, item: domain.Item) -> None:
        units = text_to_ids(item.reply_units) if self.rng.random() < 0.65 else None
        positions.reply(self.template.encode(item.reply), units)

    def sequence(self) -> Positions:
        while True:
            positions = Positions(self.template)
            for _ in range(self.rng.choice((1, 1, 1, 1, 1, 2, 3))):
                self.turn(positions)
            if 0 < len(positions) <= self.max_positions:
                return positions

    def batches(self, positions_a_batch: int, pool: int = 4) -> Iterator[list[Positions]]:
        """Endless batches of sequences of like length, about positions_a_batch positions each, padding included; `pool` are drawn at once."""
        while True:
            sequences: list[Positions] = []
            while sum(map(len, sequences)) < pool * positions_a_batch:
                sequences.append(self.sequence())
            sequences.sort(key=len)
            batches: list[list[Positions]] = [[]]
            for positions in sequences:
                if batches[-1] and (len(batches[-1]) + 1) * len(positions) > positions_a_batch:
                    batches.append([])
                batches[-1].append(positions)
            self.rng.shuffle(batches)
            yield from batches


def collate(batch: list[Positions], pad: int) -> dict[str, Any]:
    """text, audio, text_target, audio_target [B, T]; states: all spoken turns' frames, one after the other, with their places."""
    length = max(map(len, batch))

    def grid(values: list[list[int]], fill: int) -> torch.Tensor:
        return torch.tensor([v + [fill] * (length - len(v)) for v in values])

    states, places, turns = [], [], []
    for b, positions in enumerate(batch):
        for start, hidden, words in positions.speech:
            states.append(torch.from_numpy(np.ascontiguousarray(hidden, np.float32)))
            turn = torch.stack([torch.full((len(hidden) // POSITION_FRAMES,), b), torch.arange(start, start + len(hidden) // POSITION_FRAMES)], 1)
            places.append(turn)
            if words:
                turns.append((turn, words))
    return {
        "text": grid([r.text for r in batch], pad),
        "audio": grid([r.audio for r in batch], AUDIO_PAD),
        "text_target": grid([r.text_target for r in batch], IGNORE),
        "audio_target": grid([r.audio_target for r in batch], IGNORE),
        "states": torch.cat(states)[None] if states else None,  # [1, 4 T, E]: positions do not look at each other
        "places": torch.cat(places) if places else None,  # [R, 2]
        "turns": pad_sequence([turn for turn, _ in turns]) if turns else None,  # [R, N, 2], the places of each spoken turn
        "turn_lengths": torch.tensor([len(turn) for turn, _ in turns]),
        "words": torch.tensor([word for _, words in turns for word in words]),  # concatenated
        "word_counts": torch.tensor([len(words) for _, words in turns]),
    }
