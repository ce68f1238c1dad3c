"""Configuration of a single-stream transformer: the transformer, its words, and how it sees."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator, model_validator

from polyglance.data.language import is_language_tag
from polyglance.systems.config.part import Part, Probability
from polyglance.systems.config.text import (
    PretrainedWordsConfig,
    SentenceWordsConfig,
    TokenizerConfig,
)


class WordTableConfig(Part):
    """The vectors of a tokenizer that is trained here.

    Attributes:
        dimension: of the vectors, which a linear layer brings into the transformer's width;
            ``None``: of that width, and no layer.
        start: whose vectors of the tokens' texts to start from; the tokens that they do not know,
            and all without, start at random.
        frozen: only the layer learns.
    """

    dimension: PositiveInt | None = None
    start: Annotated[
        PretrainedWordsConfig | SentenceWordsConfig | None, Field(discriminator="kind")
    ] = None
    frozen: bool = False

    @model_validator(mode="after")
    def _has_a_dimension(self) -> Self:
        if (self.start is not None or self.frozen) and self.dimension is None:
            raise ValueError("give the dimension of the vectors to start from or to freeze")
        return self


class TrunkConfig(Part):
    """Any transformers encoder by folder or hub name, or a BERT of this size from scratch.

    Attributes:
        name: where a pretrained one is, of the families of BERT, RoBERTa, XLM-R, ELECTRA and
            DistilBERT, with its tokenizer; all but ``max_length`` is then its own.
        tokenizer: trained on the recipe's texts.
        words: the tokenizer's vectors.
        layers: of the transformer.
        width: of its states.
        heads: of its attention.
        dropout: probability, on embeddings and behind each block.
        attention_dropout: on attention weights; ``None``: the same.
        max_length: tokens of a text, or of a pair of sentences.
    """

    name: str | None = None
    tokenizer: TokenizerConfig = TokenizerConfig()
    words: WordTableConfig = WordTableConfig()
    layers: PositiveInt = 12
    width: PositiveInt = 768
    heads: PositiveInt = 12
    dropout: Probability = 0.1
    attention_dropout: Probability | None = None
    max_length: Annotated[int, Field(ge=5)] = 64

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads")
        if self.name is not None and self.words != WordTableConfig():
            raise ValueError(f"{self.name!r} has vectors of its own; leave out words")
        return self


class VisualConfig(Part):
    """How regions enter the transformer.

    Attributes:
        frequencies: of the sines and cosines of each of a box's four numbers.
        dropout: probability, on box and feature.
        scale: what the weights of the normalisation of regions start at; ``None``: 0 where the
            transformer is pretrained, and .02, the size of its other vectors, where it is not.
    """

    frequencies: PositiveInt = 256
    dropout: Probability = 0.1
    scale: NonNegativeFloat | None = None


class SingleStreamConfig(Part):
    """VL-BERT's transformer over texts and regions; the paper's size.

    Attributes:
        trunk: the transformer and its words.
        visual: regions.
        likeness: tell each place of a text and its picture how alike both are before the
            transformer; ours, for one that starts from nothing.
        sentence: tell each word what the frozen multilingual sentence encoder makes of the whole
            text; ours, where no pretrained transformer is at hand.
        sentence_dropout: probability, on that.
        languages: those that get a vector of their own, by their primary subtag.
    """

    trunk: TrunkConfig = TrunkConfig()
    visual: VisualConfig = VisualConfig()
    likeness: bool = False
    sentence: bool = False
    sentence_dropout: Probability = 0.1
    languages: tuple[str, ...] = ()

    @field_validator("languages")
    @classmethod
    def _are_tags(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for tag in languages:
            if not is_language_tag(tag):
                raise ValueError(f"{tag!r} is no language; write it as a tag, such as de")
        return languages
