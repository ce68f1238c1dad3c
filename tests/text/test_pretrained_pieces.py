"""Masks, marks and words of tokenizers in the formats of BERT and of XLM-R."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from polyglance.text.tokenizer import Tokenizer

TEXT = "Der Hund läuft. 一只狗"


def bert(folder: Path) -> Tokenizer:
    """A WordPiece tokenizer as multilingual BERT has it, saved by the transformers library."""
    from transformers import BertTokenizerFast

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += ["der", "hun", "##d", "lau", "##ft", ".", "一", "只", "狗"]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    BertTokenizerFast(vocab=vocabulary, do_lower_case=True).save_pretrained(folder)
    return Tokenizer.from_pretrained(folder)


def xlm_roberta(folder: Path) -> Tokenizer:
    """A Unigram tokenizer as XLM-R has it: one piece may reach over a space or two characters."""
    from transformers import PreTrainedTokenizerFast

    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁Der", "▁Hun", "d", "▁läuft", "."]
    pieces += ["▁", "一只", "狗", "<mask>"]
    backend = Backend(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=3))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    ).save_pretrained(folder)
    return Tokenizer.from_pretrained(folder)


def said(tokenizer: Tokenizer) -> list[tuple[str, int]]:
    names = {number: piece for piece, number in tokenizer.vocabulary.items()}
    (found,) = tokenizer.encode_words([TEXT])
    return [(names[number], word) for number, word in zip(*found, strict=True)]


def test_bert(tmp_path: Path) -> None:
    tokenizer = bert(tmp_path)
    assert tokenizer.around == (2, 3)
    assert tokenizer.mask_id == 4
    assert tokenizer.special_ids == [0, 1, 2, 3, 4]
    assert said(tokenizer) == [
        ("der", 0),
        ("hun", 1),
        ("##d", 1),
        ("lau", 2),
        ("##ft", 2),
        (".", 3),
        ("一", 4),
        ("只", 5),
        ("狗", 6),
    ]


def test_xlm_roberta(tmp_path: Path) -> None:
    tokenizer = xlm_roberta(tmp_path)
    assert tokenizer.around == (0, 2)
    assert tokenizer.mask_id == 12
    assert tokenizer.special_ids == [0, 1, 2, 3, 12]
    assert [pair for pair in said(tokenizer) if pair[0] != "▁"] == [
        ("▁Der", 0),
        ("▁Hun", 1),
        ("d", 1),
        ("▁läuft", 2),
        (".", 3),
        ("一只", 5),
        ("狗", 6),
    ]


@pytest.mark.parametrize("make", [bert, xlm_roberta])
def test_a_saved_copy_knows_the_same(tmp_path: Path, make: object) -> None:
    assert callable(make)
    tokenizer = make(tmp_path)
    tokenizer.save(tmp_path / "copy.json")
    copy = Tokenizer.load(tmp_path / "copy.json")
    assert (copy.around, copy.mask_id, copy.pad_id) == (
        tokenizer.around,
        tokenizer.mask_id,
        tokenizer.pad_id,
    )
    assert said(copy) == said(tokenizer)
