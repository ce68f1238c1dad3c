"""What the tests of systems over translations compare with: one text, one picture at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tests.systems.tiny_translated import BACK, PICTURES, SOURCES, TARGETS
from torch import Tensor

from polyglance.data.batch import Batch
from polyglance.systems.translated import TranslationLearner
from polyglance.text.base import TextEncoder


@dataclass
class Each:
    """Vectors and lists of words of every picture and text of the tiny batch."""

    images: list[Tensor]
    sources: list[Tensor]
    targets: list[Tensor]
    back: list[Tensor]
    source_words: list[Tensor]
    target_words: list[Tensor]


def text(encoder: TextEncoder, text: str, language: str) -> tuple[Tensor, Tensor]:
    """A text's vector and its words, encoded alone."""
    encoder.keep_tokens = True
    found = encoder(encoder.prepare([text], [language]))
    encoder.keep_tokens = False
    return found.embedding[0], found.tokens[0]


def one_by_one(
    system: TranslationLearner, given: Batch, encoder: TextEncoder | None = None
) -> Each:
    encoder = encoder or system.text
    sources, targets, back = (
        [text(encoder, each, language) for each in texts]
        for texts, language in ((SOURCES, "en"), (TARGETS, "de"), (BACK, "en"))
    )
    return Each(
        images=[system.encode_images(image[None]).embedding[0] for image in given.images],
        sources=[vector for vector, _ in sources],
        targets=[vector for vector, _ in targets],
        back=[vector for vector, _ in back],
        source_words=[words for _, words in sources],
        target_words=[words for _, words in targets],
    )


def pictures() -> list[int]:
    """The row of each pair's picture."""
    rows = list(dict.fromkeys(PICTURES))
    return [rows.index(picture) for picture in PICTURES]


def hinges(rows: list[Tensor], columns: list[Tensor], same: list[list[bool]]) -> Tensor:
    """The sum of hinges with a margin of .2 in both directions."""
    total = torch.zeros((), dtype=torch.float64)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if same[i][j]:
                for k, other in enumerate(columns):
                    if not same[i][k]:
                        total = total + torch.relu(0.2 - row @ column + row @ other)
                for k, other in enumerate(rows):
                    if not same[k][j]:
                        total = total + torch.relu(0.2 - row @ column + other @ column)
    return total


def described() -> list[list[bool]]:
    """(pictures, pairs)."""
    return [[picture == other for other in PICTURES] for picture in dict.fromkeys(PICTURES)]


def same() -> list[list[bool]]:
    """(pairs, pairs)."""
    return [[picture == other for other in PICTURES] for picture in PICTURES]


def relations(teacher: list[list[Tensor]], student: list[list[Tensor]], its: float) -> Tensor:
    """Half the mean KL of rows and half that of columns, number by number, τ = .07."""
    total = torch.zeros((), dtype=torch.float64)
    for wanted, found in (
        (teacher, student),
        (list(zip(*teacher, strict=True)), list(zip(*student, strict=True))),
    ):
        for p_row, q_row in zip(wanted, found, strict=True):
            p = [torch.exp(value.detach() / its) for value in p_row]
            q = [torch.exp(value / 0.07) for value in q_row]
            for one, other in zip(p, q, strict=True):
                share = one / sum(p)
                total = total + share * torch.log(share / (other / sum(q))) / len(p_row) / 2
    return total


def double(given: TranslationLearner) -> TranslationLearner:
    """For exact comparisons: float64, and evaluation mode, since pictures are encoded alone."""
    return given.double().eval()


def check_gradients(found: Tensor, expected: Tensor, system: TranslationLearner) -> None:
    torch.testing.assert_close(found, expected)
    parameters = list(system.parameters())
    both = (
        torch.autograd.grad(each, parameters, retain_graph=True, allow_unused=True)
        for each in (found, expected)
    )
    for one, other in zip(*both, strict=True):
        if one is None or other is None:  # nothing of it
            assert all(each is None or not each.any() for each in (one, other))
        else:
            torch.testing.assert_close(one, other)
