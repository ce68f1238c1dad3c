"""The sequence: what is added where, what attends to what, and what learns."""

from __future__ import annotations

import pytest
import torch
from tests.single_stream.tiny_stream import (
    LANGUAGES,
    TEXTS,
    TOKENIZER,
    WIDTH,
    embedded,
    states,
    tiny_regions,
    tiny_stream,
)

from polyglance.single_stream.stream import SingleStream
from polyglance.vision.described_regions import DescribedRegions


@pytest.fixture
def stream() -> SingleStream:
    """With every number away from where it starts, so that each shows."""
    torch.manual_seed(0)
    made = tiny_stream().eval()
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made


def test_what_is_added_at_each_token(stream: SingleStream) -> None:
    tokens = TOKENIZER.pair(TEXTS[:2], TEXTS[2:], LANGUAGES[:2], LANGUAGES[2:])
    found = stream.embed_tokens(tokens)
    words = stream.embed_words(tokens)
    for row in range(2):
        for place in range(tokens.ids.shape[1]):
            word = stream.trunk.words.vectors[tokens.ids[row, place]]
            torch.testing.assert_close(words[row, place], word)
            expected = (
                word
                + stream.trunk.positions[tokens.positions[row, place]]
                + stream.trunk.segments[tokens.segments[row, place]]
                + stream.languages[tokens.languages[row, place]]
            )
            torch.testing.assert_close(found[row, place], expected)


def test_other_vectors_in_the_place_of_words(stream: SingleStream) -> None:
    tokens = TOKENIZER.single(TEXTS, LANGUAGES)
    given = torch.randn(*tokens.ids.shape, WIDTH)
    torch.testing.assert_close(
        stream.embed_tokens(tokens, words=given) - given,
        stream.embed_tokens(tokens) - stream.embed_words(tokens),
    )


def test_the_sequence_is_vl_berts(stream: SingleStream) -> None:
    """Each pair by itself, place by place and without any padding."""
    regions = tiny_regions()
    images = stream.embed_regions(regions)
    found = states(stream, images)
    texts, mask = embedded(stream, TEXTS, LANGUAGES)
    position, segment = stream.trunk.positions, stream.trunk.segments[2]
    for row in range(len(TEXTS)):
        length = int(mask[row].sum())
        sequence = [texts[row, place] + images.whole[row] for place in range(length)]
        there = regions.mask[row].nonzero().flatten().tolist()
        sequence += [
            stream.region_word + position[length] + segment + images.vectors[row, region]
            for region in there
        ]
        sequence.append(stream.end_word + position[length + 1] + segment)
        one = stream.trunk(
            torch.stack(sequence)[None], torch.ones(1, len(sequence), dtype=torch.bool)
        )[0]
        assert found.regions is not None
        torch.testing.assert_close(found.first[row], one[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.tokens[row, :length], one[:length], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.regions[row, there], one[length:-1], rtol=1e-4, atol=1e-5)


def test_a_pair_does_not_depend_on_its_batch(stream: SingleStream) -> None:
    regions = tiny_regions()
    together = states(stream, stream.embed_regions(regions))
    for row, (text, tag) in enumerate(zip(TEXTS, LANGUAGES, strict=True)):
        count = int(regions.mask[row].sum())
        own = regions.rows(slice(row, row + 1))
        own = DescribedRegions(
            own.features[:, :count], own.boxes[:, :count], None, own.mask[:, :count]
        )
        alone = stream(*embedded(stream, [text], [tag]), stream.embed_regions(own))
        torch.testing.assert_close(together.first[row], alone.first[0], rtol=1e-4, atol=1e-5)
        length = alone.tokens.shape[1]
        torch.testing.assert_close(
            together.tokens[row, :length], alone.tokens[0], rtol=1e-4, atol=1e-5
        )


def test_the_order_of_regions_means_nothing(stream: SingleStream) -> None:
    regions = tiny_regions((4, 4, 4, 4))
    other = torch.tensor([2, 0, 3, 1])
    turned = DescribedRegions(
        regions.features[:, other], regions.boxes[:, other], None, regions.mask[:, other]
    )
    one = states(stream, stream.embed_regions(regions))
    two = states(stream, stream.embed_regions(turned))
    torch.testing.assert_close(one.first, two.first, rtol=1e-4, atol=1e-5)


def test_every_part_of_a_pair_reaches_its_first_state(stream: SingleStream) -> None:
    regions = tiny_regions((4, 4, 4, 4))
    first = states(stream, stream.embed_regions(regions)).first
    hidden = torch.zeros_like(regions.mask)
    hidden[:, 2] = True
    assert (states(stream, stream.embed_regions(regions, hidden=hidden)).first != first).any()
    moved = DescribedRegions(regions.features, regions.boxes.flip(1), None, regions.mask)
    assert (states(stream, stream.embed_regions(moved)).first != first).any()
    texts, mask = embedded(stream, TEXTS, LANGUAGES)
    texts[0, 3] += 1
    changed = stream(texts, mask, stream.embed_regions(regions)).first
    assert (changed[0] != first[0]).any()
    torch.testing.assert_close(changed[1:], first[1:])


def test_texts_without_pictures(stream: SingleStream) -> None:
    texts, mask = embedded(stream, TEXTS, LANGUAGES)
    found = stream(texts, mask)
    assert found.regions is None
    torch.testing.assert_close(found.tokens, stream.trunk(texts + stream.no_picture, mask))
    assert (found.first != states(stream, stream.embed_regions(tiny_regions())).first).any()


def test_rows_of_embedded_sides_are_all_that_pairs_need(stream: SingleStream) -> None:
    images = stream.embed_regions(tiny_regions())
    texts, mask = embedded(stream, TEXTS, LANGUAGES)
    pairs = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    every = stream(texts[pairs[:, 1]], mask[pairs[:, 1]], images.rows(pairs[:, 0])).first
    diagonal = states(stream, images).first
    torch.testing.assert_close(every.view(4, 4, -1).diagonal().T, diagonal, rtol=1e-4, atol=1e-5)


def test_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    stream = tiny_stream()
    regions = tiny_regions()
    hidden = torch.zeros_like(regions.mask)
    hidden[:, 0] = True
    found = states(stream, stream.embed_regions(regions, hidden=hidden))
    tokens = TOKENIZER.pair(TEXTS, TEXTS, LANGUAGES, LANGUAGES)
    alone = stream(stream.embed_tokens(tokens), tokens.mask)
    assert found.regions is not None
    loss = sum(some.square().sum() for some in (found.tokens, found.regions, alone.tokens))
    weighted = (
        loss + (found.first * torch.randn(WIDTH)).sum() + (alone.first * torch.randn(WIDTH)).sum()
    )
    weighted.backward()
    still = [name for name, p in stream.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_bfloat16_stays_close(stream: SingleStream) -> None:
    regions = tiny_regions()
    exact = states(stream, stream.embed_regions(regions)).first
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = states(stream, stream.embed_regions(regions)).first
    cosine = torch.nn.functional.cosine_similarity(exact, rough.float())
    assert (cosine > 0.99).all()
    assert not torch.equal(exact, rough.float())
