"""A release takes the place of the one before, process by process, and is taken back the same way.

Stream processors of both share one consumer group, and alarm managers of both one prefix. One comes
before the other one goes, or it is stopped or killed first. They come in any order: whoever applies
manifests gives none. On the topics stands what only this release knows.
"""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tests.chaos.manager_kill import LEADING
from tests.chaos.releases import set_up
from tests.chaos.report import Report
from tests.chaos.site import MANAGER, Site, send_points, wait_for_event
from tests.chaos.stage import Stage
from tests.chaos.tape import Tape
from tests.integration.stream_processor.worker import SERVICE, Worker

NAME: Final = "upgrade"
Programs = tuple[Sequence[str], Sequence[str]]
"""What a worker and an alarm manager are."""
_NOW: Final[Programs] = ((SERVICE,), (MANAGER,))
_PREPARED: Final = {
    "setpoint": {"logit_on": 9.0, "logit_off": 8.0, "on_delay_s": 0.0, "off_delay_s": 0.0},
    "setpoint_basis": "for an ensemble that is not served",
    "setpoint_digest": "f" * 64,
}
"""In the alarm points, where the release before passes over it."""
_EVERY: Final = 2
"""Of so many windows one is scored once more: the ensemble stays the same."""


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Go to this release and back so many times, one process after the other."""
    rng = random.Random(seed)
    python = set_up(Path(mkdtemp(prefix="upgrade", dir=stage.folder)) / "before")
    before: Programs = tuple((str(python), "-m", name) for name in (SERVICE, MANAGER))
    with stage.site(programs=before) as site:
        send_points(site.kafka, site.prefix, {"prepared": _PREPARED})
        crew = _Crew(stage, site, rng)
        for _ in range(rounds):
            for programs in (_NOW, before):
                crew.replace_all(programs)
        crew.replace_all(_NOW)
        site.wait_more()
        report = site.finish(NAME, rounds, every=_EVERY)
    report.notes += [f"windows by release: {_told(_by_release(report.tape))}"]
    if len(_by_release(report.tape)) < 2:
        report.verdict.changed.append("one of both releases has published nothing")
    return report


class _Crew:
    """The workers and the alarm manager, each replaced by one of the site's programs."""

    def __init__(self, stage: Stage, site: Site, rng: random.Random) -> None:
        self._stage = stage
        self._site = site
        self._rng = rng
        self._leader = site.managers[0]
        wait_for_event(self._leader, LEADING)
        site.send_load(rng.randrange(1000))
        self._workers = [self._started(), self._started()]
        site.wait_more()

    def replace_all(self, programs: Programs) -> None:
        """Replace one process after the other, with some windows between: both releases share."""
        self._site.programs = programs
        steps = [self._succeed, *(self._replace_worker for _ in self._workers)]
        self._rng.shuffle(steps)
        for step in steps:
            step()
            self._site.wait_more(self._rng.randrange(40, 80))

    def _replace_worker(self) -> None:
        leaving = self._workers.pop(0)
        comes_first = self._rng.random() < 0.5
        if comes_first:
            self._workers.append(self._started())
        is_killed = self._rng.random() < 0.3
        self._site.fault(f"a worker is {'killed' if is_killed else 'stopped'} for another one")
        if is_killed:
            leaving.kill()
        else:
            assert leaving.stop() == 0, leaving.log.read_text()[-2000:]
        if not comes_first:
            self._workers.append(self._started())

    def _succeed(self) -> None:
        """Have a manager stand by, and end the one that leads."""
        heir = self._site.manager()
        wait_for_event(heir, "health_served")
        self._site.fault("the alarm manager is succeeded")
        assert self._leader.stop() == 0, self._leader.log.read_text()[-2000:]
        wait_for_event(heir, LEADING)
        self._leader = heir

    def _started(self) -> Worker:
        worker = self._site.worker(session_timeout_s=self._stage.session_s)
        wait_for_event(worker, "ensemble_identified")
        return worker


def _by_release(tape: Tape) -> Counter[str]:
    """How many windows each release has published: this one names the newest frames."""
    return Counter("this" if "frames" in score.fields else "before" for score in tape.scores)


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
