"""Translation models in the layout of the official ones, too small to say anything sensible."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
    NllbTokenizer,
)

TEXTS = ["a dog runs on the grass", "two cats", "a child in a red coat plays with a ball", "两只狗"]
CORPUS = [*TEXTS, "the grass is green", "a red ball", "the child runs", "一只猫", "红色的球"] * 3


def save_tiny_translators(folder: Path) -> None:
    """``marian``, ``marian-many``, ``m2m100`` and ``nllb`` with random weights, in a folder."""
    pieces = folder / "pieces"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_prefix=str(pieces),
        vocab_size=70,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    known = sentencepiece.SentencePieceProcessor(model_file=f"{pieces}.model")
    words = [known.id_to_piece(n) for n in range(3, known.get_piece_size())]
    for name, extra in (("marian", []), ("marian-many", [">>deu<<", ">>zh<<"])):
        vocabulary = ["</s>", "<unk>", *words, *extra, "<pad>"]
        _write(folder / "vocab.json", {word: n for n, word in enumerate(vocabulary)})
        tokenizer = MarianTokenizer(
            source_spm=f"{pieces}.model", target_spm=f"{pieces}.model",
            vocab=str(folder / "vocab.json"), source_lang="en", target_lang="zh",
        )  # fmt: skip
        pad = len(vocabulary) - 1
        config = MarianConfig(
            vocab_size=len(vocabulary), pad_token_id=pad, eos_token_id=0, bos_token_id=0,
            decoder_start_token_id=pad, forced_eos_token_id=0, **_size("d_model"),
        )  # fmt: skip
        _save(MarianMTModel, config, tokenizer, folder / name)
    _write(
        folder / "vocab.json",
        {w: n for n, w in enumerate(["<s>", "<pad>", "</s>", "<unk>", *words])},
    )
    tokenizer = M2M100Tokenizer(vocab_file=str(folder / "vocab.json"), spm_file=f"{pieces}.model")
    config = M2M100Config(
        vocab_size=len(words) + 4 + 100 + 8, decoder_start_token_id=2, **_size("d_model")
    )
    _save(M2M100ForConditionalGeneration, config, tokenizer, folder / "m2m100")
    letters = sorted({c for text in CORPUS for c in text.replace(" ", "▁")})
    vocabulary = {t: n for n, t in enumerate(["<s>", "<pad>", "</s>", "<unk>", *letters, "▁a"])}
    nllb = NllbTokenizer(vocab=vocabulary, merges=[("▁", "a")])
    config = M2M100Config(vocab_size=len(nllb), decoder_start_token_id=2, **_size("d_model"))
    _save(M2M100ForConditionalGeneration, config, nllb, folder / "nllb")


def _size(width: str) -> dict[str, Any]:
    return {
        width: 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
        "max_position_embeddings": 40, "init_std": 1.0,
    }  # fmt: skip


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _save(kind: Callable[..., Any], config: Any, tokenizer: Any, folder: Path) -> None:
    torch.manual_seed(1)
    kind(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
