"""Makes tiny Qwen3 and Llama models as llama.cpp writes them, and what llama.cpp computes for them.

    python test/golden/make_lm_golden.py [SmolLM2-135M-Instruct.Q4_1.gguf]     # from the project's root; needs gguf, numpy, node

lm-qwen3.gguf         tied output, YaRN, heads wider than the embedding has room for; byte-level BPE (qwen2), ChatML template
lm-qwen3-bias.gguf    an output of its own, biases of q, k and v, F16
lm-llama.gguf         tied output, RoPE factors (Llama 3.1), all biases; SentencePiece tokenizer, template with a system turn
lm-llama-linear.gguf  an output of its own, linear RoPE scaling, F16; byte-level BPE (smollm)
lm-llama-k.gguf       one wide block of K-quants and their like
lm.golden.gguf        ids, and the logits of every position for each model (keys and values F32)
lm-tokens.golden.json texts, and the ids of each tokenizer for them
smollm2.golden.gguf   the same for the real model: logits of the last position of a prompt, F16
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np

FOLDER = Path(__file__).parent
IDS = [1, 40, 100, 7, 200, 250, 3, 99, 98, 97, 17, 60, 128, 255, 2, 30, 31, 32, 90, 11, 5, 77]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SYSTEM = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{{ '[' + messages[0]['content'] + ']' }}"
    "{% else %}{% set rest = messages %}{% endif %}{% for message in rest %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ message['role'][0] + ':' + message['content'] | trim }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
)  # fmt: skip
TEXTS = [
    "Hello, world!", "  two  spaces ", "the thing in the inn\n\n\tthe end\r\n", "I've done it, they'll SEE: it's 12345 + 6.78", "",
    "你好，世界！", "Grüße, naïve façade", "👩‍👩‍👧‍👦 🦙", "नमस्ते दुनिया", "こんにちは 123", "مرحبا", "a\u00a0b\u3000c", "…—“q”", "\n", " ", "x" * 40,
    "e\u0301 \u1100\u1161", "<|im_end|> is text", "▁ and _",
]  # fmt: skip


def byte_tokens() -> list[str]:
    """GPT-2's printable stand-ins, by byte."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) if b in keep else chr(256 + sum(c not in keep for c in range(b))) for b in range(256)]


def add_bpe(writer: gguf.GGUFWriter, pre: str) -> int:
    merges = ["h e", "t he", "Ġ the", "i n", "Ġ in", "l l", "he ll", "Ġ t", "1 2", "12 3", "à ¤", "ä ½", "Ċ Ċ", "Ġ Ġ", "' t", "in g", "x x", "xx xx"]
    tokens = [*SPECIAL, *byte_tokens(), *(m.replace(" ", "") for m in merges)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)
    return len(tokens)


def add_spm(writer: gguf.GGUFWriter) -> int:
    pieces = "▁the ▁th he in ing ▁in ▁t th ll ▁H ell ▁Hell ▁▁ ▁i it ▁it nd end ▁end 12 34 世界".split() + list("▁etaoinshrdlucmHIS123456,.!'你好世界é")
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *pieces]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-float(i) for i in range(len(pieces))])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * len(pieces))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_chat_template(SYSTEM)
    return len(tokens)


class Model:
    """A model file under construction; matrices keep the signal's size."""

    def __init__(self, name: str, arch: str, seed: int, vocab, *, size=32, ffn=32, heads=4, kv=2, dim=8, blocks=2):
        self.path = FOLDER / f"{name}.gguf"
        self.size, self.ffn, self.heads, self.kv, self.dim, self.blocks = size, ffn, heads, kv, dim, blocks
        self.rng = np.random.default_rng(seed)
        w = self.writer = gguf.GGUFWriter(self.path, arch)
        w.add_name(name)
        w.add_context_length(2048)
        w.add_embedding_length(size)
        w.add_feed_forward_length(ffn)
        w.add_block_count(blocks)
        w.add_head_count(heads)
        w.add_head_count_kv(kv)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_rope_freq_base(10000.0)
        if dim * heads != size:
            w.add_key_length(dim)
            w.add_value_length(dim)
        w.add_rope_dimension_count(dim)
        self.vocab = vocab(w)
        w.add_vocab_size(self.vocab)

    def matrix(self, name: str, rows: int, cols: int, kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32, gain=1.0) -> None:
        values = (self.rng.standard_normal((rows, cols)) * gain / np.sqrt(cols)).astype(np.float32)
        if kind == gguf.GGMLQuantizationType.F32:
            self.writer.add_tensor(name, values)
        elif kind.name.endswith("_K") or kind.name.startswith("IQ"):
            self.writer.add_tensor(name, self.random_blocks(rows, cols, kind), raw_dtype=kind)
        else:
            self.writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def random_blocks(self, rows: int, cols: int, kind: gguf.GGMLQuantizationType) -> np.ndarray:
        """Quantized blocks of random bits whose scales make values as large as a matrix's are."""
        block, size = gguf.GGML_QUANT_SIZES[kind]
        data = self.rng.integers(0, 256, (rows * cols // block, size), dtype=np.uint8)
        scales = {"Q4_K": (0, 2), "Q5_K": (0, 2), "Q2_K": (80, 82), "Q6_K": (208,), "Q3_K": (108,), "IQ4_XS": (0,), "IQ4_NL": (0,)}[kind.name]
        for at in scales:
            data[:, at : at + 2] = np.frombuffer(np.float16(1).tobytes(), np.uint8)
        spread = float(np.std(gguf.quants.dequantize(data, kind)))
        for at in scales:
            data[:, at : at + 2] = np.frombuffer(np.float16(1 / np.sqrt(cols) / spread).tobytes(), np.uint8)
        return data.reshape(rows, -1)

    def vector(self, name: str, size: int, mean: float) -> None:
        self.writer.add_tensor(name, (mean + 0.2 * self.rng.standard_normal(size)).astype(np.float32))

    def build(self, *, qk_norm: bool, tied: bool, biases: tuple[str, ...] = (), kinds: dict[str, str] | None = None, base="F32") -> None:
        kind = lambda part: gguf.GGMLQuantizationType[(kinds or {}).get(part, base)]  # noqa: E731
        self.matrix("token_embd.weight", self.vocab, self.size, kind("token_embd"), 3)
        q, k = self.heads * self.dim, self.kv * self.dim
        for i in range(self.blocks):
            for part, rows, cols in (
                ("attn_q", q, self.size), ("attn_k", k, self.size), ("attn_v", k, self.size), ("attn_output", self.size, q),
                ("ffn_gate", self.ffn, self.size), ("ffn_up", self.ffn, self.size), ("ffn_down", self.size, self.ffn),
            ):  # fmt: skip
                self.matrix(f"blk.{i}.{part}.weight", rows, cols, kind(part), 2)
                if part in biases:
                    self.vector(f"blk.{i}.{part}.bias", rows, 0)
            for part, size in (("attn_norm", self.size), ("ffn_norm", self.size), *((("attn_q_norm", self.dim), ("attn_k_norm", self.dim)) if qk_norm else ())):
                self.vector(f"blk.{i}.{part}.weight", size, 1)
        self.vector("output_norm.weight", self.size, 1)
        if not tied:
            self.matrix("output.weight", self.vocab, self.size, kind("output"), 2)
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def make_models() -> list[Path]:
    models = []
    m = Model("lm-qwen3", "qwen3", 1, lambda w: add_bpe(w, "qwen2"), dim=16)
    m.writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    m.writer.add_rope_scaling_factor(4.0)
    m.writer.add_rope_scaling_orig_ctx_len(16)
    m.writer.add_sampling_temp(0.5)
    m.writer.add_sampling_top_k(11)
    m.build(qk_norm=True, tied=True)
    models.append(m.path)
    m = Model("lm-qwen3-bias", "qwen3", 2, lambda w: add_bpe(w, "qwen2"))
    m.build(qk_norm=True, tied=False, biases=("attn_q", "attn_k", "attn_v"), base="F16")
    models.append(m.path)
    m = Model("lm-llama", "llama", 3, add_spm)
    m.writer.add_tensor("rope_freqs.weight", np.array([1, 1.5, 4, 8], np.float32))
    m.build(qk_norm=False, tied=True, biases=("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"))
    models.append(m.path)
    m = Model("lm-llama-linear", "llama", 4, lambda w: add_bpe(w, "smollm"), kv=4)
    m.writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    m.writer.add_rope_scaling_factor(2.0)
    m.build(qk_norm=False, tied=False, base="F16")
    models.append(m.path)
    m = Model("lm-llama-k", "llama", 5, lambda w: add_bpe(w, "llama-bpe"), size=256, ffn=256, kv=1, dim=64, blocks=1)
    kinds = {
        "token_embd": "Q6_K", "attn_q": "Q4_K", "attn_k": "Q5_K", "attn_v": "Q6_K", "attn_output": "Q3_K", "ffn_gate": "Q2_K",
        "ffn_up": "Q4_1", "ffn_down": "IQ4_XS",
    }  # fmt: skip
    m.build(qk_norm=False, tied=True, kinds=kinds)
    models.append(m.path)
    return models


def save(path: Path, ids: list[int], tensors: dict[str, np.ndarray]) -> None:
    writer = gguf.GGUFWriter(path, "golden")
    writer.add_array("ids", ids)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    reference = subprocess.run(["node", "scripts/llama-cpp.mjs"], check=True, capture_output=True, text=True, cwd=FOLDER.parents[1]).stdout.strip()

    def logits(model: Path, cache: str, ids: list[int]) -> np.ndarray:
        out = subprocess.run([reference, "logits", str(model), cache, *map(str, ids)], check=True, capture_output=True).stdout
        return np.frombuffer(out, np.float32).reshape(len(ids), -1)

    def tokenize(model: Path) -> list[list[int]]:
        escaped = [t.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") for t in TEXTS]
        lines = subprocess.run([reference, "tokenize", str(model)], check=True, input="\n".join(escaped) + "\n", capture_output=True, text=True).stdout
        return [[int(i) for i in line.split()] for line in lines.split("\n")[: len(TEXTS)]]

    models = make_models()
    save(FOLDER / "lm.golden.gguf", IDS, {f"{m.stem}.logits": logits(m, "f32", IDS) for m in models})
    tokens = {m.name: tokenize(m) for m in models if m.stem not in ("lm-qwen3-bias",)}
    if len(sys.argv) > 1:
        smol = Path(sys.argv[1])
        tokens[smol.name] = tokenize(smol)
        ids = [1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712, 8182, 2, 198, 1, 4093, 198]
        ids += [1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198]
        save(FOLDER / "smollm2.golden.gguf", ids, {"logits": logits(smol, "f32", ids)[-1:].astype(np.float16)})
    text = json.dumps({"texts": TEXTS, "ids": tokens}, ensure_ascii=False, separators=(",", ":"))
    (FOLDER / "lm-tokens.golden.json").write_text(text + "\n", encoding="utf-8")
    for path in sorted(FOLDER.glob("*lm*")):
        print(f"{path.name:24} {path.stat().st_size / 1000:8.1f} kB")


if __name__ == "__main__":
    main()
