"""Trains nano's tokenizer: byte-level BPE over the dialogue domain and the corpora. Writes tokenizer.json beside this file.

    python -m training.data.train_tokenizer
    python -m training.data.train_tokenizer --extend    # the characters alone, onto the tokenizer.json that is there

5,000 ids: 5 special, 256 bytes, merges up to 2,048, then the commonest Chinese characters that none of them holds. Any text can be written; what nano
says is written in few tokens, and a character's sound is learned for it, not for three bytes.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from itertools import islice

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from ..folders import data_folder
from . import held_out
from .corpora import manifest_rows
from .domain import LANGUAGES, Domain, number_reply
from .mandarin import characters
from .template import TOKENIZER

MERGED, VOCABULARY = 2048, 5000
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
        for row in manifest_rows(data_folder() / corpus):
            if held_out.split_of(row["lang"], "", row["text"]) == "train":
                yield row["text"]


def add_characters(tokenizer: Tokenizer) -> None:
    """Up to VOCABULARY ids; a character in some token is left to the merges, which write it shorter."""
    held = {character for i in range(tokenizer.get_vocab_size()) for character in tokenizer.decode([i])}
    absent = (character for character in characters() if character not in held)
    tokenizer.add_tokens([AddedToken(character, normalized=False) for character in islice(absent, VOCABULARY - tokenizer.get_vocab_size())])


def trained() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=MERGED, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), max_token_length=12, show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extend", action="store_true")
    tokenizer = Tokenizer.from_file(str(TOKENIZER)) if parser.parse_args().extend else trained()
    add_characters(tokenizer)
    if tokenizer.get_vocab_size() != VOCABULARY:
        raise ValueError(f"the texts gave {tokenizer.get_vocab_size()} ids, not {VOCABULARY}")
    tokenizer.save(str(TOKENIZER), pretty=False)
    for text in ("<|im_end|>\n<|im_start|>assistant\n", "Okay, the kitchen light is on.", "好的，厨房的灯打开了。", "我听到的是 ni3 hao3，第三声，第三声。", "跟我说：捕鲸鱼。", "You said forty-two."):
        ids = tokenizer.encode(text).ids
        print(len(ids), [tokenizer.decode([i]) for i in ids], tokenizer.decode(ids, skip_special_tokens=False) == text)


if __name__ == "__main__":
    main()
