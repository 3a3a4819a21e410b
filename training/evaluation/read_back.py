"""The judge of scripts/say-read-back.mjs: whisper-base writes recordings down.

Reads {"sentences": [{"text", "wav"}, …]} from standard input and prints the same with "heard", "errors" and "words" of each sentence, the
word error rate over all ("wer"), its 95 % interval, and how many words that is. Needs training/requirements.txt.
"""

from __future__ import annotations

import json
import sys

import soundfile
import soxr

from ..data.asr_judge import Judge, normalise
from ..data.edit_distance import distance
from .judging import error_interval


def main() -> None:
    sentences = json.load(sys.stdin)["sentences"]
    judge = Judge()
    for sentence in sentences:
        audio, rate = soundfile.read(sentence["wav"], dtype="float32")
        sentence["heard"] = judge.read(soxr.resample(audio, rate, 16000), "en")
        want, got = normalise(sentence["text"], "en"), normalise(sentence["heard"], "en")
        sentence |= {"errors": distance(want, got), "words": len(want)}
    pairs = [(sentence["errors"], sentence["words"]) for sentence in sentences]
    errors, words = (sum(column) for column in zip(*pairs))
    json.dump({"wer": errors / words, "interval": error_interval(pairs), "errors": errors, "words": words, "sentences": sentences}, sys.stdout)


if __name__ == "__main__":
    main()
