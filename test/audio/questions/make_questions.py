"""Makes the fixed set of spoken questions that test/hearing.test.ts asks nano: the recordings beside this file and manifest.json.

    MOSS_DATA=data MOSS_RUNS=runs python test/audio/questions/make_questions.py    # needs training/requirements.txt and the corpus en-digits

Who speaks was never trained on: six voices of the teacher that are kept for tests (training/data/voices.py) and two people of the digits' four.
The questions were drawn once, at random, from the held-out phrasings of the dialogue domain (training/data/domain.py, seed 20260), and written
down here before any of them was answered; those that 400,000 draws of the training set contain in the same words were left out of the draw.
The digits are those whose names have the lowest checksums, the one of examples/audio left out.

The set is small and is looked at by every run of the tests: it notices that nano has stopped hearing, and measures nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from zlib import crc32

import numpy as np
import soundfile

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[2]))

from training.data.domain import number_reply  # noqa: E402
from training.data.g2p import to_phonemes, to_symbols  # noqa: E402
from training.data.teacher import SAMPLE_RATE, Teacher  # noqa: E402
from training.encoder.examples import spoken  # noqa: E402
from training.folders import data_folder  # noqa: E402

TEACHER = {"licence": "Apache-2.0", "source": "made with Kokoro-82M v1.0"}
DIGITS = {"licence": "CC-BY-SA-4.0", "source": "Free Spoken Digit Dataset, Zohar Jackson and others, github.com/Jakobovski/free-spoken-digit-dataset"}
OPUS_LEVEL = 0.9  # of libsndfile's compression: about 25 kbit/s
PEOPLE = ("theo", "nicolas")
DIGITS_EACH = 4
QUESTIONS = [  # language, kind, voice, question, the one right answer
    ("en", "home", "af_nova", "Now run the bathroom fan, would you.", "Okay, the bathroom fan is on."),
    ("en", "home", "am_echo", "Draw the curtains.", "Okay, the curtains are closed."),
    ("en", "home", "bf_isabella", "Can you lower the music in the bedroom?", "Okay, the bedroom music is turned down."),
    ("en", "home", "bm_lewis", "In the bedroom, turn up the music.", "Okay, the bedroom music is turned up."),
    ("en", "home", "af_nova", "Study television down.", "Okay, the study TV is turned down."),
    ("en", "home", "am_echo", "Can you please turn the hallway air conditioner up a bit, would you?", "Okay, the hallway air conditioner is turned up."),
    ("en", "home", "bf_isabella", "Could you switch off the air conditioner in the living room, would you?", "Okay, the living room air conditioner is off."),
    ("en", "number", "bm_lewis", "Number ten.", "You said ten."),
    ("en", "number", "af_nova", "Number nine.", "You said nine."),
    ("en", "number", "am_echo", "I am thinking of two.", "You said two."),
    ("en", "number", "bf_isabella", "My number is fifty-nine.", "You said fifty-nine."),
    ("en", "talk", "bm_lewis", "Time for bed.", "Good night, sleep well."),
    ("en", "talk", "af_nova", "Which languages do you speak?", "I speak English and Chinese."),
    ("en", "talk", "am_echo", "You are very nice.", "That is very kind of you."),
    ("zh", "home", "zf_xiaoyi", "现在把浴室的台灯关了。", "好的，浴室的台灯关掉了。"),
    ("zh", "home", "zm_yunxia", "电视调大，可以吗？", "好的，电视调大了。"),
    ("zh", "home", "zf_xiaoyi", "台灯弄亮，好不好？", "好的，台灯调亮了。"),
    ("zh", "home", "zm_yunxia", "请你把车库的台灯调亮吧。", "好的，车库的台灯调亮了。"),
    ("zh", "home", "zf_xiaoyi", "我要关掉阳台暖气吧。", "好的，阳台的暖气关掉了。"),
    ("zh", "home", "zm_yunxia", "我想关空调吧。", "好的，空调关掉了。"),
    ("zh", "home", "zf_xiaoyi", "我要关阳台的电视好吗？", "好的，阳台的电视关掉了。"),
    ("zh", "number", "zm_yunxia", "我觉得是五十七。", "你说的是五十七。"),
    ("zh", "number", "zf_xiaoyi", "数字七十五。", "你说的是七十五。"),
    ("zh", "number", "zm_yunxia", "我觉得是十一。", "你说的是十一。"),
    ("zh", "number", "zf_xiaoyi", "我觉得是九。", "你说的是九。"),
    ("zh", "talk", "zm_yunxia", "我好无聊。", "听你这么说，我很难过。"),
    ("zh", "talk", "zf_xiaoyi", "哈喽。", "你好！有什么可以帮你？"),
    ("zh", "talk", "zm_yunxia", "感谢。", "不客气。"),
]


def row(file: str, lang: str, kind: str, speaker: str, text: str, reply: str, source: dict[str, str]) -> dict[str, str]:
    """`said` and `units`: the question's and the answer's phonemes and tones, without stress, pauses and word borders."""
    units = {"said": spoken(to_symbols(text, lang)), "units": spoken(to_symbols(reply, lang))}
    return {"file": file, "lang": lang, "kind": kind, "speaker": speaker, "text": text, "reply": reply, **units, **source}


def synthesized() -> list[dict[str, str]]:
    teacher, rows = Teacher(), []
    for i, (lang, kind, voice, text, reply) in enumerate(QUESTIONS):
        speech = teacher.speak(to_phonemes(text, lang, british=voice[0] == "b"), voice, 1.0)
        file = f"{lang}-{kind}-{i:02d}.opus"
        soundfile.write(FOLDER / file, np.clip(speech.audio, -1, 1), SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=OPUS_LEVEL)
        rows.append(row(file, lang, kind, voice, text, reply, TEACHER))
    return rows


def recorded() -> list[dict[str, str]]:
    folder, rows = data_folder() / "en-digits", []
    with open(folder / "manifest.jsonl", encoding="utf-8") as manifest:
        digits = [json.loads(line) for line in manifest]
    for speaker in PEOPLE:
        his = [d for d in digits if d["speaker"] == speaker and d["id"] != "7_theo_0"]
        for digit in sorted(his, key=lambda d: crc32(d["id"].encode()))[:DIGITS_EACH]:
            file = f"en-digit-{digit['id']}.flac"
            (FOLDER / file).write_bytes((folder / digit["file"]).read_bytes())
            number = int(digit["id"].split("_")[0])
            rows.append(row(file, "en", "digit", speaker, digit["text"], number_reply(number, "en"), DIGITS))
    return rows


if __name__ == "__main__":
    for path in (*FOLDER.glob("*.opus"), *FOLDER.glob("*.flac")):
        path.unlink()
    rows = synthesized() + recorded()
    lines = ",\n".join("  " + json.dumps(r, ensure_ascii=False) for r in rows)
    (FOLDER / "manifest.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    size = sum((FOLDER / r["file"]).stat().st_size for r in rows)
    print(f"{len(rows)} recordings, {size / 1000:.0f} kB")
