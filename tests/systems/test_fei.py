"""Paper 1's system: every pair through one transformer, pretrained and fine-tuned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.systems.tiny_backbone import TINY
from torch import Tensor

from polyglance.data.batch import Batch, Sentences, TextPairs
from polyglance.errors import ModelError
from polyglance.systems.builders import build_system
from polyglance.systems.checkpoint import load_changed, load_checkpoint, save_system
from polyglance.systems.config import (
    FeiConfig,
    InfoNCEConfig,
    PrecomputedConfig,
    SingleStreamConfig,
    TasksConfig,
    TokenizerConfig,
    TrunkConfig,
    VisualConfig,
)
from polyglance.systems.fei import PAIRS_AT_ONCE, Fei
from polyglance.text.sentence_encoder import SentenceEncoder

THINGS = {"dog": "Hund", "cat": "Katze", "boat": "Boot", "tree": "Baum"}
COLOURS = {"red": "roter", "green": "grüner"}
PAIRS = [(colour, thing) for colour in COLOURS for thing in THINGS]
TEXTS = [f"a {colour} {thing}" + " over there" * (n % 3) for n, (colour, thing) in enumerate(PAIRS)]
GERMAN = [f"ein {COLOURS[colour]} {THINGS[thing]}" for colour, thing in PAIRS]
PIXELS = torch.randint(
    0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
STREAM = SingleStreamConfig(
    trunk=TrunkConfig(
        tokenizer=TokenizerConfig(vocabulary_size=400, min_frequency=1),
        layers=2,
        width=32,
        heads=2,
        dropout=0.0,
        max_length=24,
    ),
    visual=VisualConfig(frequencies=4, dropout=0.0),
    languages=("en", "de"),
)
NO_CLASSES = TasksConfig(mrc=0.0)


def built(config: FeiConfig | None = None) -> Fei:
    torch.manual_seed(0)
    config = config or FeiConfig(backbone=TINY, stream=STREAM)
    system = build_system(config, training_texts={"en": TEXTS + GERMAN})
    assert isinstance(system, Fei)
    return system


def batch(images: Tensor = PIXELS) -> Batch:
    numbers = torch.arange(8)
    translations = TextPairs(
        pivots=TEXTS,
        translations=GERMAN,
        pivot_language="en",
        language="de",
        pivot_ids=numbers,
        translation_ids=numbers,
    )
    return Batch(
        images=images,
        image_ids=numbers,
        texts=TEXTS,
        languages=["en"] * 8,
        text_image_ids=numbers,
        parallel=(translations,),
        monolingual=Sentences(texts=GERMAN, languages=["de"] * 8),
    )


def trained(system: Fei, steps: int, rate: float = 2e-3) -> list[float]:
    """The whole loss, step by step."""
    optimizer = torch.optim.Adam([p for p in system.parameters() if p.requires_grad], lr=rate)
    system.train()
    losses = []
    for _ in range(steps):
        loss = torch.stack([*system.training_step(batch()).values()]).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(system.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    system.eval()
    return losses


def scores(system: Fei, texts: list[str], language: str = "en") -> Tensor:
    with torch.no_grad():
        inputs = system.prepare_texts(texts, [language] * len(texts))
        return system.score_all(system.encode_images(PIXELS), system.encode_texts(inputs))


def test_a_score_is_that_of_the_pair_alone() -> None:
    system = built().eval()
    together = scores(system, TEXTS)  # (8, 8)
    assert together.std() > 1e-4
    with torch.no_grad():
        for row in (0, 5):
            image = system.encode_images(PIXELS[row : row + 1])
            for column in (1, 6):
                inputs = system.prepare_texts([TEXTS[column]], ["en"])
                alone = system.score(image, system.encode_texts(inputs))
                torch.testing.assert_close(
                    alone, together[row, column].view(1, 1), atol=1e-5, rtol=1e-4
                )


def test_chosen_pairs_have_the_scores_that_they_have_among_all() -> None:
    system = built().eval()
    every = scores(system, TEXTS)
    pairs = torch.randint(0, 8, (PAIRS_AT_ONCE * 2 + 3, 2))
    with torch.no_grad():
        texts = system.encode_texts(system.prepare_texts(TEXTS, ["en"] * 8))
        chosen = system.score_pairs(system.encode_images(PIXELS), texts, pairs)
        none = system.score_pairs(system.encode_images(PIXELS), texts, pairs[:0])
    torch.testing.assert_close(chosen, every[pairs[:, 0], pairs[:, 1]], atol=1e-5, rtol=1e-4)
    assert none.shape == (0,)


def test_a_language_changes_what_a_text_says() -> None:
    system = built().eval()
    with torch.no_grad():
        system.stream.languages.normal_()
    english, german = (scores(system, TEXTS[:1], tag) for tag in ("en", "de"))
    assert not torch.allclose(english, german)
    torch.testing.assert_close(scores(system, TEXTS[:1], "de-AT"), german)


def test_the_papers_loss_is_its_margin_where_all_scores_are_alike() -> None:
    system = built()
    torch.nn.init.zeros_(system.head.weight)  # u
    terms = system.training_step(batch())
    assert {name: term.item() for name, term in terms.items()} == {
        "image_to_text": pytest.approx(0.2),
        "text_to_image": pytest.approx(0.2),
    }


def test_it_learns_pairs() -> None:
    # Hinges may stand still for long from scratch; the cross-entropy does not.
    loss = InfoNCEConfig(scale=1.0, learnable=False)
    system = built(FeiConfig(backbone=TINY, stream=STREAM, loss=loss))
    losses = trained(system, 400, rate=1e-3)
    assert min(losses[-20:]) < 0.5 < losses[0]
    found = scores(system, TEXTS).argmax(0)
    assert (found == torch.arange(8)).sum() >= 7


def test_retrieval_teaches_everything_but_the_embedding_of_no_picture() -> None:
    stream = STREAM.model_copy(update={"likeness": True})
    system = built(FeiConfig(backbone=TINY, stream=stream)).train()
    with torch.no_grad():
        system.stream.languages.normal_()
    torch.stack([*system.training_step(batch()).values()]).sum().backward()
    without = {
        name
        for name, parameter in system.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    # Nothing is hidden and no text is alone; and b moves all scores alike.
    assert without == {"stream.no_picture", "stream.visual.hidden", "head.bias"}


def pretraining() -> FeiConfig:
    return FeiConfig(objective="pretraining", backbone=TINY, stream=STREAM, tasks=NO_CLASSES)


def test_pretraining_goes_on_as_retrieval(tmp_path: Path) -> None:
    system = built(pretraining())
    assert system.learns_from == {"parallel", "monolingual"}
    assert set(system.training_step(batch())) == {"mlm", "text_mlm", "tlm", "cmtr", "cltr"}
    losses = trained(system, 30)
    assert losses[-1] < 0.7 * losses[0]
    save_system(system, tmp_path / "pretrained")
    retrieval = pretraining().model_copy(update={"objective": "retrieval"})
    changed = load_changed(tmp_path / "pretrained", retrieval)
    assert isinstance(changed.system, Fei)
    assert changed.fresh == ()
    assert {name.split(".")[0] for name in changed.unused} == {"tasks"}
    assert changed.system.learns_from == frozenset()
    for name, tensor in changed.system.stream.state_dict().items():
        assert torch.equal(tensor, system.stream.state_dict()[name]), name
    assert set(changed.system.training_step(batch())) == {"image_to_text", "text_to_image"}


def test_alignment_goes_on_as_pretraining(tmp_path: Path) -> None:
    stream = STREAM.model_copy(update={"likeness": True})
    config = FeiConfig(objective="alignment", backbone=TINY, stream=stream, tasks=NO_CLASSES)
    system = built(config)
    assert system.learns_from == frozenset()
    losses = trained(system, 60, rate=1e-2)
    assert losses[-1] < 0.2 * losses[0]
    with torch.no_grad():
        texts = system.encode_texts(system.prepare_texts(TEXTS, ["en"] * 8)).embedding
        images = system.encode_images(PIXELS).embedding
        cosines = torch.nn.functional.normalize(images) @ torch.nn.functional.normalize(texts).T
    assert (cosines.argmax(0) == torch.arange(8)).all()
    moved = {
        name.split(".")[1]
        for name, tensor in built(config).state_dict().items()
        if name.startswith("stream.") and not torch.equal(tensor, system.state_dict()[name])
    }
    assert moved == {"trunk", "visual", "languages"}  # its words, but neither layers nor likeness
    layers = built(config).stream.trunk.layers.state_dict()
    for name, tensor in system.stream.trunk.layers.state_dict().items():
        assert torch.equal(tensor, layers[name]), name
    save_system(system, tmp_path / "aligned")
    pretraining = config.model_copy(update={"objective": "pretraining"})
    changed = load_changed(tmp_path / "aligned", pretraining)
    assert {name.split(".")[0] for name in changed.fresh} == {"tasks"}
    assert torch.equal(changed.system.stream.likeness.hints, system.stream.likeness.hints)


def test_alignment_is_a_term_beside_the_tasks() -> None:
    config = pretraining().model_copy(update={"alignment_weight": 2.0})
    system = built(config)
    assert {"tasks", "loss.alignment"} <= system.parts().keys()
    terms = system.training_step(batch())
    assert set(terms) == {"mlm", "text_mlm", "tlm", "cmtr", "cltr", "alignment"}
    alone = built(config.model_copy(update={"objective": "alignment"}))
    alone.load_state_dict(system.state_dict(), strict=False)
    wanted = 2 * torch.stack([*alone.training_step(batch()).values()]).sum()
    torch.testing.assert_close(terms["alignment"], wanted)


def test_only_pairs_that_alignment_finds_hard_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = FeiConfig(
        backbone=TINY, stream=STREAM, loss=InfoNCEConfig(scale=1.0, learnable=False), mined=1
    )
    system = built(config).train()
    assert {"loss", "loss.alignment"} <= system.parts().keys()
    compared = []
    whole = Fei._score_pairs
    monkeypatch.setattr(
        Fei, "_score_pairs", lambda self, *given: compared.append(given[2]) or whole(self, *given)
    )
    terms = system.training_step(batch())
    (pairs,) = compared
    assert 16 <= len(pairs) <= 24 < 64  # eight pairs, and a negative for each side of each
    # With these pairs known, the loss is that over them alone.
    system.zero_grad()
    images = system.encode_images(PIXELS)
    texts = system.encode_texts(system.prepare_texts(TEXTS, ["en"] * 8))
    every = system.score(images, texts)
    known = torch.zeros(8, 8, dtype=torch.bool)
    known[pairs[:, 0], pairs[:, 1]] = True
    masked = every.masked_fill(~known, -torch.inf)
    wanted = 0.5 * (masked.logsumexp(1) - masked.diagonal()).mean()
    torch.testing.assert_close(terms["image_to_text"], wanted)
    monkeypatch.setattr(Fei, "_score_pairs", whole)
    losses = trained(system, 300, rate=1e-3)
    assert losses[-1] < 0.5 * losses[0]
    assert (scores(system, TEXTS).argmax(0) == torch.arange(8)).sum() >= 7


def test_mining_moves_every_parameter_that_retrieval_and_alignment_have() -> None:
    loss = InfoNCEConfig(scale=1.0, learnable=False)
    stream = STREAM.model_copy(update={"likeness": True})
    system = built(FeiConfig(backbone=TINY, stream=stream, loss=loss, mined=1)).train()
    torch.stack([*system.training_step(batch()).values()]).sum().backward()
    without = {n for n, p in system.named_parameters() if p.grad is None or not p.grad.any()}
    # b moves all scores alike, but for those that nobody computed.
    assert without - {"head.bias"} == {"stream.no_picture", "stream.visual.hidden"}


def test_classes_of_regions_come_from_where_there_are_any() -> None:
    with pytest.raises(ModelError, match="mrc"):
        built(FeiConfig(objective="pretraining", backbone=TINY, stream=STREAM))
    files = PrecomputedConfig(channels=6, regions=5, classes=7)
    system = built(FeiConfig(objective="pretraining", backbone=files, stream=STREAM))
    torch.manual_seed(1)
    boxes = torch.rand(8, 5, 4).sort(dim=2).values
    rows = torch.cat([torch.rand(8, 5, 6), boxes, torch.rand(8, 5, 7).softmax(2)], dim=2)
    assert "mrc" in system.training_step(batch(rows))


def test_a_checkpoint_says_the_same(tmp_path: Path) -> None:
    system = built().eval()
    before = scores(system, TEXTS)
    save_system(system, tmp_path / "model", languages=["en"])
    loaded = load_checkpoint(tmp_path / "model").system
    assert isinstance(loaded, Fei)
    torch.testing.assert_close(scores(loaded, TEXTS), before)


class FirstLetters:
    """A sentence encoder that tells texts by their letters, and counts what it is asked."""

    dimension, fingerprint, asked = 26, "letters", 0

    def embed(self, texts: list[str]) -> np.ndarray:
        self.asked += len(texts)
        counts = [[text.count(chr(ord("a") + n)) for n in range(26)] for text in texts]
        rows = np.array(counts, np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> FirstLetters:
    encoder = FirstLetters()
    monkeypatch.setattr(SentenceEncoder, "load", lambda: encoder)
    return encoder


TOLD = STREAM.model_copy(update={"sentence": True, "sentence_dropout": 0.0})


def test_each_word_is_told_the_whole_text(letters: FirstLetters, tmp_path: Path) -> None:
    system = built(FeiConfig(backbone=TINY, stream=TOLD)).eval()
    with torch.no_grad():
        inputs = system.prepare_texts(TEXTS, ["en"] * 8)
        alone = {name: tensor for name, tensor in inputs.items() if name != "sentences"}
        more = system.encode_texts(inputs).tokens - system.encode_texts(alone).tokens
        told = system.stream.sentence(torch.from_numpy(letters.embed(TEXTS)))  # (8, width)
    torch.testing.assert_close(more, told[:, None].expand_as(more), atol=1e-6, rtol=0)
    assert told.std() > 1e-3
    before = scores(system, TEXTS)
    save_system(system, tmp_path / "model")
    loaded = load_checkpoint(tmp_path / "model").system
    assert isinstance(loaded, Fei)
    torch.testing.assert_close(scores(loaded, TEXTS), before)
    letters.fingerprint = "others"
    with pytest.raises(ModelError, match="another sentence-encoder"):
        load_checkpoint(tmp_path / "model")


def test_the_whole_text_says_nothing_of_words_that_are_hidden(letters: FirstLetters) -> None:
    config = FeiConfig(objective="pretraining", backbone=TINY, stream=TOLD, tasks=NO_CLASSES)
    system = built(config)
    torch.stack([*system.training_step(batch()).values()]).sum().backward()
    assert system.stream.sentence.projection.weight.grad is None
    assert not letters.asked
    beside = built(config.model_copy(update={"alignment_weight": 1.0}))
    torch.stack([*beside.training_step(batch()).values()]).sum().backward()
    assert beside.stream.sentence.projection.weight.grad.any()
    assert letters.asked == 8


def test_fewer_cells_are_fewer_regions() -> None:
    averaged = built(FeiConfig(backbone=TINY, stream=STREAM, cells_per_side=2)).eval()
    with torch.no_grad():
        features = averaged.encode_images(PIXELS)
    assert features.tokens is not None
    assert features.tokens.shape[:2] == (8, 4)
    assert averaged.backbone_fingerprint() == built().backbone_fingerprint()  # one store for both
