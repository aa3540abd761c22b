"""What can go wrong in the alarm life cycle itself."""


class WrongState(ValueError):  # noqa: N818 - named for the code of the command's result
    """The alarm is not in a state in which this may happen."""
