"""How a conversation is laid out in positions of (text id, audio id): ChatML turns, as the official checkpoint's.

    <|im_start|>user\n  X  <|im_end|>\n<|im_start|>assistant\n  REPLY  <|im_end|>\n

X is the aligner's embeddings or the text's tokens. A spoken reply is (sosp, pad), (modality_pad, unit)…, (modality_pad, eosp), then the
text of what was said; a written one is the text alone. The role `transcribe` in place of `user` asks for the text of X itself.
The same strings travel in the GGUF as ids (`moss-speech.template.*`), so that no other code spells them.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from .units import AUDIO_PAD, EOSP

TOKENIZER = Path(__file__).with_name("tokenizer.json")
IGNORE = -100  # a target that counts for nothing


class Template:
    def __init__(self, path: Path = TOKENIZER):
        self.tokenizer = Tokenizer.from_file(str(path))
        special = {name: self.tokenizer.token_to_id(f"<|{name}|>") for name in ("im_start", "im_end", "sosp", "modality_pad", "pad")}
        if missing := [name for name, token in special.items() if token is None]:
            raise ValueError(f"{path}: the tokenizer lacks {missing}")
        self.special: dict[str, int] = special
        self.strings = {
            "user_prefix": self.encode("<|im_start|>user\n"),
            "transcribe_prefix": self.encode("<|im_start|>transcribe\n"),
            "assistant_prefix": self.encode("<|im_end|>\n<|im_start|>assistant\n"),
            "turn_end": self.encode("<|im_end|>\n"),
        }

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids)


class Positions:
    """One training sequence: positions, the places that the aligner takes, and the targets of both heads."""

    def __init__(self, template: Template):
        self.template = template
        self.text: list[int] = []
        self.audio: list[int] = []
        self.text_target: list[int] = []
        self.audio_target: list[int] = []
        self.speech: list[tuple[int, object, list[int]]] = []  # (first position, hidden states [4 T, E], the words in them)

    def _position(self, text: int, audio: int = AUDIO_PAD, text_target: int = IGNORE, audio_target: int = IGNORE) -> None:
        self.text.append(text)
        self.audio.append(audio)
        self.text_target.append(text_target)
        self.audio_target.append(audio_target)

    def user(self, text: list[int] | None = None, hidden=None, words: list[int] | None = None, transcribe: bool = False) -> "Positions":
        """`text` is typed; `hidden` is spoken, and `words` are what it says."""
        for token in self.template.strings["transcribe_prefix" if transcribe else "user_prefix"]:
            self._position(token)
        if hidden is not None:
            self.speech.append((len(self.text), hidden, words or []))
            for _ in range(len(hidden) // 4):
                self._position(self.template.special["pad"])
        for token in text or []:
            self._position(token)
        return self

    def reply(self, text: list[int], units: list[int] | None = None) -> "Positions":
        """`units`: what is spoken before the text; None for a written reply."""
        special = self.template.special
        for token in self.template.strings["assistant_prefix"]:
            self._position(token)
        text = [*text, special["im_end"]]
        if units is not None:
            self._position(special["sosp"], audio_target=units[0])
            for unit, target in zip(units, [*units[1:], EOSP]):
                self._position(special["modality_pad"], unit, audio_target=target)
            self._position(special["modality_pad"], EOSP)
        self.text_target[-1] = text[0]
        for token, target in zip(text, text[1:]):
            self._position(token, text_target=target)
        for token in self.template.strings["turn_end"]:
            self._position(token)
        return self

    def __len__(self) -> int:
        return len(self.text)
