"""Errors of the stream processor's own rules; refused records are ``ContractViolation``."""

from meltwatch_chassis.errors import TransientError


class OutOfSequence(ValueError):  # noqa: N818 - named for what happened, like ContractViolation
    """A caller broke the order that the join rests on: a defect, never data; stop.

    Raised where an offset does not grow within its partition, and where a window is reported
    published that is not the oldest unpublished one of its furnace.
    """


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


class EndpointError(TransientError):
    """One scoring endpoint did not answer as it should; another one may.

    Parameters
    ----------
    code
        Status as gRPC names it.
    text
        One line with the endpoint's name.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class DeadStubError(EndpointError):
    """The process behind a model died and the server, which still calls it ready, leaves it so.

    Parameters
    ----------
    code, text
        As of every failure of an endpoint.
    model
        Name of the model.
    """

    def __init__(self, code: str, text: str, model: str) -> None:
        super().__init__(code, text)
        self.model = model


class ReloadRefusedError(Exception):
    """A scoring endpoint lets nobody reload its models, or not us."""
