"""Errors of the trainer, named for what the caller should do."""


class TrainerError(Exception):
    """Base of all errors that the trainer raises on purpose: one line, shown as it is."""


class CacheMismatchError(TrainerError):
    """A cache folder or checkpoint was made with other settings: delete it or point elsewhere."""


class RepositoryError(TrainerError):
    """The model repository is not what its configuration says: export it again."""


class UnfinishedTrainingError(TrainerError):
    """What is asked for needs members that are not trained to their end: train first."""


class TrainingError(TrainerError):
    """A training failed in a way that more training cannot repair: change its plan."""


class WeightsError(TrainerError):
    """A file of weights is not one of the published network: name another file."""


class ParityFileError(TrainerError):
    """A file of golden outputs has not the form of one: name another file."""


class BenchmarkError(TrainerError):
    """The benchmark's files do not have what was asked for: ask for something else."""


class ScoresError(TrainerError):
    """Scores are missing, or too few to judge by: score, or score more, first."""


class DeviceError(TrainerError):
    """The device that is asked for is not there: ask for another."""


class TrialError(TrainerError):
    """A trial at a small scale would replace what is shipped: name another place for it."""


class PageError(TrainerError):
    """A page has no place for what is to be written into it: restore its markers."""


class UnwritableError(TrainerError):
    """A result cannot be written: name another folder."""


class RecordingError(TrainerError):
    """A recording is not of its form: repair it, or leave it out."""


class NoBenchmarkError(RecordingError):
    """A folder holds no recording of the benchmark: it is of another form, or empty."""


class LabelError(TrainerError):
    """A label does not fit the recordings: correct it."""


class TooFewError(TrainerError):
    """The recordings are too few for what is claimed of them: record more, or claim less."""
