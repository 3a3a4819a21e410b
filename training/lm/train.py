"""Trains the aligner and the layer-split language model on the dialogue domain, over a frozen encoder.

    python -m training.lm.train --encoder runs/encoder/latest.pt --minutes 45

Without --encoder it learns the typed domain alone (a warm start while the encoder still trains). --resume goes on from the run's
own state, --init starts from another's. Writes runs/lm/{latest.pt, state.pt, log.jsonl}.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..data.domain import KINDS
from ..data.prepare import AudioStore
from ..data.template import IGNORE, Template
from ..data.units import N_AUDIO, UNITS
from ..encoder.speech_encoder import load_encoder
from ..folders import runs_folder
from ..loop import checkpoint
from ..loop.muon import Muon
from ..loop.precision import autocast
from ..loop.streams import stream
from ..networks.aligner import Aligner
from ..networks.config import AlignerConfig, EncoderConfig, LMConfig
from ..networks.lm import LM
from .examples import COPIES, TALKING, Spoken, Turns, collate, encode_clips
from .validation import evaluate, watched_turns


class Speaker(nn.Module):
    """Aligner and language model: the half of the model that answers."""

    def __init__(self, template: Template, aligner: AlignerConfig | None = None, lm: LMConfig | None = None):
        super().__init__()
        lm = lm or LMConfig(text_vocab_size=template.tokenizer.get_vocab_size(), audio_vocab_size=N_AUDIO)
        self.configs = {"aligner": aligner or AlignerConfig(), "lm": lm}
        self.aligner = Aligner(self.configs["aligner"], EncoderConfig().embedding_length, lm.embedding_length)
        self.lm = LM(lm)
        self.words = nn.Linear(lm.embedding_length, lm.text_vocab_size)  # training only: see words_loss

    def embeddings(self, batch: dict) -> torch.Tensor:
        """A collated batch -> what the language model reads [B, T, H]."""
        embeddings = self.lm.embed(batch["text"], batch["audio"])  # [B, T, H]
        if batch["states"] is not None:
            spoken = self.aligner(batch["states"], self.lm.text_embd.weight)[0]  # [R, H]
            b, t = batch["places"].unbind(1)
            embeddings = embeddings.index_put((b, t), spoken.to(embeddings.dtype))
        return embeddings

    def forward(self, batch: dict) -> tuple[torch.Tensor, torch.Tensor]:
        """A collated batch -> text logits [B, T, V], audio logits [B, T, A]."""
        return self.lm(self.embeddings(batch))

    def load_grown(self, state: dict[str, torch.Tensor]) -> None:
        """Weights of a model with as many shared blocks or fewer: what is deeper starts as the identity."""
        state = {name: value for name, value in self.state_dict().items() if name.startswith("words.")} | state
        depth = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("lm.shared."))
        for name, value in self.state_dict().items():
            if name.startswith("lm.shared.") and int(name.split(".")[2]) >= depth:
                state[name] = torch.zeros_like(value) if name.endswith(("attn_output.weight", "ffn_down.weight")) else value
        self.load_state_dict(state)

    def export(self) -> dict:
        """What the GGUF exporter reads: configurations, units, tensors named `component.tensor`."""
        return {"config": {name: asdict(c) for name, c in self.configs.items()}, "units": UNITS, "model": {k: v.detach().clone() for k, v in self.state_dict().items() if not k.startswith("words.")}}


def loss_of(model: Speaker, batch: dict, pad: int) -> dict[str, torch.Tensor]:
    """Cross-entropy of each channel; a batch may lack targets of one. The heads see the positions that have a target only."""
    losses, stages = {}, {}
    for channel, hidden, head in zip(("text", "audio"), model.lm.trunk(model.embeddings(batch), stages), (model.lm.text_output, model.lm.audio_output)):
        target = batch[f"{channel}_target"].flatten()
        chosen = (target != IGNORE).nonzero().squeeze(1)
        if len(chosen):
            logits = head(hidden.flatten(0, 1)[chosen]).float()
            losses[channel] = F.cross_entropy(logits, target[chosen], label_smoothing=0.02)
    if batch["turns"] is not None:
        losses["words"] = words_loss(model, stages[f"lm.blk.{model.lm.config.shared_block_count - 2}"], batch, pad)
    return losses


def words_loss(model: Speaker, hidden: torch.Tensor, batch: dict, pad: int) -> torch.Tensor:
    """CTC of a spoken turn's words on the last shared block but one, hidden [B, T, H]: hearing is learned at every position, not from the answer alone.

    The head goes when training ends.
    """
    said = hidden[batch["turns"].unbind(-1)]  # [R, N, H]
    return F.ctc_loss(model.words(said).float().log_softmax(-1), batch["words"], batch["turn_lengths"], batch["word_counts"], blank=pad, zero_infinity=True)


def make_optimizers(model: Speaker, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embeddings, heads, norms and biases; each group's `scale` multiplies the rate."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and (name.startswith(("aligner.blk", "aligner.out.")) or re.match(r"lm\.(shared|text|audio)\.", name))]
    taken = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in taken]
    return [
        torch.optim.AdamW([{"params": rest, "scale": 1.0}], lr, betas=(0.9, 0.98), weight_decay=0.02, fused=True),
        Muon([{"params": matrices, "scale": 2.0}], lr),
    ]


def heard(args: argparse.Namespace, rng: random.Random) -> tuple[list[Spoken], list[Spoken]]:
    """Clips to train on, and the old questions to watch, as the encoder hears them."""
    store = AudioStore(where=lambda r: r["corpus"] != "bursts" and r["samples"] < 12 * 16000)
    encoder = load_encoder(args.encoder).to(args.device)
    may = [i for i, r in enumerate(store.records) if r["split"] == "train" and r["corpus"] != "domain-reply" and r["speaker"] not in args.hold_out]
    talking = [i for i in may if store.records[i]["corpus"] in TALKING]
    left_out = set(rng.sample(talking, max(0, len(talking) - args.sentences)))
    train = encode_clips(encoder, store, [i for i in may if i not in left_out], COPIES, args.workers)
    return train, encode_clips(encoder, store, [i for i, r in enumerate(store.records) if r["corpus"] == "domain-test"], {}, args.workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--states", type=Path, help="keeps the encoder's states there, or reads them; of one encoder, with the same --sentences and --hold-out")
    parser.add_argument("--sentences", type=int, default=6000, help="clips of the corpora's sentences to encode; splicing draws on them")
    parser.add_argument("--transcribed", type=float, default=0.12, help="share of spoken questions that are written down, not answered: what was said teaches more than the few answers")
    parser.add_argument("--typed", type=float, default=0.22, help="share of questions that are typed")
    parser.add_argument("--repeats", type=float, default=KINDS["repeat"], help="weight of what is to be said again, beside the domain's other kinds")
    parser.add_argument("--orders", type=float, default=KINDS["home"], help="weight of home commands; all kinds' default weights add up to 1")
    parser.add_argument("--copied", type=float, default=0.02, help="share of questions that are random ids to be written again")
    parser.add_argument("--words", type=float, default=0.3, help="weight of the spoken words' CTC")
    parser.add_argument("--init", type=Path, help="a run's state to take the weights from")
    parser.add_argument("--run", type=Path, default=runs_folder() / "lm")
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--positions", type=int, default=2400, help="positions a batch, padding included")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--workers", type=int, default=0, help="processes that make the batches; 0: this one does")
    parser.add_argument("--eval-minutes", type=float, default=6)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--hold-out", nargs="*", default=[], metavar="SPEAKER", help="human speakers to keep out, for a fold")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    template = Template()
    pad = template.special["pad"]
    model = Speaker(template).to(args.device)
    optimizers = make_optimizers(model, args.lr)
    state_path = args.run / "state.pt"
    source = state_path if args.resume and state_path.exists() else args.init
    if source:
        model.load_grown(checkpoint.load(source)["model"])
    average = checkpoint.Average(model, 0.998)

    spoken, watched = [], []
    if args.encoder:
        spoken, watched = checkpoint.cached(args.states, lambda: heard(args, rng))
    turns = Turns(template, spoken, rng, transcribed=args.transcribed, kinds={"repeat": args.repeats, "home": args.orders}, typed=args.typed, copied=args.copied)
    watched_batches = watched_turns(template, watched)

    def made(worker: int) -> Iterator[dict]:
        turns.rng = random.Random(args.seed + worker) if worker else rng
        return (collate(batch, pad) for batch in turns.batches(args.positions))

    args.run.mkdir(parents=True, exist_ok=True)
    log = (args.run / "log.jsonl").open("a")
    start, step, last_eval, sums = time.time(), 0, time.time(), {}
    done = lambda: (time.time() - start) / 60 / max(args.minutes, 1e-6)  # noqa: E731
    for batch in stream(made, args.workers, args.device):
        rate = args.lr * min(1, (step + 1) / args.warmup) * max(0.02, 1 - done())
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["scale"]
        model.train()
        with autocast(args.device):
            losses = loss_of(model, batch, pad)
        sum(value * (args.words if name == "words" else 1.0) for name, value in losses.items()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        average.update()
        step += 1
        for name, value in losses.items():
            sums.setdefault(name, []).append(value.detach())
        if step % 50 == 0:
            print(f"{(time.time() - start) / 60:6.2f} min  step {step}  lr {rate:.1e}  " + "  ".join(f"{k} {sum(v) / len(v):.3f}" for k, v in sums.items()), flush=True)
            sums = {}
        finished = done() >= 1
        if finished or time.time() - last_eval > 60 * args.eval_minutes:
            average.swap()
            scores = evaluate(model.eval(), template, watched_batches)
            checkpoint.save(args.run / "latest.pt", model.export())
            average.swap()
            checkpoint.save(state_path, {"model": model.state_dict(), "step": step})
            line = json.dumps({"step": step, "minutes": round((time.time() - start) / 60, 2), **scores})
            print(line, flush=True)
            log.write(line + "\n")
            log.flush()
            last_eval = time.time()
        if finished:
            break


if __name__ == "__main__":
    main()
