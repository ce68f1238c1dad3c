"""Configuration of text encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from polyglance.data.language import is_language_tag, primary_language
from polyglance.systems.config.part import Part, Probability, RecipePath

# Words ------------------------------------------------------------------------------------------


class LearnedWordsConfig(Part):
    """A learned vector for each word of the training captions that is frequent enough.

    Attributes:
        dimension: of a vector.
        min_frequency: of a word; rarer ones share a vector.
        vocabulary: a file that names the words instead, in the JSON layout of VSE++ and SCAN, such
            as ``polyglance data vocabulary`` writes.
    """

    kind: Literal["learned"] = "learned"
    dimension: PositiveInt = 300
    min_frequency: PositiveInt = 4
    vocabulary: RecipePath | None = None


class CharacterWordsConfig(Part):
    """LIWE: a word's vector made of its characters.

    Attributes:
        character_dimension: of a character's vector.
        word_length: characters that a word is cut or padded to.
        widths: of the word-wise layers; the last is the word's dimension.
        min_frequency: of a character of the alphabet.
        alphabet: a file that names the characters instead, in the JSON layout of LAVSE, such as
            ``polyglance data vocabulary --characters`` writes.
        dropout: probability, behind each layer.
    """

    kind: Literal["characters"] = "characters"
    character_dimension: PositiveInt = 24
    word_length: PositiveInt = 26
    widths: tuple[PositiveInt, ...] = Field(default=(384, 448, 300), min_length=1, max_length=3)
    min_frequency: PositiveInt = 2
    alphabet: RecipePath | None = None
    dropout: Probability = 0.0


class PretrainedWordsConfig(Part):
    """Frozen vectors from a file, or from aligned files, one a language.

    Words that a file lacks are made of their n-grams where it is a fastText model, else zero; words
    of a language without a file are the mean of what all files say.

    Attributes:
        path: of the one file for all languages; with ``${NAME}`` for environment variables.
        files: or language → file, such as ``{ en = "wiki.multi.en.vec", de = "…" }``.
        limit: how many words of each file to read, the first ones.
    """

    kind: Literal["pretrained"] = "pretrained"
    path: RecipePath | None = None
    files: dict[str, RecipePath] | None = Field(default=None, min_length=1)
    limit: PositiveInt | None = 200_000

    @field_validator("files")
    @classmethod
    def _by_language(cls, files: dict[str, Path] | None) -> dict[str, Path] | None:
        for tag in files or {}:
            if not is_language_tag(tag) or primary_language(tag) != tag:
                raise ValueError(
                    f"{tag!r} is no language; write it in two or three letters, without script or "
                    "region, such as de"
                )
        return files

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.path is None) == (self.files is None):
            raise ValueError(
                "give path, one file for all languages, or files, one a language: "
                'files = { en = "…", de = "…" }'
            )
        return self

    def by_language(self) -> dict[str, Path]:
        """Language → file; ``und`` → the one for all languages."""
        return {"und": self.path} if self.path is not None else dict(self.files or {})


class SentenceWordsConfig(Part):
    """Each word by itself through the frozen multilingual sentence encoder."""

    kind: Literal["sentence"] = "sentence"


PlainWordsConfig = Annotated[
    LearnedWordsConfig | CharacterWordsConfig | PretrainedWordsConfig | SentenceWordsConfig,
    Field(discriminator="kind"),
]


class JoinedWordsConfig(Part):
    """Several vectors of a word behind one another.

    Attributes:
        parts: where the vectors come from, in this order.
    """

    kind: Literal["joined"] = "joined"
    parts: tuple[PlainWordsConfig, ...] = Field(min_length=2)


WordsConfig = Annotated[
    LearnedWordsConfig
    | CharacterWordsConfig
    | PretrainedWordsConfig
    | SentenceWordsConfig
    | JoinedWordsConfig,
    Field(discriminator="kind"),
]


# Recurrent units --------------------------------------------------------------------------------


class GRUConfig(Part):
    """One layer of gated recurrent units."""

    kind: Literal["gru"] = "gru"


class SRUConfig(Part):
    """Layers of simple recurrent units, which read one way.

    Attributes:
        layers: how many.
        dropout: probability, behind each layer.
        rescale: multiply the highway around a layer by √3, for many layers.
    """

    kind: Literal["sru"] = "sru"
    layers: PositiveInt = 4
    dropout: Probability = 0.0
    rescale: bool = False


UnitConfig = Annotated[GRUConfig | SRUConfig, Field(discriminator="kind")]


# Text encoders ----------------------------------------------------------------------------------


class SentenceTextConfig(Part):
    """The frozen multilingual sentence encoder and a projection.

    Attributes:
        project: whether there is one; else its 512 dimensions are the joint space as they are, and
            nothing of the text side learns.
        hidden: width of a hidden layer in the projection.
        dropout: probability, before its last layer.
    """

    kind: Literal["sentence"] = "sentence"
    project: bool = True
    hidden: PositiveInt | None = None
    dropout: Probability = 0.0


class RecurrentTextConfig(Part):
    """Words and a packed recurrent unit.

    Attributes:
        words: where their vectors come from.
        romanise: write every script in Latin letters first.
        unit: what reads them.
        hidden_size: of the state; ``None``: the joint dimension, and no projection behind it.
        bidirectional: read both ways and average; a GRU can.
        pooling: the state a direction ends in, the mean over words, or the published code's
            reading of padding.
        keep_tokens: hand on the words, for matching by words.
        dropout: probability, on the words' vectors.
        max_length: words; the rest of a text is not read.
    """

    kind: Literal["recurrent"] = "recurrent"
    words: WordsConfig = LearnedWordsConfig()
    romanise: bool = False
    unit: UnitConfig = GRUConfig()
    hidden_size: PositiveInt | None = None
    bidirectional: bool = True
    pooling: Literal["last", "mean", "unpacked"] = "last"
    keep_tokens: bool = False
    dropout: Probability = 0.0
    max_length: PositiveInt = 64

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.bidirectional and isinstance(self.unit, SRUConfig):
            raise ValueError("an SRU reads one way; set bidirectional = false")
        return self


class TokenizerConfig(Part):
    """A byte-pair tokenizer trained on the recipe's own captions.

    Attributes:
        vocabulary_size: tokens, marks among them.
        min_frequency: of a pair that becomes a token.
    """

    vocabulary_size: PositiveInt = 16_000
    min_frequency: PositiveInt = 2


class FrozenTransformerTextConfig(Part):
    """A frozen transformers model, whose last layer a (Bi)GRU reads.

    Attributes:
        name: folder or hub name.
        hidden_size: of the GRU's state; ``None``: the joint dimension, and no projection behind it.
        bidirectional: read both ways and average.
        dropout: probability, on the last layer's states.
        max_length: tokens; the rest of a text is not read.
    """

    kind: Literal["frozen-transformer"] = "frozen-transformer"
    name: str
    hidden_size: PositiveInt | None = None
    bidirectional: bool = True
    dropout: Probability = 0.0
    max_length: PositiveInt = 64


class TransformerTextConfig(Part):
    """Any transformers text model by folder or hub name, or one of this size from scratch.

    Attributes:
        name: folder or hub name; where absent, one of the size below starts from chance.
        tokenizer: of one that starts from chance.
        layers: of it.
        width: of its layers.
        heads: of its attention.
        max_length: tokens; the rest of a text is not read.
        pooling: the state of the first token, or the mean of all.
        dropout: probability, in the layers of one that starts from chance.
    """

    kind: Literal["transformer"] = "transformer"
    name: str | None = None
    tokenizer: TokenizerConfig = TokenizerConfig()
    layers: PositiveInt = 6
    width: PositiveInt = 768
    heads: PositiveInt = 12
    max_length: PositiveInt = 64
    pooling: Literal["first", "mean"] = "first"
    dropout: Probability = 0.1


class StreamTextConfig(Part):
    """The transformer of a pretrained single-stream model, over texts alone.

    Attributes:
        start: checkpoint of a model of system ``fei``, whose weights to start from.
        pooling: the state of the first token, or the mean of all.
    """

    kind: Literal["stream"] = "stream"
    start: RecipePath
    pooling: Literal["first", "mean"] = "mean"


TextConfig = Annotated[
    SentenceTextConfig
    | RecurrentTextConfig
    | FrozenTransformerTextConfig
    | TransformerTextConfig
    | StreamTextConfig,
    Field(discriminator="kind"),
]
