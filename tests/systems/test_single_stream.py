"""Single streams from their configuration, from a checkpoint's folder, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from polyglance.errors import ConfigError, ModelError
from polyglance.single_stream.stream import SingleStream
from polyglance.single_stream.tokens import PairTokenizer
from polyglance.systems.builders import build_single_stream
from polyglance.systems.config import (
    PretrainedWordsConfig,
    SentenceWordsConfig,
    SingleStreamConfig,
    TokenizerConfig,
    TrunkConfig,
    VisualConfig,
    WordTableConfig,
)

TEXTS = ["A dog runs over the grass.", "Ein Hund läuft über das Gras."] * 3
WORDS = WordTableConfig()
SMALL = TokenizerConfig(vocabulary_size=300)


def config(*, words: WordTableConfig = WORDS, name: str | None = None) -> SingleStreamConfig:
    return SingleStreamConfig(
        trunk=TrunkConfig(
            name=name, tokenizer=SMALL, words=words, layers=1, width=12, heads=2, max_length=16
        ),
        visual=VisualConfig(frequencies=2),
        languages=("en", "de"),
    )


def save(stream: SingleStream, tokenizer: PairTokenizer, folder: Path) -> None:
    tokenizer.save(folder)
    stream.trunk.save_architecture(folder)


def pretrained(folder: Path, *, positions: int = 40, words: int = 300) -> str:
    """A tiny BERT with a tokenizer that has a mask, as ``save_pretrained`` leaves them."""
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from polyglance.text.tokenizer import Tokenizer

    Tokenizer.train(TEXTS, vocabulary_size=300, mask=True).save(folder / "own.json")
    PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "own.json"), pad_token="<pad>", mask_token="<mask>"
    ).save_pretrained(folder / "bert")
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(
        BertConfig(vocab_size=words, intermediate_size=8, max_position_embeddings=positions, **size)
    ).save_pretrained(folder / "bert")
    return str(folder / "bert")


def states(stream: SingleStream, tokenizer: PairTokenizer) -> torch.Tensor:
    tokens = tokenizer.single(TEXTS[:2], ["en", "de"])
    found = stream.eval()(stream.embed_tokens(tokens), tokens.mask)
    return torch.as_tensor(found.first)


def test_from_scratch_and_back_from_a_checkpoint(tmp_path: Path) -> None:
    stream, tokenizer = build_single_stream(config(), channels=5, training_texts={"en": TEXTS})
    assert tokenizer.languages == ("de", "en")
    assert tokenizer.tokenizer.mask_id
    assert len(stream.trunk.words) == len(tokenizer.tokenizer)
    assert (stream.visual.region_norm.weight == 0.02).all()
    save(stream, tokenizer, tmp_path)
    other, same = build_single_stream(config(), channels=5, folder=tmp_path)
    other.load_state_dict(stream.state_dict())
    assert torch.equal(states(stream, tokenizer), states(other, same))


def test_from_a_pretrained_model_and_without_it_thereafter(tmp_path: Path) -> None:
    from transformers import BertModel

    name = pretrained(tmp_path)
    stream, tokenizer = build_single_stream(config(name=name), channels=5)
    tokens = tokenizer.single(TEXTS[:2], ["en", "de"])
    official = BertModel.from_pretrained(name).eval()
    expected = official(input_ids=tokens.ids, attention_mask=tokens.mask.long())
    torch.testing.assert_close(
        states(stream, tokenizer), expected.last_hidden_state[:, 0], rtol=0, atol=1e-5
    )
    assert not stream.visual.region_norm.weight.any()
    (tmp_path / "checkpoint").mkdir()
    save(stream, tokenizer, tmp_path / "checkpoint")
    other, same = build_single_stream(
        config(name="long/gone"), channels=5, folder=tmp_path / "checkpoint"
    )
    other.load_state_dict(stream.state_dict())
    assert torch.equal(states(stream, tokenizer), states(other, same))


def test_words_start_from_given_vectors(tmp_path: Path) -> None:
    file = tmp_path / "vectors.vec"
    file.write_text("3 2\nhund 3 4\ndog 3 4\nthe 0 -1\n", encoding="utf-8")
    words = WordTableConfig(dimension=2, start=PretrainedWordsConfig(path=file), frozen=True)
    stream, tokenizer = build_single_stream(
        config(words=words), channels=5, training_texts={"en": TEXTS}
    )
    vocabulary = tokenizer.tokenizer.vocabulary
    vectors = stream.trunk.words.vectors
    assert not vectors.requires_grad
    for word, vector in (("Ġdog", [0.6, 0.8]), ("Ġhund", [0.6, 0.8]), ("Ġthe", [0.0, -1.0])):
        torch.testing.assert_close(vectors[vocabulary[word]], torch.tensor(vector))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
    # The file is not read again for a checkpoint.
    file.unlink()
    save(stream, tokenizer, tmp_path)
    other, _ = build_single_stream(config(words=words), channels=5, folder=tmp_path)
    other.load_state_dict(stream.state_dict())
    assert torch.equal(other.trunk.words.vectors, vectors)


def test_words_start_from_the_sentence_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever encoder is at hand there: here one that tells words by their first letter."""
    from polyglance.text.sentence_encoder import SentenceEncoder

    class FirstLetter:
        dimension = 30
        fingerprint = "f"

        def embed(self, texts: list[str]) -> np.ndarray:
            return np.eye(30, dtype=np.float32)[[ord(text[0]) % 30 for text in texts]]

    monkeypatch.setattr(SentenceEncoder, "load", FirstLetter)
    words = WordTableConfig(dimension=30, start=SentenceWordsConfig())
    stream, tokenizer = build_single_stream(
        config(words=words), channels=5, training_texts={"en": TEXTS}
    )
    vectors = stream.trunk.words.vectors
    assert vectors.requires_grad
    vocabulary = tokenizer.tokenizer.vocabulary
    for word in ("dog", "hund", "over"):
        assert vectors[vocabulary[f"Ġ{word}"], ord(word[0]) % 30] == 1
    assert vectors[vocabulary["og"]].abs().max() < 0.9  # means nothing alone, starts at random


def test_vectors_of_another_dimension_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "vectors.vec"
    file.write_text("1 2\ndog 3 4\n", encoding="utf-8")
    words = WordTableConfig(dimension=3, start=PretrainedWordsConfig(path=file))
    with pytest.raises(ConfigError, match=r"words\.dimension = 3, but .* have 2"):
        build_single_stream(config(words=words), channels=5, training_texts={"en": TEXTS})


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no captions"):
        build_single_stream(config(), channels=5)
    for folder in ("short", "few"):
        (tmp_path / folder).mkdir()
    short = pretrained(tmp_path / "short", positions=17)
    with pytest.raises(
        ConfigError, match=r"max_length = 16, .* at most 15 tokens beside a picture"
    ):
        build_single_stream(config(name=short), channels=5)
    few = pretrained(tmp_path / "few", words=100)
    with pytest.raises(ModelError, match="do not belong together"):
        build_single_stream(config(name=few), channels=5)


@pytest.mark.parametrize(
    ("part", "keys", "message"),
    [
        (TrunkConfig, {"width": 10, "heads": 4}, "not a multiple of 4 heads"),
        (TrunkConfig, {"max_length": 4}, "greater than or equal to 5"),
        (TrunkConfig, {"name": "x", "words": {"dimension": 3}}, "vectors of its own"),
        (WordTableConfig, {"frozen": True}, "give the dimension"),
        (WordTableConfig, {"start": {"kind": "sentence"}}, "give the dimension"),
        (SingleStreamConfig, {"languages": ["german"]}, "is no language"),
    ],
)
def test_impossible_configurations_are_refused(
    part: type[TrunkConfig], keys: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        part.model_validate(keys)
