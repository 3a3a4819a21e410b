"""Makes tiny language models as Hugging Face stores them, and what transformers writes with them.

    python test/golden/make_hf_lm_golden.py      # from the project's root; needs torch, transformers, tokenizers

hf-qwen3/   Qwen3ForCausalLM in two shards, BF16: tied, wide heads, YaRN; tokenizer and template as Qwen has them
hf-llama/   LlamaForCausalLM, F32: an output of its own, biases, Llama 3.1's RoPE
Each with golden.json: prompts as ids, and the likeliest continuation; texts, and their ids by the tokenizers library.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

FOLDER = Path(__file__).parent
STEPS = 24
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXTS = [
    "Hello, world!", "  two  spaces ", "I've done it, they'll SEE: it's 12345 + 6.78\n\n", "你好，世界！", "naïve façade e\u0301",
    "👩‍👩‍👧‍👦 🦙", "नमस्ते दुनिया", "\t\r\n x", "",
]  # fmt: skip
TEMPLATE = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"


def tokenizer(digits: str, nfc: bool) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC() if nfc else None
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(GPT4 % digits), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=290, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    made.train_from_iterator(TEXTS, trainer)
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
    made.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = TEMPLATE
    return fast


def randomize(model: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "embed" in name:
                p.copy_(noise)
            elif p.dim() == 2:
                p.copy_(noise * 2 / p.shape[1] ** 0.5)
            else:
                p.copy_((1 if "norm" in name else 0) + 0.2 * noise)


@torch.no_grad()
def make(name: str, model: torch.nn.Module, tok: PreTrainedTokenizerFast, **save) -> None:
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    model.generation_config.temperature = None
    model.generation_config.top_p = 0.9
    model.generation_config.top_k = 7
    model.generation_config.do_sample = True
    model.generation_config.eos_token_id = [tok.eos_token_id, tok.pad_token_id]
    model.save_pretrained(folder, **save)
    tok.save_pretrained(folder)
    model = type(model).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    runs = []
    for seed in range(4):
        prompt = torch.randint(0, 280, (1, 3 + 9 * seed), generator=torch.Generator().manual_seed(seed))
        ids = prompt
        margin = float("inf")
        for _ in range(STEPS):
            top = model(ids).logits[0, -1].topk(2)
            margin = min(margin, float(top.values[0] - top.values[1]))
            ids = torch.cat([ids, top.indices[None, :1]], 1)
        assert margin > 1e-3, f"{name}: a draw that rounding decides ({margin}): take another seed"
        runs.append({"prompt": prompt[0].tolist(), "reply": ids[0, prompt.shape[1] :].tolist()})
    golden = {"runs": runs, "texts": TEXTS, "ids": [tok.encode(t, add_special_tokens=False) for t in TEXTS]}
    (folder / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def main() -> None:
    tok = tokenizer("", True)
    qwen = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=304, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
            max_position_embeddings=256, tie_word_embeddings=True, attention_bias=False, rms_norm_eps=1e-6,
            rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "rope_theta": 1e6}, rope_theta=1e6,
        )
    )  # fmt: skip
    randomize(qwen, 1)
    make("hf-qwen3", qwen.to(torch.bfloat16), tok, max_shard_size="30KB")
    tok = tokenizer("{1,3}", False)
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=304, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=1,
            max_position_embeddings=256, tie_word_embeddings=False, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-5,
            rope_scaling={
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
                "rope_theta": 10000.0,
            }, rope_theta=10000.0,
        )
    )  # fmt: skip
    randomize(llama, 2)
    make("hf-llama", llama, tok)
    for path in sorted(FOLDER.glob("hf-*/*")):
        print(f"{path.parent.name}/{path.name:34} {path.stat().st_size / 1000:8.1f} kB")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
