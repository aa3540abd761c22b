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

DEFAULT_SETPOINT: Final = Setpoint(
    logit_on={on}, logit_off={off}, on_delay_s={on_delay}, off_delay_s={off_delay}
)

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
    lines = wrap(basis, _WIDTH, drop_whitespace=False)
    text = _MODULE.format(
        on=round(setpoint.logit_on, 2),
        off=round(setpoint.logit_off, 2),
        on_delay=setpoint.on_delay_s,
        off_delay=setpoint.off_delay_s,
        basis="\n".join(f'    "{line}"' for line in lines),
        digest=digest,
    )
    path.write_text(text)
