"""Errors of the trainer, named for what the caller should do."""


class TrainerError(Exception):
    """Base of all errors that the trainer raises on purpose: one line, shown as it is."""


class CacheMismatchError(TrainerError):
    """A cache folder or checkpoint was made with other settings: delete it or point elsewhere."""


class RepositoryError(TrainerError):
    """The model repository is not what its configuration says: export it again."""


class UnfinishedTrainingError(TrainerError):
    """What is asked for needs members that are not trained to their end: train first."""
