"""A tiny language model of random weights, made in a fraction of a second: real enough for llama.cpp.

It has two layers of 64 and a vocabulary of bytes and a few words; it babbles those words, never stops
by itself (so that a limit or a stop must end it), and weighs about 400 KB.
"""

from pathlib import Path

import gguf
import numpy as np

TEXT = (
    "Привет мир це відповідь моделі модель каже слово за словом the model says word by word and"
    " never stops один два три чотири п'ять six seven eight nine ten"
)
LAYERS, WIDTH, HEADS, INNER = 2, 64, 4, 128
CONTEXT = 32_768
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SILENCED = 50.0
"""What keeps bytes and the end mark from being said: the first channel is one for every token, and
the output's rows for them are this much below zero in it."""


def make_gguf(
    path: Path,
    *,
    context: int = CONTEXT,
    seed: int = 0,
    layers: int = LAYERS,
    fills: bool = False,
) -> Path:
    """Writes the model into `path` and returns it. The same seed gives the same file; more layers make
    it slower, so that a person has time to stop it. `fills`: it takes a prefix and a suffix, which three of
    its words mark."""
    random = np.random.default_rng(seed)
    tokens, scores, kinds = _vocabulary()
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("babbler")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(True)
    if fills:
        for at, part in enumerate(("pre", "suf", "mid")):
            writer.add_uint32(f"tokenizer.ggml.fim_{part}_token_id", len(tokens) - 3 + at)
    writer.add_chat_template(CHAT_TEMPLATE)

    def matrix(rows: int, columns: int, scale: float = 0.05) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    embedding = matrix(len(tokens), WIDTH, 0.3)
    embedding[:, 0] = 1.0
    output = matrix(len(tokens), WIDTH, 0.3)
    spoken = np.array([kind == gguf.TokenType.NORMAL for kind in kinds])
    output[:, 0] = np.where(spoken, 0.0, -SILENCED)
    ones = np.ones(WIDTH, dtype=np.float32)
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", output)
    for layer in range(layers):
        name = f"blk.{layer}."
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{name}{part}.weight", matrix(WIDTH, WIDTH))
        writer.add_tensor(f"{name}ffn_gate.weight", matrix(INNER, WIDTH))
        writer.add_tensor(f"{name}ffn_up.weight", matrix(INNER, WIDTH))
        writer.add_tensor(f"{name}ffn_down.weight", matrix(WIDTH, INNER))
        writer.add_tensor(f"{name}attn_norm.weight", ones)
        writer.add_tensor(f"{name}ffn_norm.weight", ones)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary() -> tuple[list[str], list[float], list[gguf.TokenType]]:
    kind = gguf.TokenType
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL, *[kind.BYTE] * 256]
    words = sorted({f"▁{word}" for word in TEXT.split()})
    scores = [0.0] * len(tokens) + [-float(rank) for rank in range(1, len(words) + 1)]
    return tokens + words, scores, kinds + [kind.NORMAL] * len(words)
