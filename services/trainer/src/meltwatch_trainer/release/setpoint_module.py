"""The default set-point as a module of the product: what the alarm manager starts from."""

from pathlib import Path
from textwrap import wrap
from typing import Final

from meltwatch_schemas.alarm import Setpoint

_WIDTH: Final = 90
_MODULE: Final = '''"""The set-point where nobody has written one; generated with the models.

``meltwatch-trainer export`` writes this file: change it there.
"""

from typing import Final

from meltwatch_schemas.alarm import Setpoint

DEFAULT_SETPOINT: Final = Setpoint({values})

BASIS: Final = (
{basis}
)
"""What the threshold rests on, for an alarm point's ``setpoint_basis``."""

MODEL_DIGEST: Final = "{digest}"
"""Digest of the ensemble whose log-odds it belongs to."""
'''


def write_setpoint(path: Path, setpoint: Setpoint, basis: str, digest: str) -> None:
    """Write the module.

    Parameters
    ----------
    basis
        One line: what the threshold rests on.
    digest
        Of the ensemble that the threshold belongs to.
    """
    values = setpoint.model_dump(exclude_none=True)
    lines = wrap(basis, _WIDTH, drop_whitespace=False)
    text = _MODULE.format(
        values=", ".join(f"{name}={round(value, 2)}" for name, value in values.items()),
        basis="\n".join(f'    "{line}"' for line in lines),
        digest=digest,
    )
    path.write_text(text)
