"""The table of environment variables in docs/operations.md, made from the settings themselves.

``python -m tests.support.settings_table`` writes it again.
"""

import importlib
from importlib.util import find_spec
from pathlib import Path

from meltwatch_chassis.settings import PREFIX, ServiceSettings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations.md"
PRODUCERS = ("current_producer", "video_producer")
BEGIN, END = "<!-- settings: generated -->", "<!-- settings: end -->"


def services_with_settings() -> dict[str, type[ServiceSettings]]:
    """Return the settings model of every service that has one."""
    found: dict[str, type[ServiceSettings]] = {}
    for path in sorted(ROOT.glob("services/*/src/*/settings.py")):
        package = path.parent.name
        # The trainer lives in an environment of its own and takes arguments, no variables.
        if find_spec(package) is None:
            continue
        settings = importlib.import_module(f"{package}.settings").Settings
        service = package.removeprefix("meltwatch_")
        # Both producers stand in one package: they are told the same.
        names = PRODUCERS if service == "producers" else (service,)
        found |= dict.fromkeys(names, settings)
    return found


def table() -> str:
    """Return one row per variable: name, default, who reads it, meaning."""
    readers: dict[str, list[str]] = {}
    fields = {}
    # The launcher tells the same variables from its own point of view: the services' words count.
    models = sorted(services_with_settings().items(), key=lambda item: item[0] == "local_cluster")
    for service, settings in models:
        for name, field in settings.model_fields.items():
            readers.setdefault(name, []).append(service)
            fields.setdefault(name, field)
    rows = ["| variable | default | read by | meaning |", "|---|---|---|---|"]
    for name in sorted(readers):
        default = fields[name].get_default(call_default_factory=True)
        shown = "" if default is None else f"`{default}`"
        by = ", ".join(sorted(readers[name]))
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {by} | {fields[name].description} |")
    return "\n".join(rows)


def page_with_table(page: str) -> str:
    """Return the page with the table between its marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text()))
