"""Small dual encoders in the files that ``save_pretrained`` leaves, one for each family."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import processors
from tokenizers.pre_tokenizers import ByteLevel
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (
    ChineseCLIPImageProcessorPil,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

SIZE = 16
TOKENS = 12
WORDS = ["ein", "hund", "im", "schnee", "a", "dog", "狗"]
_SIDE = {"image_size": SIZE, "patch_size": 8}
_LAYERS = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def clip(folder: Path) -> None:
    """CLIP: byte pairs, causal attention, a text is what stands at its end token."""
    tokenizer = _byte_pairs()
    text = _text(
        tokenizer, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id
    )
    _save(
        folder,
        transformers.CLIPModel(
            transformers.CLIPConfig(
                text_config=text, vision_config=_LAYERS | _SIDE, projection_dim=8
            )
        ),
        tokenizer,
        CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size=SIZE),
    )


def siglip(folder: Path) -> None:
    """SigLIP: a SentencePiece model, no projection, a bilinear filter and other colours."""
    _save(
        folder,
        transformers.SiglipModel(_siglip_config(_sentence_pieces(folder))),
        _sentence_pieces(folder),
        SiglipImageProcessorPil(size={"height": SIZE, "width": SIZE}, resample=2),
    )


def siglip2(folder: Path) -> None:
    """SigLIP 2 of a fixed resolution: SigLIP's model with Gemma's kind of tokenizer."""
    tokenizer = _gemma_like()
    _save(
        folder,
        transformers.SiglipModel(_siglip_config(tokenizer)),
        tokenizer,
        SiglipImageProcessorPil(
            size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
        ),
    )


def chinese_clip(folder: Path) -> None:
    """Chinese-CLIP: BERT reads the text, its first token is the text."""
    tokenizer = _wordpieces()
    _save(
        folder,
        transformers.ChineseCLIPModel(
            transformers.ChineseCLIPConfig(
                text_config=_text(tokenizer), vision_config=_LAYERS | _SIDE, projection_dim=8
            )
        ),
        tokenizer,
        ChineseCLIPImageProcessorPil(size={"height": SIZE, "width": SIZE}, do_center_crop=False),
    )


def altclip(folder: Path) -> None:
    """AltCLIP: XLM-R reads the text and numbers its positions from the padding on."""
    tokenizer = _unigram()
    text = _text(tokenizer, project_dim=8) | {"max_position_embeddings": TOKENS + 2}
    _save(
        folder,
        transformers.AltCLIPModel(
            transformers.AltCLIPConfig(
                text_config=text, vision_config=_LAYERS | _SIDE, projection_dim=8
            )
        ),
        tokenizer,
        CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size=SIZE),
    )


def metaclip_2(folder: Path) -> None:
    """MetaCLIP 2: CLIP with XLM-R's kind of tokenizer."""
    tokenizer = _unigram()
    text = _text(tokenizer, eos_token_id=tokenizer.eos_token_id)
    _save(
        folder,
        transformers.MetaClip2Model(
            transformers.MetaClip2Config(
                text_config=text, vision_config=_LAYERS | _SIDE, projection_dim=8
            )
        ),
        tokenizer,
        CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size=SIZE),
    )


FAMILIES: dict[str, Callable[[Path], None]] = {
    "clip": clip,
    "siglip": siglip,
    "siglip2": siglip2,
    "chinese_clip": chinese_clip,
    "altclip": altclip,
    "metaclip_2": metaclip_2,
}


def sentence_tower(folder: Path, *, dimension: int = 8) -> Any:
    """A text tower in the layout of clip-ViT-B-32-multilingual-v1; returns its linear layer."""
    from safetensors.torch import save_file

    tokenizer = _wordpieces()
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), dim=16, hidden_dim=24, n_layers=2, n_heads=2
    )
    _save(folder, transformers.DistilBertModel(config), tokenizer)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 9}')
    modules = []
    for place, (kind, path) in enumerate(
        [("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")]
    ):
        (folder / path).mkdir(exist_ok=True)
        named = f"sentence_transformers.models.{kind}"
        modules.append({"idx": place, "name": str(place), "path": path, "type": named})
    (folder / "modules.json").write_text(json.dumps(modules))
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": False}
    pooling |= {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    activation = "torch.nn.modules.linear.Identity"
    dense = {"in_features": 16, "out_features": dimension, "bias": False}
    dense |= {"activation_function": activation}
    (folder / "2_Dense" / "config.json").write_text(json.dumps(dense))
    torch.manual_seed(1)
    layer = torch.nn.Linear(16, dimension, bias=False)
    save_file({"linear.weight": layer.weight.data}, folder / "2_Dense" / "model.safetensors")
    return layer


def theirs(folder: Path) -> tuple[Any, Any, Any]:
    """Model, tokenizer and image processor as transformers loads them."""
    return (
        transformers.AutoModel.from_pretrained(folder).eval(),
        transformers.AutoTokenizer.from_pretrained(folder),
        transformers.AutoImageProcessor.from_pretrained(folder, backend="pil"),
    )


def _save(folder: Path, model: Any, *others: Any) -> None:
    """Every weight is random: some are zero or equal in a new model, and would hide mistakes."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = parameter.data + 0.2 * noise
    for part in (model, *others):
        part.save_pretrained(folder)


def _text(tokenizer: Any, **others: int | None) -> dict[str, Any]:
    return {
        **_LAYERS,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": TOKENS,
        "pad_token_id": tokenizer.pad_token_id,
        **others,
    }


def _siglip_config(tokenizer: Any) -> transformers.SiglipConfig:
    text = _text(tokenizer, projection_size=16)
    return transformers.SiglipConfig(text_config=text, vision_config=_LAYERS | _SIDE)


def _byte_pairs() -> transformers.CLIPTokenizer:
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["do", "dog</w>", "<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[("d", "o"), ("do", "g</w>")],
        model_max_length=TOKENS,
    )


def _wordpieces() -> transformers.BertTokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {token: number for number, token in enumerate([*special, *WORDS])}
    return transformers.BertTokenizer(vocab=vocabulary, model_max_length=TOKENS)


def _gemma_like() -> transformers.GemmaTokenizer:
    """As published beside SigLIP 2: it keeps capitals, of which the model has seen none."""
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    tokens = [
        "<pad>",
        "<eos>",
        "<bos>",
        "<unk>",
        "<mask>",
        "▁",
        *bytes_,
        *"abcdefghijklmnopqrstuvwxyz",
    ]
    tokens += ["do", "dog"]
    tokenizer = transformers.GemmaTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[("d", "o"), ("do", "g")],
        padding_side="right",
        model_input_names=["input_ids"],
    )
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    return tokenizer


def _unigram() -> transformers.XLMRobertaTokenizer:
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = ["▁", *(f"▁{word}" for word in WORDS), *"adeghimnosu", "<mask>"]
    vocabulary = [*((token, 0.0) for token in special), *((piece, -2.0) for piece in pieces)]
    return transformers.XLMRobertaTokenizer(vocab=vocabulary, model_max_length=TOKENS)


def _sentence_pieces(folder: Path) -> transformers.SiglipTokenizer:
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    stem = folder.parent / f"{folder.name}-pieces"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*WORDS, "the quick brown fox jumps over lazy dogs"] * 20),
        model_prefix=str(stem),
        vocab_size=60,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    return transformers.SiglipTokenizer(
        f"{stem}.model", pad_token="</s>", model_input_names=["input_ids"]
    )
