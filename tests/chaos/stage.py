"""The servers that campaigns break, each started when the first campaign asks for it."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Self, TypeVar

from meltwatch_local_cluster.servers import (
    KafkaCluster,
    KafkaServer,
    RedisServer,
    Server,
    TritonServer,
)

from tests.chaos.fleet import Fleet
from tests.chaos.site import MANAGER, Site
from tests.integration.stream_processor.worker import SERVICE

_Server = TypeVar("_Server", bound=Server | KafkaCluster)
# Else a broker takes no session shorter than 6 s, and each takeover of the short runs lasts that.
_SETTINGS = {"group.min.session.timeout.ms": "1000"}
# Else a dead leader is replaced after 9 s.
_PROMPT_FAILOVER = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}


class Stage:
    """Servers of its own, and sites on them.

    Parameters
    ----------
    folder
        For data and logs.
    referee
        A Triton that nobody disturbs; one of its own by default.
    session_s
        After this silence of a worker another one takes over.
    speed
        Event seconds per second of the load.
    program, manager
        What a worker and an alarm manager are; may be set anew between sites.

    Attributes
    ----------
    folder
        The same.
    """

    def __init__(
        self,
        folder: Path,
        referee: TritonServer | None = None,
        session_s: float = 6.0,
        speed: float = 6.0,
        program: Sequence[str] = (SERVICE,),
        manager: Sequence[str] = (MANAGER,),
    ) -> None:
        self._speed = speed
        self.folder = folder
        self._given = referee
        self.program = program
        self.manager = manager
        self._servers = ExitStack()
        self.session_s = session_s

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    def _run(self, server: _Server) -> _Server:
        return self._servers.enter_context(server)

    @cached_property
    def kafka(self) -> KafkaServer:
        """One broker."""
        return self._run(KafkaServer(self.folder / "kafka", settings=_SETTINGS))

    @cached_property
    def cluster(self) -> KafkaCluster:
        """Three brokers."""
        return self._run(
            KafkaCluster(self.folder / "cluster", settings=_SETTINGS | _PROMPT_FAILOVER)
        )

    @cached_property
    def redis(self) -> RedisServer:
        """One Redis."""
        return self._run(RedisServer(self.folder / "redis"))

    @cached_property
    def referee(self) -> TritonServer:
        """A Triton that stays as it is."""
        return self._given or self._run(TritonServer(self.folder / "referee"))

    @cached_property
    def triton(self) -> TritonServer:
        """A Triton to be broken."""
        return self._run(TritonServer(self.folder / "triton"))

    def site(
        self,
        *,
        kafka: KafkaServer | KafkaCluster | None = None,
        triton: TritonServer | Fleet | None = None,
        speed: float | None = None,
        ailing: bool = False,
        programs: tuple[Sequence[str], Sequence[str]] | None = None,
    ) -> Site:
        """Topics, a load and workers on these servers; those that nobody breaks by default."""
        broker = kafka or self.kafka
        illness = ("tests.chaos.ailing",) if ailing else ()
        return Site(
            broker.address,
            (triton or self.referee).address,
            self.redis.address,
            self.folder,
            replicas=3 if isinstance(broker, KafkaCluster) else 1,
            referee=self.referee.address,
            programs=programs or ((*illness, *self.program), (*illness, *self.manager)),
            speed=speed or self._speed,
        )
