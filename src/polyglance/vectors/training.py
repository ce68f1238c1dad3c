"""Word vectors of one language, from text, by gensim's word2vec and fastText.

Skip-gram with negative sampling (Mikolov et al., NIPS 2013), and the same with n-grams (Bojanowski
et al., TACL 2017). One thread and a seed give the same vectors each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from polyglance.data.files import replaced_when_complete
from polyglance.errors import ConfigError
from polyglance.vectors.space import WordSpace

if TYPE_CHECKING:
    from gensim.models import Word2Vec


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """What word2vec and fastText have in common.

    Attributes:
        dimension: of a vector; Portaz et al. (2019) have 300.
        window: words to each side, at most.
        negatives: words drawn against each neighbour.
        epochs: how often the text is read.
        min_count: rarer words get no vector.
        subsample: frequent words are left out the more often, the smaller it is.
        learning_rate: at the beginning; it falls to nearly none.
        seed: of everything drawn.
        workers: threads; with more than one, no two runs are alike.
    """

    dimension: int = 300
    window: int = 5
    negatives: int = 5
    epochs: int = 10
    min_count: int = 2
    subsample: float = 1e-3
    learning_rate: float = 0.025
    seed: int = 0
    workers: int = 1


def train_word2vec(
    sentences: Sequence[list[str]],
    options: TrainingOptions,
    *,
    after_epoch: Callable[[], None] | None = None,
) -> WordSpace:
    """Train skip-gram with negative sampling.

    Args:
        sentences: words.
        options: how.
        after_epoch: called after each.

    Raises:
        ConfigError: gensim is not installed, or no word is frequent enough.
    """
    models = _gensim()
    return _space(_train(models.Word2Vec, sentences, options, after_epoch, {}))


def train_fasttext(
    sentences: Sequence[list[str]],
    options: TrainingOptions,
    *,
    minimum: int = 3,
    maximum: int = 6,
    buckets: int = 2_000_000,
    model: Path | None = None,
    after_epoch: Callable[[], None] | None = None,
) -> WordSpace:
    """Train skip-gram with n-grams of characters.

    Args:
        sentences: words.
        options: how.
        minimum: characters of the shortest n-gram; the marks around a word count.
        maximum: characters of the longest.
        buckets: that n-grams are hashed into; 100,000 are plenty for a small text, and 2,000,000
            of 300 numbers are 2.4 GB.
        model: write a model file in fastText's format here, for words that the text has not.
        after_epoch: called after each.

    Returns:
        The words, each with the mean of its own vector and its n-grams'.

    Raises:
        ConfigError: gensim is not installed, no word is frequent enough, or the model file cannot
            be written.
    """
    models = _gensim()
    trained = _train(
        models.FastText,
        sentences,
        options,
        after_epoch,
        {"min_n": minimum, "max_n": maximum, "bucket": buckets},
    )
    if model is not None:
        try:
            with replaced_when_complete(model) as temporary:
                models.fasttext.save_facebook_model(trained, str(temporary))
        except OSError as error:
            raise ConfigError(f"{model}: cannot be written: {error.strerror}") from None
    return _space(trained)


def _gensim() -> Any:  # its modules have no types
    try:
        import gensim.models
    except ImportError:
        raise ConfigError(
            "training word2vec and fastText needs gensim; install it with "
            "`pip install 'polyglance[vectors]'`"
        ) from None
    return gensim.models


def _train(
    kind: Any,
    sentences: Sequence[list[str]],
    options: TrainingOptions,
    after_epoch: Callable[[], None] | None,
    own: dict[str, int],
) -> Word2Vec:
    model = kind(
        vector_size=options.dimension,
        window=options.window,
        negative=options.negatives,
        epochs=options.epochs,
        min_count=options.min_count,
        sample=options.subsample,
        alpha=options.learning_rate,
        seed=options.seed,
        workers=options.workers,
        sg=1,
        **own,
    )
    model.build_vocab(sentences)
    if not len(model.wv):
        raise ConfigError(
            f"no word occurs {options.min_count} times; give more text or a lower --min-count"
        )
    callbacks = () if after_epoch is None else (_Callback(after_epoch),)
    model.train(
        sentences, total_examples=model.corpus_count, epochs=options.epochs, callbacks=callbacks
    )
    return model


class _Callback:
    """gensim calls all four; deriving from its own class would import it with this module."""

    def __init__(self, after_epoch: Callable[[], None]) -> None:
        self._after_epoch = after_epoch

    def on_train_begin(self, _model: object) -> None:
        """Nothing."""

    def on_train_end(self, _model: object) -> None:
        """Nothing."""

    def on_epoch_begin(self, _model: object) -> None:
        """Nothing."""

    def on_epoch_end(self, _model: object) -> None:
        """An epoch is done."""
        self._after_epoch()


def _space(model: Word2Vec) -> WordSpace:
    words = list(model.wv.index_to_key)
    return WordSpace(words, torch.from_numpy(model.wv.vectors.copy()))
