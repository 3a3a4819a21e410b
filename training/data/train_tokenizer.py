"""Trains nano's tokenizer: byte-level BPE over the dialogue domain and the corpora. Writes tokenizer.json beside this file.

    python -m training.data.train_tokenizer

2,048 ids: 5 special, 256 bytes, the rest merges. Any text can be written; what nano says is written in few tokens.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from ..folders import data_folder
from .domain import LANGUAGES, Domain, number_reply
from .template import TOKENIZER

VOCABULARY = 2048
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|sosp|>", "<|modality_pad|>", "<|pad|>"]


def texts(items: int = 30000) -> Iterator[str]:
    rng, domain = random.Random(7), Domain("train")
    for _ in range(items):
        item = domain.sample(rng)
        yield item.user
        yield item.user.rstrip(".?!。？！").lower()
        yield item.reply
    for lang in LANGUAGES:
        for n in range(101):
            yield from [number_reply(n, lang)] * 20
    yield from ["user\n", "assistant\n", "transcribe\n"] * 2000
    for corpus in ("teacher", "en-kathleen", "zh-words"):
        path = data_folder() / corpus / "manifest.jsonl"
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                yield json.loads(line)["text"]


def main() -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), max_token_length=12, show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    if tokenizer.get_vocab_size() != VOCABULARY:
        raise ValueError(f"the texts gave {tokenizer.get_vocab_size()} ids, not {VOCABULARY}")
    tokenizer.save(str(TOKENIZER), pretty=False)
    for text in ("<|im_end|>\n<|im_start|>assistant\n", "Okay, the kitchen light is on.", "好的，厨房的灯打开了。", "我听到的是 ni3 hao3，第三声，第三声。", "You said forty-two."):
        ids = tokenizer.encode(text).ids
        print(len(ids), [tokenizer.decode([i]) for i in ids], tokenizer.decode(ids, skip_special_tokens=False) == text)


if __name__ == "__main__":
    main()
