"""Which machines can run the servers: those that Triton's wheel is made for."""

import platform
import sys

from meltwatch_chassis.errors import ConfigurationError

_OLDEST_GLIBC = (2, 35)


def check_platform() -> None:
    """Refuse a machine that Triton's wheel does not run on.

    Raises
    ------
    ConfigurationError
        On anything but Linux, x86-64, glibc 2.35 or newer.
    """
    library, version = platform.libc_ver()
    found = f"{sys.platform} {platform.machine()} {library} {version}".strip()
    glibc = tuple(int(part) for part in version.split(".") if part.isdigit())
    fits = sys.platform == "linux" and platform.machine() == "x86_64" and library == "glibc"
    if not fits or glibc < _OLDEST_GLIBC:
        raise ConfigurationError(
            f"local run: expected Linux on x86-64 with glibc 2.35 or newer, found {found}; "
            "use the laptop overlay in k8s/overlays/laptop on a cluster instead"
        )
