"""Makes tiny imported voices and their reference tensors: python test/golden/make_voice_golden.py, from the project's root.

Needs torch, transformers, safetensors, onnx and gguf. The reference is transformers' VitsModel with random weights; its noise is replaced
by that of native/model/noise.h.

voice-stochastic/    a VitsModel as transformers saves it: stochastic durations, one speaker, weight norm, a tokenizer with blanks
voice-plain/         another: plain durations, three speakers, GELU, no attention biases, odd number of flows, dilated WaveNets
voice-piper/         the stochastic kind as Piper's export has it (ONNX and .onnx.json): residual blocks of type 2, two speakers. The ONNX
                     holds what a converter reads; the operations between the convolutions are left out
voice-NAME.gguf          what the converters must make of them (F32)
voice-NAME.golden.gguf   input ids, seed and the stages, [T, C]
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from transformers import VitsConfig, VitsModel
from transformers.models.vits import modeling_vits

from make_decoder_golden import philox_normal

FOLDER = Path(__file__).parent
SEED = 0x123456789ABC
IDS = 24

SMALL = dict(
    vocab_size=20, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=24, flow_size=8, spectrogram_bins=3,
    posterior_encoder_num_wavenet_layers=1, prior_encoder_num_wavenet_layers=2, duration_predictor_filter_channels=12,
    upsample_initial_channel=16, upsample_rates=[4, 2], upsample_kernel_sizes=[8, 4], sampling_rate=16000,
)  # fmt: skip
STOCHASTIC = VitsConfig(**SMALL, window_size=3, ffn_kernel_size=4, resblock_kernel_sizes=[3, 5], resblock_dilation_sizes=[[1, 3], [1, 2]], prior_encoder_num_flows=2, duration_predictor_num_flows=3)  # fmt: skip
PLAIN = VitsConfig(
    **SMALL, use_stochastic_duration_prediction=False, num_speakers=3, speaker_embedding_size=6, hidden_act="gelu", use_bias=False, layer_norm_eps=1e-3,
    prior_encoder_num_flows=3, wavenet_kernel_size=3, wavenet_dilation_rate=2, leaky_relu_slope=0.2, duration_predictor_kernel_size=5, ffn_kernel_size=1,
    resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 2, 4]], noise_scale=0.5, speaking_rate=0.8,
)  # fmt: skip
PIPER = VitsConfig(
    **SMALL, num_speakers=2, speaker_embedding_size=6, prior_encoder_num_flows=4, duration_predictor_num_flows=4,
    resblock_kernel_sizes=[3, 5, 7], resblock_dilation_sizes=[[1, 2], [2, 3], [3, 5]],
)  # fmt: skip


class ResidualBlock2(nn.Module):
    """HiFi-GAN's residual block of type 2, which transformers lacks and Piper's smaller voices have."""

    def __init__(self, channels: int, kernel_size: int, dilation: list[int], leaky_relu_slope: float) -> None:
        super().__init__()
        self.slope = leaky_relu_slope
        self.convs1 = nn.ModuleList(nn.Conv1d(channels, channels, kernel_size, dilation=d, padding=(kernel_size - 1) * d // 2) for d in dilation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv in self.convs1:
            x = x + conv(nn.functional.leaky_relu(x, self.slope))
        return x


def make_model(config: VitsConfig, seed: int, type2: bool = False) -> VitsModel:
    """Weights that let every term show and keep the signal's size."""
    block = modeling_vits.HifiGanResidualBlock
    if type2:
        modeling_vits.HifiGanResidualBlock = ResidualBlock2
    model = VitsModel(config).eval()
    modeling_vits.HifiGanResidualBlock = block
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "original0" in name:  # weight norm's lengths
                p.copy_(1 + 0.1 * noise)
            elif p.dim() >= 2 and "translate" not in name and "log_scale" not in name:
                p.copy_(noise / (p.numel() / p.shape[0]) ** 0.5)
            elif "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.1 * noise)
            else:
                p.copy_(0.1 * noise)
        model.text_encoder.embed_tokens.weight.mul_(0.5)
        model.text_encoder.project.weight[config.flow_size :].mul_(0.2)  # log deviation of the prior
        if config.use_stochastic_duration_prediction:
            model.duration_predictor.flows[0].translate.sub_(2)  # durations of a few frames
            model.duration_predictor.flows[0].log_scale.add_(0.7)
        else:
            model.duration_predictor.proj.bias.add_(1)
    return model


# --- our layout: [out, kernel * in / groups], the input channel fastest ---


def conv(module: nn.Module) -> np.ndarray:
    return np.ascontiguousarray(module.weight.detach().permute(0, 2, 1).reshape(module.weight.shape[0], -1).numpy())


def transposed(module: nn.Module) -> np.ndarray:
    return np.ascontiguousarray(module.weight.detach().permute(1, 2, 0).reshape(module.weight.shape[1], -1).numpy())


class Tensors(dict):
    def conv(self, name: str, module: nn.Module, layout=conv) -> None:
        self[f"{name}.weight"] = layout(module)
        if module.bias is not None:
            self[f"{name}.bias"] = module.bias.detach().numpy()

    def linear(self, name: str, module: nn.Linear) -> None:
        self[f"{name}.weight"] = module.weight.detach().numpy()
        self[f"{name}.bias"] = module.bias.detach().numpy() if module.bias is not None else np.zeros(module.out_features, np.float32)

    def norm(self, name: str, module: nn.LayerNorm) -> None:
        self[f"{name}.weight"], self[f"{name}.bias"] = module.weight.detach().numpy(), module.bias.detach().numpy()

    def stack(self, name: str, module: nn.Module) -> None:
        for i in range(module.num_layers):
            self.conv(f"{name}.sep.{i}", module.convs_dilated[i])
            self.norm(f"{name}.sep_norm.{i}", module.norms_1[i])
            self.conv(f"{name}.point.{i}", module.convs_pointwise[i])
            self.norm(f"{name}.point_norm.{i}", module.norms_2[i])


def export_tensors(model: VitsModel) -> Tensors:
    t = Tensors()
    config, text = model.config, model.text_encoder
    t["voice.text.embd.weight"] = text.embed_tokens.weight.detach().numpy()
    for i, layer in enumerate(text.encoder.layers):
        name = f"voice.text.blk.{i}"
        for key, module in zip("qkvo", (layer.attention.q_proj, layer.attention.k_proj, layer.attention.v_proj, layer.attention.out_proj)):
            t.linear(f"{name}.attn.{key}", module)
        t[f"{name}.attn.rel_k"], t[f"{name}.attn.rel_v"] = layer.attention.emb_rel_k[0].detach().numpy(), layer.attention.emb_rel_v[0].detach().numpy()
        t.norm(f"{name}.attn_norm", layer.layer_norm)
        t.norm(f"{name}.ffn_norm", layer.final_layer_norm)
        t.conv(f"{name}.ffn_in", layer.feed_forward.conv_1)
        t.conv(f"{name}.ffn_out", layer.feed_forward.conv_2)
    t.conv("voice.text.proj", text.project)
    speakers = config.num_speakers > 1
    if speakers:
        t["voice.speaker.weight"] = model.embed_speaker.weight.detach().numpy()
        t.conv("voice.duration.cond", model.duration_predictor.cond)
        t.conv("voice.gen.cond", model.decoder.cond)
    d = model.duration_predictor
    if config.use_stochastic_duration_prediction:
        t.conv("voice.duration.pre", d.conv_pre)
        t.conv("voice.duration.proj", d.conv_proj)
        t.stack("voice.duration.stack", d.conv_dds)
        t["voice.duration.affine.shift"] = d.flows[0].translate[:, 0].detach().numpy()
        t["voice.duration.affine.scale"] = torch.exp(-d.flows[0].log_scale[:, 0]).detach().numpy()
        for i, flow in enumerate(list(d.flows)[:1:-1]):  # the inverse leaves one out
            t.conv(f"voice.duration.flow.{i}.pre", flow.conv_pre)
            t.stack(f"voice.duration.flow.{i}.stack", flow.conv_dds)
            t.conv(f"voice.duration.flow.{i}.proj", flow.conv_proj)
    else:
        for i, (c, n) in enumerate(((d.conv_1, d.norm_1), (d.conv_2, d.norm_2))):
            t.conv(f"voice.duration.conv.{i}.conv", c)
            t.norm(f"voice.duration.conv.{i}.norm", n)
        t.conv("voice.duration.proj", d.proj)
    for i, flow in enumerate(model.flow.flows):
        name = f"voice.flow.layers.{i}"
        t.conv(f"{name}.pre", flow.conv_pre)
        t.conv(f"{name}.post", flow.conv_post)
        if speakers:
            t.conv(f"{name}.wn.cond", flow.wavenet.cond_layer)
        for j, (inp, rs) in enumerate(zip(flow.wavenet.in_layers, flow.wavenet.res_skip_layers)):
            t.conv(f"{name}.wn.inp.{j}", inp)
            t.conv(f"{name}.wn.rs.{j}", rs)
    t.conv("voice.gen.pre", model.decoder.conv_pre)
    t.conv("voice.gen.post", model.decoder.conv_post)
    for i, up in enumerate(model.decoder.upsampler):
        t.conv(f"voice.gen.up.{i}", up, transposed)
    for i, block in enumerate(model.decoder.resblocks):
        for key in ("convs1", "convs2"):
            for j, c in enumerate(getattr(block, key, [])):
                t.conv(f"voice.gen.res.{i}.conv{key[-1]}.{j}", c)
    return t


def fields(model: VitsModel, type2: bool) -> dict:
    c = model.config
    stochastic = c.use_stochastic_duration_prediction
    f = dict(
        sample_rate=c.sampling_rate, vocab_size=c.vocab_size, speaker_count=c.num_speakers, gin_channels=c.speaker_embedding_size if c.num_speakers > 1 else 0,
        hidden_size=c.hidden_size, block_count=c.num_hidden_layers, head_count=c.num_attention_heads, ffn_size=c.ffn_dim, ffn_kernel=c.ffn_kernel_size,
        ffn_activation=c.hidden_act, window_size=c.window_size, norm_epsilon=float(c.layer_norm_eps), duration="stochastic" if stochastic else "plain",
        duration_channels=c.hidden_size if stochastic else c.duration_predictor_filter_channels, duration_kernel=c.duration_predictor_kernel_size,
        flow_size=c.flow_size, flow_count=c.prior_encoder_num_flows, wavenet_hidden=c.hidden_size, wavenet_layers=c.prior_encoder_num_wavenet_layers,
        wavenet_kernel=c.wavenet_kernel_size, wavenet_dilation_rate=c.wavenet_dilation_rate, upsample_initial=c.upsample_initial_channel,
        upsample_rates=c.upsample_rates, upsample_kernels=c.upsample_kernel_sizes, resblock_type=2 if type2 else 1, resblock_kernels=c.resblock_kernel_sizes,
        resblock_dilations=sum(c.resblock_dilation_sizes, []), leaky_slope=float(c.leaky_relu_slope), noise_scale=float(c.noise_scale),
        noise_w=float(c.noise_scale_duration), length_scale=1 / c.speaking_rate, default_speaker=0,
    )  # fmt: skip
    if stochastic:
        f |= dict(duration_layers=c.depth_separable_num_layers, duration_flows=max(c.duration_predictor_num_flows - 1, 0),
                  duration_bins=c.duration_predictor_flow_bins, duration_tail_bound=float(c.duration_predictor_tail_bound))  # fmt: skip
    return f


def add(writer: gguf.GGUFWriter, key: str, value) -> None:
    if isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)
    else:
        writer.add_uint64(key, value)


def write(path: Path, keys: dict, tensors: dict[str, np.ndarray], architecture: str) -> None:
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in keys.items():
        add(writer, key, value)
    for name, tensor in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(tensor, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@torch.no_grad()
def run(model: VitsModel, ids: list[int], speaker: int | None) -> dict[str, np.ndarray]:
    """The stages, with our noise in place of torch's."""
    stages: dict[str, torch.Tensor] = {}
    blocks: dict[int, torch.Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda _, __, y, i=i: stages.__setitem__(f"voice.text.blk.{i}", y[0][0])) for i, layer in enumerate(model.text_encoder.encoder.layers)
    ]
    hooks.append(model.text_encoder.project.register_forward_hook(lambda _, __, y: stages.__setitem__("voice.stats", y[0].T)))
    hooks.append(model.duration_predictor.register_forward_hook(lambda _, __, y: stages.__setitem__("voice.log_durations", y[0].T)))
    for i, block in enumerate(model.decoder.resblocks):  # the model adds to the first one's output in place
        hooks.append(block.register_forward_hook(lambda _, __, y, i=i: blocks.__setitem__(i, y.clone())))
    randn, randn_like = torch.randn, torch.randn_like
    torch.randn = lambda *shape: torch.tensor(philox_normal(SEED, 2, shape[2], shape[1]).T)[None]
    torch.randn_like = lambda x: torch.tensor(philox_normal(SEED, 0, x.shape[2], x.shape[1]).T)[None]
    try:
        out = model(torch.tensor([ids]), speaker_id=speaker)
    finally:
        torch.randn, torch.randn_like = randn, randn_like
        for hook in hooks:
            hook.remove()
    kernels = model.decoder.num_kernels
    for i in range(model.decoder.num_upsamples):
        stages[f"voice.gen.up.{i}"] = (sum(blocks[i * kernels + k] for k in range(kernels)) / kernels)[0].T
    stages["voice.z"] = out.spectrogram[0].T
    stages["voice.wave"] = out.waveform.T
    frames = stages["voice.log_durations"].exp() / model.speaking_rate
    stages["voice.durations"] = frames.ceil()
    off = (frames - frames.round()).abs().min()
    print(f"{int(stages['voice.durations'].sum())} frames; the duration nearest to the next is off by {float(off):.4f}")
    return {name: tensor.numpy() for name, tensor in stages.items()}


TOKENIZER = dict(add_blank=True, is_uroman=False, language="eng", normalize=True, pad_token="k", phonemize=False, unk_token="<unk>")
VOCABULARY = ["k", "'", " ", "a", "b", "c", "d", "e", "h", "i", "l", "m", "n", "o", "r", "s", "t", "u", "w", "-"]


def save_transformers(name: str, model: VitsModel) -> None:
    folder = FOLDER / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "vocab.json").write_text(json.dumps({c: i for i, c in enumerate(VOCABULARY)}, indent=1) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER, indent=1) + "\n")


# --- Piper's names for the same ---


def piper_config(model: VitsModel) -> dict:
    symbols = ["_", "^", "$", " ", "a", "b", "d", "e", "i", "l", "n", "o", "ə", "ɪ", "ɹ", "ʊ", "ˈ", "ː", ",", "."]
    c = model.config
    return dict(
        audio=dict(sample_rate=c.sampling_rate, quality="tiny"), espeak=dict(voice="en-us"), phoneme_type="espeak", phoneme_map={},
        inference=dict(noise_scale=c.noise_scale, length_scale=1, noise_w=c.noise_scale_duration), num_symbols=c.vocab_size, num_speakers=c.num_speakers,
        speaker_id_map=dict(ada=0, bob=1), phoneme_id_map={s: [i] for i, s in enumerate(symbols)}, language=dict(code="en_US"), dataset="tiny",
    )  # fmt: skip


def save_piper(name: str, model: VitsModel) -> None:
    initializers, nodes = [], []

    def tensor(label: str, value) -> str:
        initializers.append(numpy_helper.from_array(value.detach().numpy() if torch.is_tensor(value) else value, label))
        return label

    def conv(label: str, m: nn.Module, folded: bool = False) -> None:
        """A convolution; where weight norm was folded by the export its weight has a number for a name."""
        weight = tensor(f"onnx::Conv_{8000 + 3 * len(nodes)}" if folded else f"{label}.weight", m.weight)
        inputs = [f"x{len(nodes)}", weight] + ([tensor(f"{label}.bias", m.bias)] if m.bias is not None else [])
        attributes = dict(dilations=list(m.dilation), group=m.groups, kernel_shape=list(m.kernel_size), pads=[int(m.padding[0])] * 2, strides=list(m.stride))
        kind = "ConvTranspose" if isinstance(m, nn.ConvTranspose1d) else "Conv"
        nodes.append(helper.make_node(kind, inputs, [f"x{len(nodes) + 1}"], name=f"/{label.replace('.', '/')}/{kind}", **attributes))

    def linear(label: str, m: nn.Linear) -> None:
        c = nn.Conv1d(m.in_features, m.out_features, 1)
        c.weight.data, c.bias.data = m.weight.detach()[..., None], m.bias.detach()
        conv(label, c)

    def norm(label: str, m: nn.LayerNorm) -> None:
        tensor(f"{label}.gamma", m.weight)
        tensor(f"{label}.beta", m.bias)

    def stack(label: str, m: nn.Module) -> None:
        for i in range(m.num_layers):
            conv(f"{label}.convs_sep.{i}", m.convs_dilated[i])
            conv(f"{label}.convs_1x1.{i}", m.convs_pointwise[i])
            norm(f"{label}.norms_1.{i}", m.norms_1[i])
            norm(f"{label}.norms_2.{i}", m.norms_2[i])

    text = model.text_encoder
    # torch's exporter misnames the embedding where an optional input was left out.
    nodes.append(helper.make_node("Gather", [tensor("sid_weight", text.embed_tokens.weight), "input"], ["x1"], name="/enc_p/emb/Gather"))
    nodes.append(helper.make_node("Gather", [tensor("emb_g.weight", model.embed_speaker.weight), "sid"], ["x2"], name="/emb_g/Gather"))
    for i, layer in enumerate(text.encoder.layers):
        attention = f"enc_p.encoder.attn_layers.{i}"
        for key, m in zip("qkvo", (layer.attention.q_proj, layer.attention.k_proj, layer.attention.v_proj, layer.attention.out_proj)):
            linear(f"{attention}.conv_{key}", m)
        tensor(f"{attention}.emb_rel_k", layer.attention.emb_rel_k)
        tensor(f"{attention}.emb_rel_v", layer.attention.emb_rel_v)
        norm(f"enc_p.encoder.norm_layers_1.{i}", layer.layer_norm)
        norm(f"enc_p.encoder.norm_layers_2.{i}", layer.final_layer_norm)
        conv(f"enc_p.encoder.ffn_layers.{i}.conv_1", layer.feed_forward.conv_1)
        conv(f"enc_p.encoder.ffn_layers.{i}.conv_2", layer.feed_forward.conv_2)
    conv("enc_p.proj", text.project)
    d = model.duration_predictor
    conv("dp.pre", d.conv_pre)
    conv("dp.proj", d.conv_proj)
    conv("dp.cond", d.cond)
    stack("dp.convs", d.conv_dds)
    nodes.append(helper.make_node("Sub", ["z", tensor("dp.flows.0.m", d.flows[0].translate)], ["d"], name="/dp/flows.0/Sub"))
    scale = tensor("/dp/flows.0/Exp_output_0", torch.exp(-d.flows[0].log_scale))  # folded by the export
    nodes.append(helper.make_node("Mul", ["d", scale], ["logw"], name="/dp/flows.0/Mul"))
    for i, flow in enumerate(list(d.flows)[2:]):  # 0 is affine; the one after it is left out of the inverse, and of the export
        label = f"dp.flows.{2 * i + 3}"
        conv(f"{label}.pre", flow.conv_pre)
        stack(f"{label}.convs", flow.conv_dds)
        conv(f"{label}.proj", flow.conv_proj)
    for i, flow in enumerate(model.flow.flows):
        label = f"flow.flows.{2 * i}"
        conv(f"{label}.pre", flow.conv_pre)
        conv(f"{label}.post", flow.conv_post)
        conv(f"{label}.enc.cond_layer", flow.wavenet.cond_layer, folded=True)
        for j, (inp, rs) in enumerate(zip(flow.wavenet.in_layers, flow.wavenet.res_skip_layers)):
            conv(f"{label}.enc.in_layers.{j}", inp, folded=True)
            conv(f"{label}.enc.res_skip_layers.{j}", rs, folded=True)
    conv("dec.conv_pre", model.decoder.conv_pre)
    conv("dec.cond", model.decoder.cond)
    for i, up in enumerate(model.decoder.upsampler):
        conv(f"dec.ups.{i}", up)
    for i, block in enumerate(model.decoder.resblocks):
        for j, c in enumerate(block.convs1):
            conv(f"dec.resblocks.{i}.convs.{j}", c)
    conv("dec.conv_post", model.decoder.conv_post)
    inputs = [helper.make_tensor_value_info(n, kind, None) for n, kind in (("input", TensorProto.INT64), ("input_lengths", TensorProto.INT64), ("scales", TensorProto.FLOAT), ("sid", TensorProto.INT64))]  # fmt: skip
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)]
    folder = FOLDER / name
    folder.mkdir(exist_ok=True)
    onnx.save(helper.make_model(helper.make_graph(nodes, "voice", inputs, outputs, initializers)), folder / "tiny.onnx")
    (folder / "tiny.onnx.json").write_text(json.dumps(piper_config(model), indent=1, ensure_ascii=False) + "\n")


def save(name: str, model: VitsModel, speakers: list[str], language: str, text: dict, type2: bool = False) -> None:
    keys = {"general.name": name, "moss-speech.voice.speakers": speakers, "moss-speech.voice.language": language, "moss-speech.voice.text": json.dumps(text)}
    keys |= {f"moss-speech.voice.{key}": value for key, value in fields(model, type2).items()}
    write(FOLDER / f"{name}.gguf", keys, export_tensors(model), "moss-speech")
    ids = torch.randint(0, model.config.vocab_size, (IDS,), generator=torch.Generator().manual_seed(5)).tolist()
    speaker = 1 if len(speakers) > 1 else 0
    stages = run(model, ids, speaker if len(speakers) > 1 else None)
    write(FOLDER / f"{name}.golden.gguf", {"input.ids": ids, "input.speaker": speaker, "input.seed": SEED}, stages, "golden")


def make() -> None:
    characters = dict(input="characters", symbols={c: [i] for i, c in enumerate(VOCABULARY)}, before=[0], between=[0], after=[], lowerCase=True, uroman=False, language="eng")
    model = make_model(STOCHASTIC, 1)
    save_transformers("voice-stochastic", model)
    save("voice-stochastic", model, ["voice-stochastic"], "eng", characters)
    model = make_model(PLAIN, 2)
    save_transformers("voice-plain", model)
    save("voice-plain", model, ["0", "1", "2"], "eng", characters)
    model = make_model(PIPER, 3, type2=True)
    phonemes = dict(input="espeak", espeakVoice="en-us", symbols=piper_config(model)["phoneme_id_map"], before=[1, 0], between=[0], after=[2])
    save_piper("voice-piper", model)
    save("voice-piper", model, ["ada", "bob"], "en-US", phonemes, type2=True)


if __name__ == "__main__":
    make()
