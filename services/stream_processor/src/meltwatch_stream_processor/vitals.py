"""What the health page shows of a stream processor: its engine, and what it depends on."""

from collections.abc import Iterator
from contextlib import contextmanager

from meltwatch_chassis.dependencies import Dependencies
from meltwatch_core.scoring.failover import Failover

from meltwatch_stream_processor.pipeline.engine import Engine


class ProcessorVitals:
    """What the health server may ask before, while and after the engine exists.

    Parameters
    ----------
    dependencies
        What is known to be away.

    Attributes
    ----------
    dependencies
        The same.
    has_begun
        Whether there has been an engine.
    scorer
        None until it exists.
    """

    def __init__(self, dependencies: Dependencies) -> None:
        self.dependencies = dependencies
        self.has_begun = False
        self.scorer: Failover | None = None
        self._engine: Engine | None = None

    @contextmanager
    def watching(self, engine: Engine) -> Iterator[None]:
        """Show an engine while the block runs."""
        self._engine, self.has_begun = engine, True
        try:
            yield
        finally:
            self._engine = None

    def progress(self) -> str | None:
        """Return one line if work stands still without a reason."""
        return self._engine.progress.problem() if self._engine else None

    def readiness(self) -> str | None:
        """Return one line if a dependency is missing."""
        own = self._engine.readiness() if self._engine else "expected to have started by now"
        return "; ".join(filter(None, (self.dependencies.problem(), own))) or None

    def warning(self) -> str | None:
        """Return one line if an endpoint is away and others do its work."""
        return self.scorer.warning if self.scorer else None
