"""Transformers as text encoders: from folders, and their checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from tests.text.tiny_encoders import (
    TEXTS,
    TOKENIZER,
    encode,
    transformer,
)

from polyglance.errors import ModelError
from polyglance.text.tokenizer import Tokenizer
from polyglance.text.transformer import (
    load_architecture,
    load_transformer,
    new_distilbert,
)


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny BERT and XLM-R folders, as ``save_pretrained`` leaves them."""
    from transformers import (
        BertConfig,
        BertModel,
        PreTrainedTokenizerFast,
        XLMRobertaConfig,
        XLMRobertaModel,
    )

    folder = tmp_path_factory.mktemp("models")
    TOKENIZER.save(folder / "tokenizer.json")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>", unk_token="<unk>"
    )
    size = {
        "vocab_size": len(TOKENIZER),
        "hidden_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 20,
        "pad_token_id": 0,
    }
    for name, model in (
        ("bert", BertModel(BertConfig(**size))),
        ("xlm-roberta", XLMRobertaModel(XLMRobertaConfig(**size))),
    ):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


@pytest.mark.parametrize("name", ["bert", "xlm-roberta"])
def test_any_model_from_a_folder(saved_models: Path, name: str) -> None:
    tokenizer = Tokenizer.from_pretrained(saved_models / name)
    model = load_transformer(saved_models / name)
    assert tokenizer.fingerprint
    encoder = transformer(model=model, tokenizer=tokenizer, max_length=19).eval()
    together, alone = encode(encoder, TEXTS), encode(encoder, [TEXTS[2]])
    torch.testing.assert_close(together.embedding[2], alone.embedding[0], rtol=0, atol=1e-6)
    encode(encoder, TEXTS).embedding[:, 0].sum().backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None] == []  # no dead pooler


@pytest.mark.parametrize("name", ["bert", "xlm-roberta"])
def test_a_checkpoint_does_not_need_the_folder_it_came_from(
    saved_models: Path, tmp_path: Path, name: str
) -> None:
    tokenizer = Tokenizer.from_pretrained(saved_models / name)
    model = load_transformer(saved_models / name)
    encoder = transformer(model=model, tokenizer=tokenizer, max_length=19).eval()
    encoder.save_tokenizer(tmp_path)
    other = transformer(
        model=load_architecture(tmp_path),
        tokenizer=Tokenizer.load(tmp_path / "tokenizer.json"),
        max_length=19,
    ).eval()
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encode(encoder, TEXTS).embedding, encode(other, TEXTS).embedding)


def test_a_damaged_architecture_is_named(tmp_path: Path) -> None:
    for content in (None, "{", "{}", '{"model_type": "unheard-of"}'):
        if content is not None:
            (tmp_path / "text-architecture.json").write_text(content)
        with pytest.raises(ModelError, match=r"text-architecture\.json cannot be read"):
            load_architecture(tmp_path)


def test_a_model_with_missing_weights_is_refused(saved_models: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(saved_models / "bert", tmp_path / "bert")
    weights = load_file(tmp_path / "bert" / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, tmp_path / "bert" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks the weights encoder\.layer\.0\.output"):
        load_transformer(tmp_path / "bert")


def test_pickled_weights_are_not_read(saved_models: Path, tmp_path: Path) -> None:
    shutil.copytree(saved_models / "bert", tmp_path / "bert")
    (tmp_path / "bert" / "model.safetensors").unlink()
    torch.save(
        load_transformer(saved_models / "bert").state_dict(),
        tmp_path / "bert" / "pytorch_model.bin",
    )
    with pytest.raises(ModelError, match=r"no text model at .*safetensors"):
        load_transformer(tmp_path / "bert")


def test_a_pretrained_tokenizer_gives_the_ids_of_transformers(saved_models: Path) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(saved_models / "bert")
    ids, mask = Tokenizer.from_pretrained(saved_models / "bert").encode_batch(TEXTS, max_length=8)
    wanted = theirs(TEXTS, padding=True, truncation=True, max_length=8, return_tensors="pt")
    assert torch.equal(ids, wanted["input_ids"])
    assert torch.equal(mask.long(), wanted["attention_mask"])


def test_absent_models_are_named_without_the_network(tmp_path: Path) -> None:
    for name in (tmp_path / "nowhere", "distilbert/distilbert-base-multilingual-cased"):
        with pytest.raises(ModelError, match=r"no text model at .* neither a folder"):
            load_transformer(name)
        with pytest.raises(ModelError, match=r"no tokenizer at .* neither a folder"):
            Tokenizer.from_pretrained(name)
    with pytest.raises(ModelError, match=r"no text model at .*config\.json.*save_pretrained"):
        load_transformer(tmp_path)
    with pytest.raises(ModelError, match=r"no tokenizer at .*save_pretrained"):
        Tokenizer.from_pretrained(tmp_path)


def test_impossible_transformers_are_refused(saved_models: Path) -> None:
    with pytest.raises(ValueError, match="beyond the model's 64 positions"):
        transformer(max_length=65)
    with pytest.raises(ValueError, match="beyond the model's 19 positions"):  # 20 less padding's
        transformer(model=load_transformer(saved_models / "xlm-roberta"), max_length=20)
    small = new_distilbert(vocabulary_size=3, pad_id=0, layers=1, width=12, heads=3)
    with pytest.raises(ValueError, match="do not belong together"):
        transformer(model=small)
    with pytest.raises(ValueError, match="multiple"):
        new_distilbert(vocabulary_size=9, pad_id=0, width=10, heads=3)


def test_an_encoder_decoder_is_refused(tmp_path: Path) -> None:
    from transformers import T5Config, T5Model

    config = T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    T5Model(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="text encoder such as"):
        load_transformer(tmp_path)
