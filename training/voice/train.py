"""Trains nano's voice on the teacher's generator features: `python -m training.voice.train`. Resumes from `$MOSS_RUNS/voice/resume.pt`; writes `latest.pt`, averaged.

Everything is known from the teacher: durations, pitch, voicing, energy and features. So all five are regressions, and frames see windows of an utterance only.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..data.units import N_UNITS
from ..data.voices import statistics
from ..decoder.losses import masked_mean
from ..folders import runs_folder
from ..loop.checkpoint import Average, half, load, save
from ..loop.precision import autocast
from ..loop.stopping import stop_signals
from ..networks.config import FeatureDecoderConfig
from ..networks.feature_decoder import FeatureDecoder
from .examples import Clips, chances

WEIGHTS = {"features": 1.0, "features_squared": 0.5, "duration": 0.5, "pitch": 0.9, "voicing": 0.3, "energy": 0.3}


class Model(nn.Module):
    """The voice with the standardisation of voice vectors and features, which export folds into its weights."""

    def __init__(self, config: FeatureDecoderConfig):
        super().__init__()
        self.voice = FeatureDecoder(config)
        self.register_buffer("vector_mean", torch.zeros(2, config.style_size))
        self.register_buffer("vector_std", torch.ones(2, config.style_size))
        self.register_buffer("feature_mean", torch.zeros(config.feature_size))
        self.register_buffer("feature_std", torch.ones(config.feature_size))

    def forward(self, batch: dict[str, torch.Tensor], dropout: float) -> dict[str, torch.Tensor]:
        """-> losses."""
        v, valid = self.voice, batch["valid"][..., None]  # [B, W, 1]
        speaker, style = ((batch[name] - self.vector_mean[i]) / self.vector_std[i] for i, name in enumerate(("speaker", "style")))
        g = F.gelu(v.speaker(torch.cat([speaker, style], -1)))
        x = v.text(batch["ids"], style, batch["units_valid"], dropout)  # [B, U, C]
        log_durations = v.duration(x, batch["units_valid"])
        x = x.gather(1, batch["index"][..., None].expand(-1, -1, x.shape[2]))
        x = torch.cat([x, batch["place"][..., None].to(x.dtype), batch["length"][..., None].to(x.dtype)], -1)  # [B, W, C + 2]
        trunk, prosody = v.prosody(x, valid)
        features = v.features(trunk, batch["pitch"], batch["voiced"], batch["energy"], g, valid).float()
        prosody = prosody.float()
        error = features - (batch["features"] - self.feature_mean) / self.feature_std
        voiced = (0.1 + 0.9 * batch["voiced"]) * batch["valid"]  # a little where unvoiced, so that it stays in range there
        return {
            "features": masked_mean(error.abs().mean(-1), batch["valid"]),
            "features_squared": masked_mean(error.square().mean(-1), batch["valid"]),
            "duration": masked_mean((log_durations.float() - batch["durations"].clamp(min=1).float().log()) ** 2, batch["judged"]),
            "pitch": masked_mean((prosody[..., 0] - batch["pitch"]).abs(), voiced),
            "voicing": masked_mean(F.binary_cross_entropy_with_logits(prosody[..., 1], batch["voiced"], reduction="none"), batch["valid"]),
            "energy": masked_mean((prosody[..., 2] - batch["energy"]).abs(), batch["valid"]),
        }


def folded(model: Model) -> dict[str, torch.Tensor]:
    """The voice's weights for raw voice vectors and raw features: both standardisations go into the linear layers beside them."""
    state = {name: value.detach().clone() for name, value in model.voice.state_dict().items()}
    for name, mean, std in (("text.style", model.vector_mean[1], model.vector_std[1]), ("speaker", model.vector_mean.flatten(), model.vector_std.flatten())):
        weight = state[f"{name}.weight"] / std
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, state[f"{name}.bias"] - weight @ mean
    state["features.out.weight"] = state["features.out.weight"] * model.feature_std[:, None]
    state["features.out.bias"] = state["features.out.bias"] * model.feature_std + model.feature_mean
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=runs_folder() / "voice")
    parser.add_argument("--start", type=Path, help="where to start if there is nothing to resume: an exported FP16 checkpoint")
    parser.add_argument("--export", type=Path, help="write the averaged weights as an FP16 checkpoint there, and stop")
    parser.add_argument("--minutes", type=float, default=20, help="of training; the learning rate falls to nothing over the steps that fit")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--window", type=int, default=128, help="frames of 12.5 ms")
    parser.add_argument("--lr", type=float, default=1.2e-3)
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed + int(time.time()))
    args.out.mkdir(parents=True, exist_ok=True)

    config = FeatureDecoderConfig(unit_count=N_UNITS)
    model = Model(config)
    average = Average(model, 0.998)
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, (0.9, 0.98), weight_decay=0.01)
    step, resume = 0, args.out / "resume.pt"
    start = resume if resume.exists() else args.start
    if start:
        state = load(start)
        model.load_state_dict(state["model"])
        step = state["step"]
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
            average.load_state_dict(state["average"])
        else:  # an FP16 export has none
            average = Average(model, 0.998)
        print(f"goes on from step {step}", flush=True)
    if args.export:
        average.swap()
        save(args.export, {"step": step, "config": asdict(config), "model": half(model.state_dict())})
        return
    data = Clips(config)
    clips, rng = data.train(), np.random.default_rng(args.seed + step)
    weights = chances(clips)
    print(f"{len(clips)} clips, {sum(clip.frames for clip in clips) / 80 / 3600:.2f} h; {sum(p.numel() for p in model.voice.parameters()) / 1e6:.1f} M parameters", flush=True)
    if not start:
        for i, values in enumerate(statistics()):
            (model.vector_mean if i == 0 else model.vector_std).copy_(torch.tensor(values))
        mean, std = data.statistics(clips)
        model.feature_mean.copy_(mean)
        model.feature_std.copy_(std)

    def write() -> None:
        save(resume, {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "average": average.state_dict()})
        average.swap()
        save(args.out / "latest.pt", {"step": step, "config": asdict(config), "voice": folded(model)})
        average.swap()

    stop = stop_signals()
    log = open(args.out / "log.jsonl", "a", encoding="utf-8")
    sums: dict[str, float] = {}
    count, began, saved, first = 0, time.time(), time.time(), step
    while not stop and (progress := (time.time() - began) / 60 / args.minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = args.lr * min(1.0, (step - first + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * progress)) + 1e-6
        batch = data.batch(clips, weights, args.batch, args.window, rng)
        with autocast(torch.device("cpu")):
            losses = model(batch, args.dropout)
        optimizer.zero_grad(set_to_none=True)
        sum(WEIGHTS[name] * value for name, value in losses.items()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update()
        step += 1
        count += 1
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if count == 250:
            row = {"step": step, "minutes": round((time.time() - began) / 60, 2)} | {name: round(value / count, 4) for name, value in sums.items()}
            log.write(json.dumps(row) + "\n")
            log.flush()
            print(row, flush=True)
            sums, count = {}, 0
        if time.time() - saved > 180:
            write()
            saved = time.time()
    write()
    print(f"stopped at step {step}", flush=True)


if __name__ == "__main__":
    main()
