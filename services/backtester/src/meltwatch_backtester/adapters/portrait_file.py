"""A file of ``meltwatch portrait fit --out``, read as what it is: anybody may have written it."""

from pathlib import Path

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.portrait import MAX_BYTES, decode_portrait

from meltwatch_backtester.domain.portrait_text import StandingPortrait


def portrait_of_file(file: Path) -> StandingPortrait:
    """Return the portrait of a file, and its bytes.

    Raises
    ------
    ConfigurationError
        If it cannot be read, or is no portrait.
    """
    try:
        with file.open("rb") as opened:
            value = opened.read(MAX_BYTES + 1)
        return StandingPortrait(decode_portrait(value), value)
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error
    except ContractViolation as error:
        raise ConfigurationError(f"{file}: expected a portrait, {error}") from error
