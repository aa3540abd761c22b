"""The list of every ``MELTWATCH_*`` variable in the chassis, made from the settings themselves.

``python -m tests.support.known_variables`` writes it again.
"""

from meltwatch_chassis import known_variables
from meltwatch_chassis import settings as chassis_settings
from meltwatch_chassis.settings import PREFIX, ServiceSettings

from tests.support.settings_table import ROOT, services_with_settings

FILE = ROOT / "services/libs/chassis/src/meltwatch_chassis/known_variables.py"
OF_THE_STATE_DIR = {"MELTWATCH_STATE_DIR"}  # read by run_state for every command, in no Settings


def settings_classes() -> list[type[ServiceSettings]]:
    """Return the settings of the chassis and of every service."""
    shared = [
        value
        for value in vars(chassis_settings).values()
        if isinstance(value, type) and issubclass(value, ServiceSettings)
    ]
    return [*shared, *services_with_settings().values()]


def module_text() -> str:
    """Return the module with the variables of all settings."""
    fields = {PREFIX + name.upper() for each in settings_classes() for name in each.model_fields}
    lines = [f'        "{name}",' for name in sorted(fields | OF_THE_STATE_DIR)]
    head = f'"""{known_variables.__doc__}"""\n\nfrom typing import Final\n\n'
    return "\n".join(
        [f"{head}KNOWN_VARIABLES: Final = frozenset(", "    {", *lines, "    }", ")\n"]
    )


if __name__ == "__main__":
    FILE.write_text(module_text())
