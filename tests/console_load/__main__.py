"""``python -m tests.console_load``: the console's budgets in one run, as a table for the docs.

A whole plant on a real Kafka, many streams, and one page in Chromium that really looks.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

from meltwatch_local_cluster.servers import KafkaServer
from playwright.sync_api import sync_playwright

from tests.bench.machine import moment, setting
from tests.console_load.budgets import table
from tests.console_load.run import LoadRun, Plan
from tests.integration.console.conftest import chromium_program


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.console_load", description=__doc__)
    parser.add_argument("--furnaces", type=int, default=Plan.furnaces)
    parser.add_argument("--streams", type=int, default=Plan.streams)
    parser.add_argument("--minutes", type=float, default=10.0, help="480 for the tab's memory")
    asked = parser.parse_args()
    plan = Plan(asked.furnaces, asked.streams, 60 * asked.minutes)
    program = chromium_program()
    if program is None:
        parser.error("expected Chromium, found none")
    with (
        tempfile.TemporaryDirectory(prefix="meltwatch-console-") as folder,
        sync_playwright() as driver,
        driver.chromium.launch(executable_path=program, args=["--no-sandbox"]) as browser,
        KafkaServer(Path(folder) / "kafka") as kafka,
    ):
        began = moment()
        seen = LoadRun(Path(folder), browser, plan).run(kafka)
        print(f"{began}; {moment()}")
        print(f"{setting()['processor']}; {setting()['system']}; Chromium {browser.version}")
    print(f"{plan.furnaces} furnaces, {plan.streams} browsers, {asked.minutes:g} min")
    print(table(seen))
    return 0 if all(each.holds for each in seen) else 1


if __name__ == "__main__":
    # kafka-python reads its protocol files by calls that Python 3.11 and 3.12 deprecate.
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.exit(main())
