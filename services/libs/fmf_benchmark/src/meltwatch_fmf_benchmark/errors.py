"""What goes wrong with files."""


class FormatError(Exception):
    """A file is not of the benchmark's form: one line with what was expected, what came, where."""


class NoRecordingsError(FormatError):
    """A folder holds no recording of the benchmark at all."""
