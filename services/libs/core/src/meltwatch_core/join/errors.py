"""Errors of the join's own rules; refused records are ``ContractViolation``."""


class OutOfSequence(ValueError):  # noqa: N818 - named for what happened, like ContractViolation
    """A caller broke the order that the join needs: a defect of ours, never of data; stop.

    Raised where an offset does not grow within its partition, and where a window is reported
    published that is not the oldest unpublished one of its furnace.
    """
