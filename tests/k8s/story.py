"""What is asked of a laptop overlay, plain or secured: a passed self-test and no lost window."""

import json
import re
import urllib.request
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tests.k8s.cluster import forwarded, is_ready, job, kubectl, pods, run, say, wait_for
from tests.k8s.conftest import Laptop

if TYPE_CHECKING:
    from tests.chaos.tape import Reader, Tape

SELFTEST = job("selftest")


def until_the_self_test_has_passed(laptop: Laptop) -> None:
    """Wait for the Job's end, and say what becomes ready meanwhile."""
    told: set[str] = set()

    def verdict() -> str | None:
        found = pods()
        ready = sorted(name for name, pod in found.items() if is_ready(pod))
        for name in set(ready) - told:
            told.add(name)
            say(f"{laptop.seconds:4.0f} s  {name} ({len(told)} of {len(found)} pods)")
        status = json.loads(kubectl("get", SELFTEST, "--output", "json"))["status"]
        ended = {each["type"] for each in status.get("conditions", [])}
        return "; ".join(ended & {"Complete", "Failed"}) or None

    ended = wait_for("the self-test", verdict, 600)
    log = run("logs", SELFTEST).stdout
    print(log)
    assert ended == "Complete", log
    say(f"{laptop.seconds:4.0f} s  the self-test has passed")


def rotation() -> bool | None:
    """Tell whether every worker has every Triton in its rotation."""
    for worker in ("stream-processor-0", "stream-processor-1"):
        with forwarded(f"pod/{worker}", 8080) as address:
            page = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
        up = re.findall(r"^meltwatch_scoring_endpoint_up\{.*\} (\S+)$", page, re.MULTILINE)
        if up != ["1.0", "1.0"]:
            return None
    return True


def longest_silences(reader: "Reader", since_ns: int) -> dict[str, float]:
    """Return the longest time without a publication of each simulated furnace, s."""
    published = defaultdict(lambda: [since_ns])
    for score in reader.tape().scores:
        if score.furnace.startswith("demo/") and score.published > since_ns:
            published[score.furnace].append(score.published)
    return {
        furnace: max(b - a for a, b in pairwise(times)) / 1e9
        for furnace, times in published.items()
    }


def judge_every_window(reader: "Reader", ca: Path | None = None) -> None:
    """Stop the sources, and hold every window that was published against the window rule.

    Parameters
    ----------
    reader
        Reads the broker.
    ca
        Who signed Triton's certificate, where it speaks TLS.
    """
    # Imported late: kafka-python's import warns before the root conftest has filtered it.
    from tests.chaos.oracle import Oracle  # noqa: PLC0415
    from tests.chaos.referee import Referee  # noqa: PLC0415
    from tests.chaos.verdict import judge, missing  # noqa: PLC0415

    kubectl("scale", "deployment", "video-producer", "current-producer", "--replicas", "0")

    def complete() -> "Tape | None":
        tape = reader.tape()
        return None if missing(tape, Oracle(tape)) else tape

    tape = wait_for("the last windows", complete, 120)
    say(f"{len(tape.scores)} scores are held against the window rule")
    with forwarded("pod/triton-0", 8001) as address:
        verdict = judge(tape, Referee(address, ca), lockstep=False, every=8)
    say(f"{verdict.windows} windows, {verdict.identical} of them published twice, alike")
    assert not verdict.faults, "\n".join(verdict.faults)
    assert verdict.unscored_for_outage == 0
