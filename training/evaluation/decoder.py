"""What the decoder says, read back: `python -m training.evaluation.decoder latest.pt`. Predicted durations and prosody, named voices."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from ..data.asr_judge import Judge
from ..data.g2p import to_symbols
from ..data.prepare import AudioStore
from ..data.units import SPACE, text_to_ids
from ..data.voices import DEFAULT_VOICE, voice_vector
from ..decoder.examples import HOP, held_out, load_corpus
from ..decoder.losses import Spectra
from ..folders import runs_folder
from ..loop.checkpoint import load
from ..networks.config import DecoderConfig
from ..networks.vits import Decoder
from .judging import read_back_errors

SENTENCES = {
    "en": [
        "You said seven.", "You said forty-two.", "Hello! How can I help you?", "The kitchen lights are on now.", "I turned off the fan in the bedroom.",
        "The music is louder now.", "Good morning! Nice to hear you.", "I closed the curtains in the living room.", "You said ninety-three.",
        "I am fine, thank you.", "See you later, goodbye.", "The light in the bathroom is off.",
    ],
    "zh": [
        "你好，有什么可以帮你？", "你说的是七。", "客厅的灯已经打开了。", "我把卧室的风扇关掉了。", "音乐的声音已经调大了。", "早上好，很高兴听到你的声音。",
        "厨房的窗帘已经关上了。", "你说的是四十二。", "不客气，再见。", "你说的是马，第三声。", "浴室的灯已经关了。", "我很好，谢谢你。",
    ],
}  # fmt: skip


def load_decoder(path: Path) -> tuple[Decoder, int]:
    state = load(path)
    decoder = Decoder(DecoderConfig(**state["config"]))
    decoder.load_state_dict({name: value.float() for name, value in state["decoder"].items()})
    return decoder.eval(), state["step"]


def speak(decoder: Decoder, text: str, lang: str, voice: str, noise_scale: float = 0.667, speed: float = 1.0) -> np.ndarray:
    ids = torch.tensor([text_to_ids(SPACE + to_symbols(text, lang) + SPACE)])
    speaker, style = (torch.from_numpy(v)[None] for v in voice_vector(voice))
    return decoder.infer(ids, speaker, style, noise_scale=noise_scale, speed=speed)[0].numpy()


def held_out_mel(decoder: Decoder, n: int) -> dict[str, float]:
    """Log mel distance of held-out clips spoken with the teacher's durations, and prosody's errors."""
    spectra, config = Spectra(), decoder.config
    store = AudioStore()
    samples, utterances = store.samples, [u for u in load_corpus(store, "teacher", config, 64) if held_out(u)]
    utterances = utterances[:: max(1, len(utterances) // n)][:n]
    mel, pitch, duration = [], [], []
    for u in utterances:
        speaker, style = (torch.from_numpy(v)[None] for v in voice_vector(u.voice, u.tokens))
        stages: dict = {}
        wave = decoder.infer(torch.from_numpy(u.ids)[None], speaker, style, durations=torch.from_numpy(u.durations)[None], stages=stages)
        real = torch.from_numpy(samples[u.offset : u.offset + u.frames * HOP].astype(np.float32) / 32768)[None]
        mel.append(float((spectra.log_mel(wave) - spectra.log_mel(real)).abs().mean()))
        error = (stages["decoder.prosody"][0, :, 0].numpy() - u.pitch)[u.voiced > 0] * config.log_f0_std
        pitch.append(float(np.sqrt((error**2).mean()) * 12 / np.log(2)))
        duration.append(float(np.abs(stages["decoder.log_durations"][0].numpy() - np.log(np.maximum(u.durations, 1))).mean()))
    return {"mel_l1": float(np.mean(mel)), "pitch_semitones": float(np.mean(pitch)), "ln_duration_error": float(np.mean(duration)), "n": len(mel)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, nargs="?", default=runs_folder() / "decoder" / "latest.pt")
    parser.add_argument("--out", type=Path, default=runs_folder() / "decoder" / "samples")
    parser.add_argument("--noise-scale", type=float, default=0.667)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--voice", default=None, help="instead of each language's default")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    decoder, step = load_decoder(args.checkpoint)
    args.out.mkdir(parents=True, exist_ok=True)
    result: dict = {"step": step, "noise_scale": args.noise_scale} | (held_out_mel(decoder, args.clips) if args.clips else {})
    judge = Judge()
    for lang, sentences in SENTENCES.items():
        wrong = total = 0
        compute = seconds = 0.0
        for i, text in enumerate(sentences):
            began = time.perf_counter()
            wave = speak(decoder, text, lang, args.voice or DEFAULT_VOICE[lang], args.noise_scale)
            compute, seconds = compute + time.perf_counter() - began, seconds + len(wave) / 16000
            soundfile.write(args.out / f"{lang}{i:02d}.wav", wave, 16000)
            got = judge.read(wave, lang)
            bad, words = read_back_errors(text, got, lang)
            wrong, total = wrong + bad, total + words
            print(f"{lang} {bad}/{words} | {text} | {got}", flush=True)
        result |= {f"{lang}_error": round(wrong / total, 4), f"{lang}_n": total, f"{lang}_rtf": round(compute / seconds, 3)}
    print(json.dumps(result))
    with open(args.out.parent / "eval.jsonl", "a", encoding="utf-8") as log:
        log.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
