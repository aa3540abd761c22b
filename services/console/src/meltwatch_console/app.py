"""The console at work: one task follows the alarms, one tells browsers that it lives."""

import asyncio
from contextlib import aclosing
from typing import Final

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed, AlarmNews, PipelineLink
from meltwatch_chassis.loop_vitals import LoopVitals
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_S

from meltwatch_console.domain.delta import ScoreDelta
from meltwatch_console.pipeline.evidence import EvidenceKeeper
from meltwatch_console.pipeline.live_picture import Link, LinkState, LivePicture, Publish

_BEAT_S: Final = 1.0
_SCORES_S: Final = 1.0
_BEATS_TOLD: Final = 5
"""Browsers are told every fifth: three that do not come mean stale."""
_NO_HEARTBEAT: Final = "no heartbeat of the alarm manager"
_log = structlog.get_logger()


class Console:
    """Keeps the picture of the browsers as the topics have it.

    Parameters
    ----------
    feed
        The alarms.
    picture
        What browsers see.
    vitals
        Told that it works.
    clock
        Monotonic time.
    keeper
        Keeps what belongs to raises, where anything is kept.
    """

    def __init__(
        self,
        feed: AlarmFeed,
        picture: LivePicture,
        vitals: LoopVitals,
        clock: Clock,
        keeper: EvidenceKeeper | None = None,
    ) -> None:
        # The console's user may write commands alone: it gives no sign of life on the topic.
        feed.is_mute = True
        self._feed = feed
        self._picture = picture
        self._vitals = vitals
        self._clock = clock
        self._keeper = keeper
        self._was_history = True

    async def follow_alarms(self) -> None:
        """Follow the alarms; never ends by itself."""
        async with aclosing(self._feed.follow()) as news:
            async for each in news:
                self._take(each)
                self._picture.note_link(self._link())
                self._vitals.note_look()

    async def beat(self) -> None:
        """Tell browsers and health that this process runs; never ends by itself."""
        while True:
            for number in range(_BEATS_TOLD):
                self._vitals.beat()
                await asyncio.sleep(_BEAT_S)
                if number == 0:
                    self._picture.beat(self._feed.pulse.newest)

    def unready(self) -> str | None:
        """Return why the alarms are not known; a silent alarm manager is told on the page."""
        if self._feed.problem is not None:
            return f"alarms: {self._feed.problem}"
        return None if self._feed.has_caught_up else "alarms: being read"

    def _take(self, news: AlarmNews) -> None:
        alarms = self._feed.board.alarms
        if news.is_thinned:
            self._picture.note_gap()
        if news.is_history or not self._feed.has_caught_up:
            self._was_history = True
            self._picture.take_history(news.turns, alarms)
            return
        if self._was_history:
            self._was_history = False
            _log.info("alarms_read", alarms=len(alarms))
            self._picture.tell_all()
            if self._keeper is not None:
                self._keeper.catch_up(alarms.values())
        self._picture.take(news.turns, alarms)
        if self._keeper is not None:
            self._keeper.take(news.turns)

    def _link(self) -> Link:
        now_s = self._clock.monotonic_ns() / NS_PER_S
        age_s = int(self._feed.pulse.silent_s(now_s))
        if self._feed.problem is not None:
            return Link(LinkState.STALE, age_s, escaped(self._feed.problem))
        if self._feed.link is PipelineLink.LIVE:
            return Link(LinkState.LIVE, age_s)
        if self._feed.link is PipelineLink.DOWN:
            # Without Kafka nobody can tell whether the alarm manager lives.
            if (lacking := self._vitals.lacking) is not None:
                return Link(LinkState.STALE, age_s, lacking)
            return Link(LinkState.NO_MANAGER, age_s, _NO_HEARTBEAT)
        waits_for = (
            _NO_HEARTBEAT + " yet" if self._feed.has_caught_up else "the alarms are being read"
        )
        return Link(LinkState.STALE, age_s, waits_for)


async def tell_scores(delta: ScoreDelta, publish: Publish) -> None:
    """Tell browsers once a second which furnaces look different; never ends by itself."""
    while True:
        await asyncio.sleep(_SCORES_S)
        if rows := delta.drain():
            publish("scores", rows)
