"""Where this package's checkout keeps what a local cluster needs beside Python code."""

from pathlib import Path

from meltwatch_chassis.errors import ConfigurationError


def checkout_folder() -> Path:
    """Find the repository that this package is installed from.

    Returns
    -------
    The folder that holds ``triton_models``.

    Raises
    ------
    ConfigurationError
        If the package was installed without its checkout.
    """
    for folder in Path(__file__).resolve().parents:
        if (folder / "triton_models" / "server" / "uv.lock").exists():
            return folder
    raise ConfigurationError(
        "local cluster: expected to run from a checkout with triton_models/server/uv.lock above "
        f"{Path(__file__).resolve().parent}, found none; run it there with 'make run'"
    )
