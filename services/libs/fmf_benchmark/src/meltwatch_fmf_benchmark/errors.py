"""What goes wrong with files."""


class FormatError(Exception):
    """A file is not of the benchmark's form: one line with what was expected, what came, where."""
