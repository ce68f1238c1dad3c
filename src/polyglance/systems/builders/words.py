"""What turns words into vectors, from its configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from polyglance.data.text import Texts
from polyglance.errors import ConfigError
from polyglance.systems.config import (
    CharacterWordsConfig,
    JoinedWordsConfig,
    LearnedWordsConfig,
    PretrainedWordsConfig,
    SentenceWordsConfig,
    WordsConfig,
)
from polyglance.systems.fingerprint import Tower

if TYPE_CHECKING:
    from polyglance.text.alphabet import Alphabet
    from polyglance.text.segment import Segmenter
    from polyglance.text.vocabulary import Vocabulary
    from polyglance.text.words import WordEmbedding


@dataclass(slots=True)
class WordBuilder:
    """Builds embeddings of words from captions, or from a checkpoint that has collected them.

    Args:
        segmenter: captions → words.
        training_texts: to collect words or characters from.
        folder: of a checkpoint; without one, they are collected anew.
        towers: filled with the pretrained parts that were used.
    """

    segmenter: Segmenter
    training_texts: Texts
    folder: Path | None
    towers: dict[str, Tower] = field(default_factory=dict)

    def build(self, config: WordsConfig) -> WordEmbedding:
        """The embedding that the configuration asks for.

        Raises:
            ConfigError: words or characters are to be collected, and there are no captions; or a
                file of vectors cannot be read.
            ModelError: the checkpoint lacks a file, or a named file is no vocabulary.
            WeightsError: the sentence encoder has not been fetched.
        """
        from polyglance.text.character_words import CharacterWords
        from polyglance.text.joined_words import JoinedWords
        from polyglance.text.learned_words import LearnedWords
        from polyglance.text.pretrained_words import PretrainedWords

        match config:
            case LearnedWordsConfig():
                return LearnedWords(vocabulary=self._vocabulary(config), dimension=config.dimension)
            case CharacterWordsConfig():
                return CharacterWords(
                    alphabet=self._alphabet(config),
                    character_dimension=config.character_dimension,
                    word_length=config.word_length,
                    widths=config.widths,
                    dropout=config.dropout,
                )
            case PretrainedWordsConfig():
                if self.folder is not None:
                    return PretrainedWords.load(self.folder)
                return PretrainedWords.read(config.by_language(), limit=config.limit)
            case SentenceWordsConfig():
                return self._sentence_words()
            case JoinedWordsConfig():
                return JoinedWords(parts=[self.build(part) for part in config.parts])
            case _:
                assert_never(config)

    def _vocabulary(self, config: LearnedWordsConfig) -> Vocabulary:
        from polyglance.text.vocabulary import FILE_NAME, Vocabulary

        if self.folder is not None:
            return Vocabulary.load(self.folder / FILE_NAME)
        if config.vocabulary is not None:
            return Vocabulary.load(config.vocabulary)
        return Vocabulary.of(self._words(), min_frequency=config.min_frequency)

    def _alphabet(self, config: CharacterWordsConfig) -> Alphabet:
        from polyglance.text.alphabet import FILE_NAME, Alphabet

        if self.folder is not None:
            return Alphabet.load(self.folder / FILE_NAME)
        if config.alphabet is not None:
            return Alphabet.load(config.alphabet)
        return Alphabet.of(self._words(), min_frequency=config.min_frequency)

    def _words(self) -> list[str]:
        if not any(self.training_texts.values()):
            raise ConfigError("this model collects its words from captions, and there are none")
        return [
            word
            for language, texts in self.training_texts.items()
            for text in texts
            for word in self.segmenter.words(text, language)
        ]

    def _sentence_words(self) -> WordEmbedding:
        from polyglance.text.sentence_encoder import SentenceEncoder
        from polyglance.text.sentence_words import SentenceWords

        encoder = SentenceEncoder.load()
        self.towers["text.words.encoder"] = Tower("sentence-encoder", encoder.fingerprint)
        return SentenceWords(encoder=encoder)
