"""What every text encoder that learns from tokens must do, and what each does in particular."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from polyglance.errors import ModelError
from polyglance.features import Features
from polyglance.heads import ProjectionHead
from polyglance.text.alphabet import Alphabet
from polyglance.text.character_words import CharacterWords
from polyglance.text.frozen_transformer import FrozenTransformerTextEncoder
from polyglance.text.learned_words import LearnedWords
from polyglance.text.recurrent import RecurrentTextEncoder
from polyglance.text.segment import Segmenter
from polyglance.text.tokenizer import Tokenizer
from polyglance.text.transformer import (
    TransformerTextEncoder,
    load_architecture,
    load_transformer,
    new_distilbert,
)
from polyglance.text.vocabulary import Vocabulary
from polyglance.text.word_vectors import WordVectors

TEXTS = ["a dog", "", "a dog runs over the wide green grass by the sea", "狗", "seven 👩🏽‍🚀 words"]
TOKENIZER = Tokenizer.train(TEXTS, min_frequency=1, vocabulary_size=300)
SEGMENTER = Segmenter()
WORDS = [word for text in TEXTS for word in SEGMENTER.words(text)]
VOCABULARY = Vocabulary.of([*WORDS, "<unk>"], min_frequency=1)
ALPHABET = Alphabet.of(WORDS, min_frequency=1)
TextModule = RecurrentTextEncoder | TransformerTextEncoder | FrozenTransformerTextEncoder


def learned() -> LearnedWords:
    return LearnedWords(vocabulary=VOCABULARY, dimension=6)


def characters() -> CharacterWords:
    return CharacterWords(
        alphabet=ALPHABET, character_dimension=3, word_length=6, widths=(7, 6), dropout=0.1
    )


def recurrent(
    words: Callable[[], LearnedWords | CharacterWords] = learned, **changes: object
) -> RecurrentTextEncoder:
    torch.manual_seed(0)
    arguments: dict[str, object] = {
        "segmenter": SEGMENTER,
        "words": words(),
        "hidden_size": 10,
        "head": ProjectionHead(input_dimension=10, dimension=4),
    }
    return RecurrentTextEncoder(**(arguments | changes))


def distilbert(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return new_distilbert(
        vocabulary_size=len(TOKENIZER), pad_id=TOKENIZER.pad_id, layers=2, width=12, heads=3
    )


def transformer(**changes: object) -> TransformerTextEncoder:
    arguments: dict[str, object] = {
        "tokenizer": TOKENIZER,
        "model": distilbert(0),
        "head": ProjectionHead(input_dimension=12, dimension=4),
    }
    return TransformerTextEncoder(**(arguments | changes))


def frozen_transformer(**changes: object) -> FrozenTransformerTextEncoder:
    model = distilbert(0)
    arguments: dict[str, object] = {
        "tokenizer": TOKENIZER,
        "model": model,
        "hidden_size": 10,
        "head": ProjectionHead(input_dimension=10, dimension=4),
    }
    return FrozenTransformerTextEncoder(**(arguments | changes))


ENCODERS: dict[str, Callable[..., TextModule]] = {
    "gru": lambda **c: recurrent(bidirectional=False, **c),
    "bigru": recurrent,
    "bigru, mean": lambda **c: recurrent(pooling="mean", **c),
    "liwe": lambda **c: recurrent(characters, **c),
    "transformer": transformer,
    "transformer, mean": lambda **c: transformer(pooling="mean", **c),
    "frozen transformer": frozen_transformer,
}
every_encoder = pytest.mark.parametrize("build", ENCODERS.values(), ids=ENCODERS.keys())


def encode(encoder: TextModule, texts: list[str]) -> Features:
    return encoder(encoder.prepare(texts, ["en"] * len(texts)))


def learning(encoder: TextModule) -> dict[str, nn.Parameter]:
    return {name: p for name, p in encoder.named_parameters() if p.requires_grad}


@every_encoder
def test_unit_rows_of_the_stated_dimension(build: Callable[..., TextModule]) -> None:
    encoder = build().eval()
    embedding = encode(encoder, TEXTS).embedding
    assert embedding.shape == (5, encoder.dimension)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(5))
    assert len(torch.unique(embedding.detach().round(decimals=5), dim=0)) == 5


@every_encoder
def test_an_embedding_does_not_depend_on_its_batch(build: Callable[..., TextModule]) -> None:
    encoder = build(keep_tokens=True).eval()
    together = encode(encoder, TEXTS)
    for row, text in enumerate(TEXTS):
        alone = encode(encoder, [text])
        torch.testing.assert_close(together.embedding[row], alone.embedding[0], rtol=0, atol=1e-6)
        kept = together.tokens[row][together.mask[row]]
        torch.testing.assert_close(kept, alone.tokens[0], rtol=0, atol=1e-6)
    backwards = encode(encoder, TEXTS[::-1]).embedding.flip(0)
    torch.testing.assert_close(together.embedding, backwards, rtol=0, atol=1e-6)


@every_encoder
def test_padding_is_never_read(build: Callable[..., TextModule]) -> None:
    encoder = build().eval()
    inputs = encoder.prepare(TEXTS, ["en"] * 5)
    longer = dict(inputs)
    if "mask" in inputs:
        noisy = inputs["ids"].masked_fill(~inputs["mask"], TOKENIZER.vocabulary["d"])
        longer["ids"] = torch.cat([noisy, torch.ones(5, 7, dtype=torch.int64)], dim=1)
        longer["mask"] = torch.cat([inputs["mask"], torch.zeros(5, 7, dtype=torch.bool)], dim=1)
    else:
        padding = torch.arange(inputs["index"].shape[1]) >= inputs["lengths"][:, None]
        noisy = inputs["index"].masked_fill(padding, 3)
        longer["index"] = torch.cat([noisy, torch.ones(5, 7, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(
        encoder(inputs).embedding, encoder(longer).embedding, rtol=0, atol=1e-6
    )


@every_encoder
def test_gradient_reaches_every_parameter_that_learns(build: Callable[..., TextModule]) -> None:
    encoder = build()
    weights = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    (encode(encoder, TEXTS).embedding * weights).sum().backward()
    for name, parameter in learning(encoder).items():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@every_encoder
def test_parts_hold_every_parameter_that_learns_once(build: Callable[..., TextModule]) -> None:
    encoder = build()
    parts = encoder.parts()
    assert set(parts) == {"encoder", "head"}
    in_parts = [id(p) for part in parts.values() for p in part.parameters()]
    assert sorted(in_parts) == sorted(id(p) for p in learning(encoder).values())


@every_encoder
def test_a_frozen_encoder_gets_no_gradient_and_its_head_does(
    build: Callable[..., TextModule],
) -> None:
    encoder = build()
    encoder.parts()["encoder"].requires_grad_(False)
    encode(encoder, TEXTS).embedding[:, 0].sum().backward()
    assert all(p.grad is None for p in encoder.parts()["encoder"].parameters())
    assert all(p.grad is not None for p in encoder.parts()["head"].parameters())


@every_encoder
def test_saved_and_loaded_it_is_the_same(build: Callable[..., TextModule], tmp_path: Path) -> None:
    encoder = build().eval()
    encoder.save_tokenizer(tmp_path)
    other = build().eval()
    if isinstance(other, RecurrentTextEncoder):
        if isinstance(other.words, LearnedWords):
            other.words.vocabulary = Vocabulary.load(tmp_path / "vocabulary.json")
        else:
            assert Alphabet.load(tmp_path / "alphabet.json").characters == ALPHABET.characters
    else:
        other.tokenizer = Tokenizer.load(tmp_path / "tokenizer.json")
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    assert not torch.allclose(encode(encoder, TEXTS).embedding, encode(other, TEXTS).embedding)
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encode(encoder, TEXTS).embedding, encode(other, TEXTS).embedding)


@every_encoder
def test_a_long_text_is_cut(build: Callable[..., TextModule]) -> None:
    encoder = build(max_length=8).eval()
    embedding = encode(encoder, ["dog " * 6, "dog " * 5000]).embedding
    torch.testing.assert_close(embedding[0], embedding[1], rtol=0, atol=1e-6)


@every_encoder
def test_bfloat16_autocast_works(build: Callable[..., TextModule]) -> None:
    encoder = build().eval()
    full = encode(encoder, TEXTS).embedding
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = encode(encoder, TEXTS).embedding
    assert torch.cosine_similarity(full, half.float()).min() > 0.99


# Recurrent ------------------------------------------------------------------------------------


def naive_gru(encoder: RecurrentTextEncoder, words: list[torch.Tensor], direction: int) -> list:
    """States word by word, from the equations of Cho et al. 2014."""
    gru = encoder.gru
    w_in, w_state = gru.weight_input[direction], gru.weight_hidden[direction]
    b_in, b_state = gru.bias_input[direction], gru.bias_hidden[direction]
    state, states = torch.zeros(gru.hidden_size), []
    for word in words:
        r_in, z_in, n_in = (w_in @ word + b_in).chunk(3)
        r_state, z_state, n_state = (w_state @ state + b_state).chunk(3)
        reset, update = torch.sigmoid(r_in + r_state), torch.sigmoid(z_in + z_state)
        state = (1 - update) * torch.tanh(n_in + reset * n_state) + update * state
        states.append(state)
    return states


def words_of(encoder: RecurrentTextEncoder, text: str) -> list[torch.Tensor]:
    """Each word's vector, embedded by itself."""
    words = ["<start>", *SEGMENTER.words(text), "<end>"]
    return [encoder.words(encoder.words.prepare([word]))[0] for word in words]


@pytest.mark.parametrize("words", [learned, characters])
@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_against_the_equations(
    words: Callable[[], LearnedWords | CharacterWords], pooling: str, bidirectional: bool
) -> None:
    encoder = recurrent(
        words, head=None, pooling=pooling, bidirectional=bidirectional, keep_tokens=True
    ).eval()
    assert encoder.dimension == 10
    features = encode(encoder, TEXTS)
    for row, text in enumerate(TEXTS):
        vectors = words_of(encoder, text)
        states = [naive_gru(encoder, vectors, 0)]
        if bidirectional:
            states.append(naive_gru(encoder, vectors[::-1], 1))
        ends = [each[-1] for each in states]
        aligned = [states[0]] + [each[::-1] for each in states[1:]]
        averaged = [sum(each) / len(states) for each in zip(*aligned, strict=True)]
        pooled = sum(ends) / len(ends) if pooling == "last" else sum(averaged) / len(averaged)
        torch.testing.assert_close(features.embedding[row], normalize(pooled, dim=0))
        kept = features.mask[row]
        assert kept.tolist() == [True] * len(vectors) + [False] * (len(kept) - len(vectors))
        torch.testing.assert_close(
            features.tokens[row][kept], normalize(torch.stack(averaged), dim=-1)
        )
    without_tokens = recurrent(words, head=None, pooling=pooling, bidirectional=bidirectional)
    without_tokens.load_state_dict(encoder.state_dict())
    assert torch.equal(encode(without_tokens.eval(), TEXTS).embedding, features.embedding)


@pytest.mark.parametrize("words", [learned, characters])
def test_unpacked_reads_padding_as_the_official_code_does(
    words: Callable[[], LearnedWords | CharacterWords],
) -> None:
    """torch's own GRU over padded texts; the average of both directions at the last word."""
    encoder = recurrent(words, head=None, pooling="unpacked").eval()
    official = nn.GRU(6, 10, batch_first=True, bidirectional=True)
    for direction, suffix in enumerate(["", "_reverse"]):
        for ours, theirs in (("input", "ih"), ("hidden", "hh")):
            for kind in ("weight", "bias"):
                value = getattr(encoder.gru, f"{kind}_{ours}")[direction].data
                getattr(official, f"{kind}_{theirs}_l0{suffix}").data = value
    padding = encoder.words(encoder.words.prepare(["<pad>"]))[0]
    lengths = [len(words_of(encoder, text)) for text in TEXTS]
    padded = torch.stack(
        [
            torch.stack(words_of(encoder, text) + [padding] * (max(lengths) - length))
            for text, length in zip(TEXTS, lengths, strict=True)
        ]
    )
    states, _ = official(padded)  # (texts, words, 2 · hidden)
    averaged = (states[..., :10] + states[..., 10:]) / 2
    for row, length in enumerate(lengths):
        wanted = normalize(averaged[row, length - 1], dim=0)
        torch.testing.assert_close(encode(encoder, TEXTS).embedding[row], wanted)
    alone = encode(encoder, TEXTS[:1]).embedding
    assert not torch.allclose(alone, encode(encoder, TEXTS).embedding[:1])


def test_statistics_of_liwe_are_over_distinct_words_without_padding() -> None:
    counted, plain = recurrent(characters), recurrent(characters)
    torch.manual_seed(1)
    encode(counted, ["a dog a dog a", "a dog runs"])
    torch.manual_seed(1)
    words = ["<start>", "<end>", "a", "dog", "runs"]
    plain.words(plain.words.prepare(words))
    for ours, wanted in zip(counted.words.buffers(), plain.words.buffers(), strict=True):
        torch.testing.assert_close(ours, wanted)


def test_what_romanised_texts_share() -> None:
    first, second = encode(recurrent(segmenter=Segmenter(romanise=True)), ["狗", "gou"]).embedding
    torch.testing.assert_close(first, second)
    first, second = encode(recurrent(), ["狗", "gou"]).embedding
    assert not torch.allclose(first, second)


def test_dropout_drops_numbers_of_words() -> None:
    encoder = recurrent(dropout=0.5)
    assert not torch.equal(encode(encoder, TEXTS).embedding, encode(encoder, TEXTS).embedding)
    encoder.eval()
    assert torch.equal(encode(encoder, TEXTS).embedding, encode(encoder, TEXTS).embedding)


def test_a_length_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        recurrent(max_length=2)


def test_frozen_word_vectors_cannot_move() -> None:
    vectors = WordVectors(vectors=torch.randn(7, 6), frozen=True).requires_grad_(True)
    before = vectors.vectors.clone()
    assert list(vectors.parameters()) == []
    assert torch.equal(vectors.state_dict()["vectors"], before)


def test_learned_word_vectors_start_as_published() -> None:
    torch.manual_seed(0)
    words = WordVectors.uniform(vocabulary_size=2000)
    assert words.dimension == 300
    assert float(words.vectors.detach().abs().max()) <= 0.1
    assert float(words.vectors.detach().std()) == pytest.approx(0.2 / 12**0.5, rel=0.01)


def test_pretrained_word_vectors_are_copied_and_can_learn() -> None:
    vectors = torch.randn(7, 3)
    words = WordVectors(vectors=vectors)
    with torch.no_grad():
        words.vectors.zero_()
    assert vectors.abs().sum() > 0
    assert words.vectors.requires_grad


@pytest.mark.parametrize(
    "vectors", [torch.zeros(3), torch.zeros(0, 3), torch.zeros(2, 3, dtype=torch.int64)]
)
def test_wrong_word_vectors_are_refused(vectors: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="float matrix"):
        WordVectors(vectors=vectors)


# Transformer ----------------------------------------------------------------------------------


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


# Frozen transformer -----------------------------------------------------------------------------


def test_a_frozen_transformer_stays_frozen_and_reads_a_text_once() -> None:
    encoder = frozen_transformer().train().requires_grad_(True)  # as a phase of training does
    assert not encoder.model.training
    calls = []
    encoder.model.register_forward_hook(lambda *_: calls.append(1))
    encode(encoder, TEXTS).embedding[:, 0].sum().backward()
    encode(encoder, TEXTS[::-1])
    assert len(calls) == 1
    assert all(parameter.grad is None for parameter in encoder.model.parameters())


def test_a_frozen_transformer_hands_its_last_layer_to_the_gru() -> None:
    encoder = frozen_transformer(head=None, keep_tokens=True).eval()
    ids, mask = TOKENIZER.encode_batch(TEXTS)
    features = encode(encoder, TEXTS)
    for row, there in enumerate(mask):
        with torch.no_grad():
            states = encoder.model(input_ids=ids[row][there][None]).last_hidden_state[0]
            backwards = naive_gru(encoder, list(states.flip(0)), 1)
            forwards = naive_gru(encoder, list(states), 0)
        averaged = [
            (ahead + back) / 2 for ahead, back in zip(forwards, backwards[::-1], strict=True)
        ]
        ends = (forwards[-1] + backwards[-1]) / 2
        close = {"rtol": 0, "atol": 2e-3}  # the states are kept in float16
        torch.testing.assert_close(features.embedding[row], normalize(ends, dim=0), **close)
        torch.testing.assert_close(
            features.tokens[row][there], normalize(torch.stack(averaged), dim=-1), **close
        )


def test_a_frozen_transformer_of_a_checkpoint(tmp_path: Path) -> None:
    encoder = frozen_transformer().eval()
    encoder.save_tokenizer(tmp_path)
    other = frozen_transformer(
        model=load_architecture(tmp_path), tokenizer=Tokenizer.load(tmp_path / "tokenizer.json")
    ).eval()
    encode(other, TEXTS)  # what it kept of other weights is forgotten
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encode(encoder, TEXTS).embedding, encode(other, TEXTS).embedding)
