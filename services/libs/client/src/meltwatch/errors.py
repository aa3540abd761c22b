"""What can go wrong, each in one line."""


class MeltwatchError(Exception):
    """Something did not work; the text says what was expected and what came."""


class UnreachableError(MeltwatchError):
    """The console does not answer."""


class AnswerError(MeltwatchError):
    """What came is no answer of a console: too long, damaged, or something else altogether."""


class BacktestError(MeltwatchError):
    """A folder is not that of a finished backtest, or cannot answer this question."""


class MissingPackageError(MeltwatchError):
    """An optional package is not installed."""

    def __init__(self, package: str) -> None:
        extra = package if package in {"pandas", "polars"} else "backtest"
        super().__init__(
            f"expected the package {package}, it is not installed; "
            f"install 'meltwatch-client[{extra}]'"
        )


class RefusedError(MeltwatchError):
    """The console, or the alarm manager behind it, has refused.

    Attributes
    ----------
    status
        Of HTTP.
    code
        A word for programs, e.g. ``stale``, ``not_permitted``, ``no_picture``.
    newest
        Of a refused command, the alarm as it is now, if the console knows it.
    """

    def __init__(
        self, status: int, code: str, message: str, newest: dict[str, object] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.newest = newest


def one_line(error: Exception) -> str:
    """Return what an error says, in one line of at most 200 characters."""
    return " ".join(str(error).split())[:200]
