"""How a scoring endpoint fails, named for what the caller does."""

from typing import Final

from meltwatch_chassis.errors import TransientError

_SILENCES: Final = frozenset({"DEADLINE_EXCEEDED", "CANCELLED"})


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

    @property
    def is_silence(self) -> bool:
        """Whether it did not answer in time."""
        return self.code in _SILENCES


class LateAnswerError(TransientError):
    """A scorer was asked and did not answer in time; it may be slow."""


class NobodyToAskError(TransientError):
    """No endpoint is in the rotation: a window was not even asked about."""


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
    """A scoring endpoint does not allow reloading of its models, at least not to us."""
