"""Trains the decoder: `python -m training.decoder.train`. Resumes from `$MOSS_RUNS/decoder/resume.pt`; writes `latest.pt`, averaged and ready to export.

VITS with everything that the teacher's labels give: alignments, pitch and energy are known, so durations and prosody are
regressions, and all that is frame-level sees windows of an utterance only. A part of each batch's waveforms is generated from the
posterior's sample, the rest from the prior's through the inverse flow, the way inference goes; a few thousand steps do not
close the gap between the two by the divergence alone.
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

from ..data.prepare import AudioStore
from ..data.units import N_UNITS
from ..data.voices import statistics
from ..folders import runs_folder
from ..loop.checkpoint import Average, half, load, save
from ..loop.precision import autocast
from ..loop.stopping import stop_signals
from ..networks.config import DecoderConfig
from ..networks.discriminators import Discriminators
from ..networks.vits import Decoder
from ..networks.vits_flow import Posterior
from .examples import HOP, MARGIN, Mixture, held_out, load_corpus
from .losses import Spectra, adversarial_losses, divergence, masked_mean

WEIGHTS = {"mel": 30.0, "stft": 8.0, "kl": 1.0, "duration": 2.0, "pitch": 2.0, "voicing": 1.0, "energy": 2.0, "adversarial": 1.0, "feature": 3.0}
OF_WAVE = {"mel", "stft", "adversarial", "feature"}


class Model(nn.Module):
    """The decoder with what only training needs: the posterior and the voice vectors' standardisation."""

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.decoder = Decoder(config)
        self.posterior = Posterior(config, 513)
        with torch.no_grad():  # start quietly: log magnitudes near -3.5
            bins = config.istft_n_fft // 2 + 1
            self.decoder.gen.post.bias.view(-1, 2, bins)[:, 0] -= 3.5
        self.register_buffer("voice_mean", torch.zeros(2, config.style_size))
        self.register_buffer("voice_std", torch.ones(2, config.style_size))

    def forward(self, batch: dict[str, torch.Tensor], spectrogram: torch.Tensor, noise_scale: float, kl_floor: float, segment: int, prior_share: float, rng: np.random.Generator):
        """-> waves [B, 200 segment] from posterior and prior samples, first frame of each segment, losses."""
        d = self.decoder
        valid = batch["valid"][:, None]  # [B, 1, W]
        frame_valid = batch["valid"][..., None]  # [B, W, 1]
        g = d.speaker((batch["speaker"] - self.voice_mean[0]) / self.voice_std[0])
        x = d.text(batch["ids"], (batch["style"] - self.voice_mean[1]) / self.voice_std[1], batch["units_valid"])  # [B, U, C]
        log_durations = d.duration(x, batch["units_valid"])
        x = x.gather(1, batch["index"][..., None].expand(-1, -1, x.shape[2]))
        x = torch.cat([x, batch["place"][..., None].to(x.dtype), batch["length"][..., None].to(x.dtype)], -1)  # [B, W, C + 2]
        trunk, prosody = d.prosody(x, frame_valid)
        split = len(frame_valid) - round(len(frame_valid) * prior_share)  # from here on, waveforms of the prior's sample
        # Most of those are given the predicted voicing and energy, as inference is: taught the true ones only, the prior reads more
        # from them than the predictor knows. The pitch stays true, for the pulses have to meet the recording's harmonics.
        given = torch.rand(len(frame_valid), 1) < 0.25
        given[:split] = True
        voicing = torch.where(given, batch["voiced"], prosody[..., 1].detach().float().sigmoid())
        energy = torch.where(given, batch["energy"], prosody[..., 2].detach().float())
        mean, log_scale = d.prosody.prior(trunk, batch["pitch"], voicing, energy, frame_valid)
        mean, log_scale = mean.float().transpose(1, 2), log_scale.float().transpose(1, 2)  # [B, Z, W]
        losses, z = {}, mean[:0]
        if split > 0:
            z, _, q_log_scale = self.posterior(spectrogram, valid, g)
            z = z.float()
            image = d.flow(z, valid, g).float()
            losses["kl"] = divergence(image, q_log_scale.float(), mean, log_scale, valid).clamp(min=kl_floor)
        prosody = prosody.float()
        target = batch["durations"].clamp(min=1).float().log()
        losses["duration"] = masked_mean((log_durations.float() - target) ** 2, batch["judged"])
        voiced = (0.1 + 0.9 * batch["voiced"]) * batch["valid"]  # a little where unvoiced, so that it stays in range there
        losses["pitch"] = masked_mean((prosody[..., 0] - batch["pitch"]) ** 2, voiced)
        losses["voicing"] = masked_mean(F.binary_cross_entropy_with_logits(prosody[..., 1], batch["voiced"], reduction="none"), batch["valid"])
        losses["energy"] = masked_mean((prosody[..., 2] - batch["energy"]) ** 2, batch["valid"])
        if split < len(mean):
            sample = mean[split:] + torch.randn_like(mean[split:]) * log_scale[split:].exp() * noise_scale
            z = torch.cat([z[:split], d.flow.inverse(sample, valid[split:], g[split:]).float()])
        counts = batch["valid"].sum(1).long().tolist()
        starts = [int(np.clip(rng.integers(-segment // 4, max(1, n - segment * 3 // 4)), 0, max(0, n - segment))) for n in counts]
        pitch, voicing = (torch.stack([x[i, s : s + segment] for i, s in enumerate(starts)]) for x in (batch["pitch"], voicing))
        with torch.no_grad():
            source = d.gen.source(pitch, voicing, torch.rand(len(z), 1))
        wave = d.gen(torch.stack([z[i, :, s : s + segment] for i, s in enumerate(starts)]), g, source, torch.randn_like(source))
        return wave, starts, split, losses


def folded(model: Model) -> dict[str, torch.Tensor]:
    """The decoder's weights for raw voice vectors: the standardisation goes into the two linear layers that read them."""
    state = {k: v.detach().clone() for k, v in model.decoder.state_dict().items()}
    for i, name in enumerate(("speaker", "text.style")):
        weight = state[f"{name}.weight"] / model.voice_std[i]
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, state[f"{name}.bias"] - weight @ model.voice_mean[i]
    return state


def clip(parameters: list[torch.Tensor], recent: list[float], factor: float = 3.0) -> float:
    """Clips the gradient to a few times its usual norm; a batch whose gradient is not finite counts for nothing."""
    norm = float(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))
    if not np.isfinite(norm):
        for p in parameters:
            p.grad = None
        return norm
    usual = float(np.median(recent)) if len(recent) >= 20 else norm
    nn.utils.clip_grads_with_norm_(parameters, factor * usual, torch.tensor(norm))
    recent.append(min(norm, factor * usual))
    del recent[:-100]
    return norm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=runs_folder() / "decoder")
    parser.add_argument("--start", type=Path, default=None, help="where to start if there is nothing to resume: an exported FP16 checkpoint")
    parser.add_argument("--export", type=Path, default=None, help="write the averaged weights as an FP16 checkpoint there, and stop")
    parser.add_argument("--corpus", action="append", default=None, metavar="NAME=WEIGHT", help="default: teacher=1")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--window", type=int, default=72, help="frames of 12.5 ms that prior, flow and posterior see")
    parser.add_argument("--segment", type=int, default=56, help="frames that are generated of it")
    parser.add_argument("--judged", type=int, default=32, help="frames of it that the discriminators see")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--gan-start", type=int, default=2000)
    parser.add_argument("--kl-ramp", type=int, default=1000)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--lr-gan", type=float, default=3e-4)
    parser.add_argument("--lr-end", type=float, default=5e-5)
    parser.add_argument("--prior-share", type=float, default=0.75, help="of the waveforms; 1 leaves the posterior out")
    parser.add_argument("--noise-scale", type=float, default=0.667)
    parser.add_argument("--favour", action="append", default=[], metavar="VOICE=FACTOR", help="draw a voice's clips more often")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save-minutes", type=float, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed + int(time.time()))
    args.out.mkdir(parents=True, exist_ok=True)

    config = DecoderConfig(unit_count=N_UNITS)
    model, discriminators, spectra = Model(config), Discriminators(), Spectra()
    mean, std = statistics()
    model.voice_mean.copy_(torch.tensor(mean))
    model.voice_std.copy_(torch.tensor(std))
    parameters, d_parameters = list(model.parameters()), list(discriminators.parameters())
    average = Average(model, 0.995)
    optimizer = torch.optim.AdamW(parameters, args.lr, (0.8, 0.99), weight_decay=0.01)
    d_optimizer = torch.optim.AdamW(d_parameters, args.lr_gan, (0.8, 0.99), weight_decay=0.01)
    step = 0
    resume = args.out / "resume.pt"
    start = resume if resume.exists() else args.start
    if start:
        state = load(start)
        model.load_state_dict(state["model"])
        discriminators.load_state_dict(state["discriminators"])
        if "optimizer" in state:  # an FP16 export has none
            optimizer.load_state_dict(state["optimizer"])
            d_optimizer.load_state_dict(state["d_optimizer"])
            average.load_state_dict(state["average"])
        else:
            average = Average(model, 0.995)
        step = state["step"]
        print(f"resumed at step {step}", flush=True)
    if args.export:
        average.swap()
        save(args.export, {"step": step, "config": asdict(config), "model": half(model.state_dict()), "discriminators": half(discriminators.state_dict())})
        return

    store, corpora = AudioStore(), []
    for spec in args.corpus or ["teacher=1"]:
        name, _, weight = spec.partition("=")
        utterances = [u for u in load_corpus(store, name, config, args.segment) if not held_out(u)]
        print(f"{name}: {len(utterances)} utterances, {sum(u.frames for u in utterances) / 80 / 3600:.2f} h", flush=True)
        corpora.append((utterances, float(weight or 1)))
    mixture = Mixture(store.samples, corpora, args.window, args.seed + step, {v: float(f) for v, _, f in (x.partition("=") for x in args.favour)})
    rng = np.random.default_rng(args.seed + step)

    def write() -> None:
        save(resume, {"step": step, "model": model.state_dict(), "discriminators": discriminators.state_dict(), "optimizer": optimizer.state_dict(),
                      "d_optimizer": d_optimizer.state_dict(), "average": average.state_dict()})  # fmt: skip
        average.swap()
        save(args.out / "latest.pt", {"step": step, "config": asdict(config), "decoder": folded(model)})
        average.swap()

    stop = stop_signals()

    log = open(args.out / "log.jsonl", "a", encoding="utf-8")
    sums: dict[str, float] = {}
    count, began, saved = 0, time.time(), time.time()
    recent: list[float] = []
    d_recent: list[float] = []
    while step < args.steps and not stop:
        gan = step >= args.gan_start
        progress = max(0.0, (step - args.gan_start) / max(1, args.steps - args.gan_start))
        lr = args.lr_end + 0.5 * (args.lr_gan - args.lr_end) * (1 + np.cos(np.pi * progress)) if gan else args.lr * min(1.0, (step + 1) / 200)
        if not gan and step > args.gan_start * 0.7:  # approach the rate that the adversarial part begins with
            lr = args.lr + (args.lr_gan - args.lr) * (step - args.gan_start * 0.7) / (args.gan_start * 0.3)
        for group in optimizer.param_groups:
            group["lr"] = lr
        for group in d_optimizer.param_groups:
            group["lr"] = min(lr, args.lr_gan)

        batch = mixture.batch(args.batch)
        with torch.no_grad():
            spectrogram = spectra.linear(batch["audio"])
        with autocast(torch.device("cpu")):
            wave, starts, split, losses = model(batch, spectrogram, args.noise_scale, 1.0, args.segment, args.prior_share, rng)
        wave = wave.float()
        real = torch.stack([a[MARGIN + s * HOP : MARGIN + (s + args.segment) * HOP] for a, s in zip(batch["audio"], starts)])
        mel, stft = spectra(wave, real)
        losses["mel"], losses["stft"] = mel, stft
        if gan:
            at = int(rng.integers(0, args.segment - args.judged + 1)) * HOP
            fake_cut, real_cut = wave[:, at : at + args.judged * HOP], real[:, at : at + args.judged * HOP]
            with autocast(torch.device("cpu")):
                d_loss, losses["adversarial"], losses["feature"] = adversarial_losses(discriminators(torch.cat([real_cut, fake_cut])))
        weights = dict(WEIGHTS, kl=WEIGHTS["kl"] * min(1.0, 0.02 + step / max(1, args.kl_ramp)))
        of_wave = sum(weights[name] * value for name, value in losses.items() if name in OF_WAVE)
        others = sum(weights[name] * value for name, value in losses.items() if name not in OF_WAVE)
        optimizer.zero_grad(set_to_none=True)
        if gan:  # one pass through the discriminators serves both sides: first their own gradient, then the waveform's
            for p, gradient in zip(d_parameters, torch.autograd.grad(d_loss, d_parameters, retain_graph=True)):
                p.grad = gradient
            clip(d_parameters, d_recent)
        wave_gradient = torch.autograd.grad(of_wave, wave)[0]
        torch.autograd.backward([wave, others], [wave_gradient, None])
        if gan:
            d_optimizer.step()
        norm = clip(parameters, recent)
        optimizer.step()
        average.update()
        step += 1

        values = {name: float(value.detach()) for name, value in losses.items()} | {"norm": norm}
        with torch.no_grad():
            if split < len(wave):  # the mel distance of the two ways apart
                values["mel_prior"] = float(F.l1_loss(spectra.log_mel(wave[split:]), spectra.log_mel(real[split:])))
            if split > 0:
                values["mel_posterior"] = float(F.l1_loss(spectra.log_mel(wave[:split]), spectra.log_mel(real[:split])))
        if gan:
            values["discriminator"] = float(d_loss.detach())
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value
        count += 1
        if count == 50:
            row = {"step": step, "lr": lr, "seconds_per_step": (time.time() - began) / count} | {name: round(value / count, 4) for name, value in sums.items()}
            log.write(json.dumps(row) + "\n")
            log.flush()
            sums, count, began = {}, 0, time.time()
        if time.time() - saved > 60 * args.save_minutes:
            write()
            saved = time.time()
    write()
    print(f"stopped at step {step}", flush=True)


if __name__ == "__main__":
    main()
