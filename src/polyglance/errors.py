"""Errors that a user can cause. Each message names the thing, the cause and the remedy.

The command line prints the message alone and leaves with exit code 2; anything else is a bug and
shows a traceback.
"""


class PolyglanceError(Exception):
    """Base of every error that a user can cause and mend.

    Args:
        message: English, whole; or with ``{names}`` of values, so that it can be told in other
            languages with the values put in afterwards.
        values: what the names stand for.
    """

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message.format(**values) if values else message)
        self.message = message
        self.values = values


class ManifestError(PolyglanceError):
    """A dataset file is malformed. The message names file, line and field."""


class PictureError(PolyglanceError):
    """One picture cannot be read. Runs over many pictures skip it and list the reason."""


class ConfigError(PolyglanceError):
    """A recipe or a model configuration is wrong. The message names the key."""


class ModelError(PolyglanceError):
    """A checkpoint is missing, incomplete, or not the one that is expected."""


class WeightsError(PolyglanceError):
    """Pretrained weights or sample pictures are absent, unreachable or fail their checksum."""


class CollectionError(PolyglanceError):
    """A collection is missing, locked, damaged, or filled by another model."""


class ClusterError(PolyglanceError):
    """A cluster is out of reach, or its workers do not have what they need, or keep dying."""


class QueryError(PolyglanceError):
    """A query is empty, malformed, or asks for something that is not there."""


class TrainingError(PolyglanceError):
    """A run cannot go on: its loss is not finite, or its folder belongs to another recipe."""
