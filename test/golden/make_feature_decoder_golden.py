"""Makes the reference tensors of the decoder that speaks through a waveform generator: python test/golden/make_feature_decoder_golden.py

feature-decoder.gguf, feature-decoder-q8_0.gguf    a small random decoder and generator with two voices
feature-decoder.golden.gguf                        units, and the stages of the PyTorch twins for the second voice, happy and slow

Edge units, voice and emotion are as the C++ decoder has them. Stages are [T, C].
"""

from __future__ import annotations

import gguf
import numpy as np
import torch

from make_golden import FOLDER, randomize
from make_istft_golden import random_twin, random_voices
from training.data.units import N_UNITS, SPACE, UNIT_ID
from training.data.voices import EMOTIONS, emotion_table
from training.export.bundle import Bundle, write
from training.networks.config import FeatureDecoderConfig
from training.networks.istft_generator import IstftGeneratorConfig
from training.networks.feature_decoder import FeatureDecoder

GENERATOR = IstftGeneratorConfig(
    feature_size=20, style_size=8, channels=[32, 12], upsample_rates=[4, 3], upsample_kernels=[8, 7], resblock_kernels=[3, 5], resblock_dilations=[1, 2],
    noise_kernels=[3, 5], istft_n_fft=8, istft_hop=4, sample_rate=16000,
)  # fmt: skip
DECODER = FeatureDecoderConfig(
    sample_rate=GENERATOR.sample_rate, hop_length=GENERATOR.hop_length, unit_count=N_UNITS, hidden_size=32, block_count=2, head_count=2, ffn_size=40, window_size=2,
    mask_left=5, mask_right=1, style_size=8, gin_channels=12, duration_channels=16, prosody_layers=2, prosody_kernel=3, feature_hidden=32, feature_kernel=3,
    feature_dilations=[1, 2, 1], feature_size=GENERATOR.feature_size,
)  # fmt: skip
SPEED = 0.5
EMOTION = "happy"


def rows(name: str, tensor: torch.Tensor) -> np.ndarray:
    """A stage as [T, C]."""
    if name.startswith("generator.") and tensor.dim() == 3:  # [1, C, T]
        tensor = tensor.transpose(1, 2)
    elif tensor.dim() == 2:  # [1, T]
        tensor = tensor[..., None]
    return np.ascontiguousarray(tensor[0].detach().float().numpy())


@torch.no_grad()
def make() -> None:
    voice, twin = randomize(FeatureDecoder(DECODER), 51).eval(), random_twin(GENERATOR, 52)
    # Durations of some frames, a pitch that people have, and voicing that is sure of itself.
    voice.duration.proj.weight.mul_(0.3)
    voice.duration.proj.bias.fill_(1.2)
    voice.prosody.out.weight[0].mul_(0.3)
    voice.prosody.out.weight[1].mul_(4)
    frozen, rng = random_voices(twin, torch.Generator().manual_seed(53)), np.random.default_rng(54)
    bundle = Bundle(name="feature-decoder", description="Random weights, for tests.")
    bundle.add("decoder", DECODER, voice.state_dict())
    bundle.generator = (twin, frozen)
    bundle.voices = (list(frozen), *(rng.standard_normal((2, DECODER.style_size)) for _ in range(2)))
    bundle.voice_languages, bundle.default_voices, bundle.emotions = ["en", "zh"], (0, 1), emotion_table()
    for type_ in ("f32", "q8_0"):
        write(bundle, FOLDER / ("feature-decoder.gguf" if type_ == "f32" else f"feature-decoder-{type_}.gguf"), type_)

    units = torch.randint(1, N_UNITS, (14,), generator=torch.Generator().manual_seed(68))
    edge = torch.tensor([UNIT_ID[SPACE]])
    speed, shift, scale, energy = EMOTIONS[EMOTION]
    stages: dict[str, torch.Tensor] = {}
    spoken = voice.infer(
        torch.cat([edge, units, edge])[None], *(torch.tensor(v[1:2], dtype=torch.float32) for v in bundle.voices[1:]), speed=SPEED * speed, pitch_shift=shift,
        pitch_range=scale, energy_shift=energy, stages=stages,
    )  # fmt: skip
    of_voice = frozen[bundle.voices[0][1]]
    twin.freeze(of_voice.statistics)
    twin(spoken.features.transpose(1, 2), of_voice.style[None], spoken.f0, stages)
    writer = gguf.GGUFWriter(FOLDER / "feature-decoder.golden.gguf", "golden")
    writer.add_array("input.units", units.tolist())
    writer.add_float32("input.speed", SPEED)
    writer.add_uint32("input.emotion", list(EMOTIONS).index(EMOTION))
    for stage, tensor in stages.items():
        writer.add_tensor(stage, rows(stage, tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    lengths = stages["decoder.log_durations"].exp() / (SPEED * speed)
    print(f"{int(spoken.durations.sum())} frames, {int((spoken.f0 > 0).sum())} voiced")
    print(f"the duration nearest to a tie is off by {float((lengths % 1 - 0.5).abs().min()):.4f}, the voicing by {float(stages['decoder.prosody'][..., 1].abs().min()):.4f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make()
