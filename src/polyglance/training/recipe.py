"""A recipe: everything that decides a training run, read from TOML.

``[data]`` says which pictures and captions, ``[model]`` which system, ``[training]`` how. Unknown
keys are errors that name the key. Any key can be overridden from the command line by its dotted
path, ``training.phases.0.learning_rate=1e-3``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from polyglance.errors import ConfigError
from polyglance.systems.config.part import RecipePath
from polyglance.training.schedules import ConstantSchedule, Schedule


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _listed(value: object) -> object:
    """One table as a list of one, so that a recipe may give either."""
    return [value] if isinstance(value, dict) else value


class ParallelConfig(_Table):
    """Sentences and their translations, with no pictures, for systems that learn from them.

    Attributes:
        train: BCP-47 tag → text file of which line n says the same in every language; a list of
            such tables for several corpora.
        manifest: take the sentences under ``parallel`` in the training manifest as well; those of
            validation pictures are left out.
        pivot: the language that every other is compared with.
        languages: use these besides the pivot; ``None``: all that there are.
        batch_size: sentences a step; ``None``: as many as pictures.
    """

    train: Annotated[tuple[dict[str, RecipePath], ...], BeforeValidator(_listed)] = ()
    manifest: bool = False
    pivot: str = "en"
    languages: tuple[str, ...] | None = None
    batch_size: PositiveInt | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.manifest and not any(self.train):
            raise ValueError("give train = { tag = file, … }, or manifest = true")
        return self


def _listed_files(value: object) -> object:
    """One file a language as a list of one, so that a recipe may give either."""
    if not isinstance(value, dict):
        return value
    return {tag: [files] if isinstance(files, str) else files for tag, files in value.items()}


class MonolingualConfig(_Table):
    """Sentences that stand alone, for systems that learn from them.

    Attributes:
        train: BCP-47 tag → text file of one sentence a line, or a list of them.
        weights: tag → weight of being drawn; ``None``: in proportion to their sizes.
        batch_size: sentences a step, all languages together; ``None``: as many as pictures.
    """

    train: Annotated[dict[str, tuple[RecipePath, ...]], BeforeValidator(_listed_files)] = Field(
        min_length=1
    )
    weights: dict[str, PositiveFloat] | None = None
    batch_size: PositiveInt | None = None


class NoiseConfig(_Table):
    """Mistakes put into translations; see :mod:`polyglance.data.noise`.

    Attributes:
        drop: share of the words that are missing.
        swap: share of the pairs of neighbouring words that stand in the wrong order.
        wrong: share of the sentences that are another picture's.
        seed: of the mistakes; the same for runs of different ``training.seed``, so that they are
            compared on the same sentences.
    """

    drop: float = Field(default=0.0, ge=0, le=1)
    swap: float = Field(default=0.0, ge=0, le=1)
    wrong: float = Field(default=0.0, ge=0, le=1)
    seed: int = Field(default=0, ge=0)


class TranslatedConfig(_Table):
    """Captions drawn together with their machine translations.

    Attributes:
        source: language of the captions.
        target: language of the translations.
        engines: tags under ``machine_translated`` in the manifest, drawn alike.
        back: engine → tag under ``machine_translated`` of its translations back into ``source``;
            with one engine alone, the tag.
        human: take captions that people wrote in ``target`` instead of translations: the ceiling.
            The two of a pair are then of one picture and say what they want.
        noise: made worse by so much.
    """

    source: str = "en"
    target: str
    engines: tuple[str, ...] = ()
    back: dict[str, str] = Field(default_factory=dict)
    human: bool = False
    noise: NoiseConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _back_of_each(cls, table: object) -> object:
        if not isinstance(table, dict) or not isinstance(table.get("back"), str):
            return table
        engines = list(table.get("engines") or ())
        if len(engines) != 1:
            raise ValueError("several engines: give back = { engine = tag, … }")
        return {**table, "back": {engines[0]: table["back"]}}

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if bool(self.engines) == self.human:
            raise ValueError("give either engines, or human = true")
        if unknown := sorted(self.back.keys() - set(self.engines)):
            raise ValueError(f"back: {', '.join(unknown)} is not among the engines")
        if self.source == self.target:
            raise ValueError("source and target are the same language")
        return self


class DataConfig(_Table):
    """Which pictures and captions.

    Attributes:
        train: manifest to train on; with ``${NAME}`` for environment variables.
        validation: manifest to measure on during training, if any.
        languages: BCP-47 tag → weight of being drawn; ``None``: all of them alike.
        zero_shot: tags that are not trained on; measured once the training is over, so that they
            do not choose the best step.
        vocabulary_languages: tags whose captions are not trained on, but read where a tokenizer or
            a vocabulary is made, for when the model is going to be trained further on them.
        captions_per_picture: drawn for each picture of a batch.
        parallel: sentences and their translations beside them.
        monolingual: sentences that stand alone beside them.
        translated: draw captions with their machine translations, in place of ``languages``.
        features: folder of a feature store to use instead of the one kept in the user's cache.
        views: of each training picture: itself and so many crops, less one, shown in turn.
        similar: make batches of groups of so many pictures that look alike to the frozen backbone,
            instead of strangers.
        limit: use only the first pictures of the training manifest.
        validation_limit: use only the first pictures of the validation manifest; for models that
            compare pair by pair.
        workers: threads that decode pictures.
    """

    train: RecipePath
    validation: RecipePath | None = None
    languages: dict[str, PositiveFloat] | None = None
    zero_shot: tuple[str, ...] = ()
    vocabulary_languages: tuple[str, ...] = ()
    captions_per_picture: PositiveInt = 1
    parallel: ParallelConfig | None = None
    monolingual: MonolingualConfig | None = None
    translated: TranslatedConfig | None = None
    features: RecipePath | None = None
    views: PositiveInt = 1
    similar: PositiveInt | None = None
    limit: PositiveInt | None = None
    validation_limit: PositiveInt | None = None
    workers: PositiveInt = 2

    @model_validator(mode="after")
    def _one_choice_of_captions(self) -> Self:
        if self.translated is not None and self.languages is not None:
            raise ValueError("languages: with translated, its source and target are drawn; remove")
        return self


class PhaseConfig(_Table):
    """One phase of training, with an optimiser of its own.

    Attributes:
        epochs: length in epochs; or
        steps: in steps.
        frozen: parts that do not learn, by the names of ``System.parts``; ``image`` stands for
            all of ``image.…``. A frozen part stays in evaluation mode.
        batch_statistics: BatchNorm layers of a backbone that learns normalise by the batch and move
            their means, for one that starts from chance; else they keep those it came with.
        optimizer: by name.
        learning_rate: of all parts, times ``learning_rate_scale`` of the part, if named.
        weight_decay: decoupled for ``adamw``; never on vectors (biases, norms).
        learning_rate_scale: part → factor of its learning rate.
        schedule: of the learning rate.
    """

    epochs: PositiveFloat | None = None
    steps: PositiveInt | None = None
    frozen: tuple[str, ...] = ()
    batch_statistics: bool = False
    optimizer: Literal["adam", "adamw", "adamax", "sgd"] = "adam"
    learning_rate: PositiveFloat = 1e-4
    learning_rate_scale: dict[str, PositiveFloat] = Field(default_factory=dict)
    weight_decay: NonNegativeFloat = 0.0
    schedule: Schedule = ConstantSchedule()

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        return self

    def total_steps(self, steps_per_epoch: int) -> int:
        """The phase's length in steps, one at least."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None  # noqa: S101 -- the validator saw to it
        return max(1, round(self.epochs * steps_per_epoch))


class TrainingConfig(_Table):
    """How to train.

    Attributes:
        phases: one after the other.
        batch_size: pictures a step, over all devices.
        seed: of initialisation, batches and dropout.
        accelerator: ``auto`` takes GPUs where there are any.
        devices: of each machine, one process each; ``auto``: all GPUs, or one CPU.
        nodes: machines, on each of which the same command is started.
        precision: of the arithmetic; master weights are float32 either way. ``16-mixed`` is for
            GPUs without bfloat16, with a scaled loss.
        chunk_size: pictures and texts of a batch that have a graph at a time, so that large
            batches need no more memory, but half as much time again; ``None``: all.
        clip_gradients: largest norm of the whole gradient; ``None`` leaves it alone.
        evaluate_every: steps between measurements; ``None``: at the end of each epoch.
        cache_features: train a frozen backbone from a feature store, computed once, and keep the
            vectors that a frozen sentence encoder gave to texts.
        log_every: steps between lines of the log.
        tensorboard: write TensorBoard events as well (needs the extra ``tensorboard``).
    """

    phases: tuple[PhaseConfig, ...] = Field(min_length=1)
    batch_size: PositiveInt = 64
    seed: int = Field(default=0, ge=0, lt=2**32)
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: PositiveInt | Literal["auto"] = 1
    nodes: PositiveInt = 1
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    chunk_size: PositiveInt | None = None
    clip_gradients: PositiveFloat | None = None
    evaluate_every: PositiveInt | None = None
    cache_features: bool = True
    log_every: PositiveInt = 10
    tensorboard: bool = False


class Recipe(_Table):
    """A whole run.

    Attributes:
        name: of the run's default folder.
        data: pictures and captions.
        model: the system's configuration, or ``checkpoint`` to go on from a trained model.
        training: how.
    """

    name: str = Field(pattern=r"^[\w.-]+$")
    data: DataConfig
    model: dict[str, Any]
    training: TrainingConfig


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply ``key.path=value`` overrides.

    Raises:
        ConfigError: the file is missing or malformed, a key is unknown, or a value is wrong.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    for override in overrides:
        apply_override(table, override)
    table.setdefault("name", path.stem)
    return validate_recipe(table, str(path))


def validate_recipe(table: Mapping[str, Any], source: str) -> Recipe:
    """Check a recipe's table; ``source`` is named in errors.

    Raises:
        ConfigError: a key is unknown or a value is wrong.
    """
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise ConfigError(explain(error, source)) from None


def explain(error: ValidationError, source: str) -> str:
    """Pydantic's findings in one line each: the dotted key, and what is wrong with it."""
    lines = []
    for finding in error.errors():
        key = ".".join(str(part) for part in finding["loc"])
        reason = finding["msg"][:1].lower() + finding["msg"][1:]
        if finding["type"] == "extra_forbidden":
            reason = "no such key"
        elif finding["type"] != "missing":
            reason += f" (got {finding['input']!r})"
        lines.append(f"{key}: {reason}" if key else reason)
    return f"{source}: " + "; ".join(lines)


def apply_override(table: dict[str, Any], override: str) -> None:
    """Set one key of a nested table; the value is read as TOML, else taken as a string.

    Raises:
        ConfigError: it is not of the form ``key.path=value``, or the path leads nowhere.
    """
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set {override!r}: write it as key.path=value")
    place: Any = table
    for key in keys[:-1]:
        if isinstance(place, dict):
            place = place.setdefault(key, {})
        else:
            place = place[_position(place, key, override)]
    if isinstance(place, dict):
        place[keys[-1]] = _value(text.strip())
    else:
        place[_position(place, keys[-1], override)] = _value(text.strip())


def _position(place: object, key: str, override: str) -> int:
    if not isinstance(place, list):
        raise ConfigError(f"--set {override!r}: there is nothing below a plain value at {key!r}")
    if not key.isdecimal() or int(key) >= len(place):
        raise ConfigError(f"--set {override!r}: {key!r} is not one of 0…{len(place) - 1}")
    return int(key)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
