"""A password from a variable or from a file that a variable names."""

from pathlib import Path

from pydantic import SecretStr

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.settings import PREFIX


def password(name: str, given: SecretStr | None, file: Path | None) -> str | None:
    """Return a password, None if there is none; a line end at the end of its file is no part of it.

    Parameters
    ----------
    name
        Of the variable, in the form of the settings: ``kafka_password``.
    given, file
        The values of the variable and of the one that ends in ``_FILE``.

    Raises
    ------
    ConfigurationError
        If both are given, or the file cannot be read.
    """
    variable = PREFIX + name.upper()
    if given is not None and file is not None:
        raise ConfigurationError(f"expected {variable} or {variable}_FILE, got both")
    if file is None:
        return given.get_secret_value() if given else None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise ConfigurationError(
            f"{variable}_FILE: expected a readable file, got {str(file)!r}: {said}"
        ) from None
