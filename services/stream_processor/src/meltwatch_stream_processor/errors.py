"""Errors of the stream processor itself; those of its rules stand in ``meltwatch_core``."""


class RecordFailedError(Exception):
    """Handling one record ended in an error that nobody foresaw.

    Parameters
    ----------
    place
        Topic, partition and offset of the record.
    what
        The error in one line.
    """

    def __init__(self, place: tuple[str, int, int], what: str) -> None:
        super().__init__(f"{place[0]}/{place[1]} at {place[2]}: {what}")
        self.place = place
        self.what = what
