"""Several Tritons that serve the same ensemble, one after the other exchanged for another one."""

import time
from pathlib import Path

from meltwatch_local_cluster.servers import TritonServer

_READY_S = 300.0


class Fleet:
    """Two Tritons that serve the same ensemble, but while they are exchanged.

    Parameters
    ----------
    folder
        For their files.
    """

    def __init__(self, folder: Path) -> None:
        self.servers = [TritonServer(folder / f"live-{number}") for number in range(2)]
        self.address = ",".join(server.address for server in self.servers)

    @staticmethod
    def replace(server: TritonServer, repository: Path) -> int:
        """Stop one and start it with another repository; return when it was gone, ns."""
        server.stop()
        gone_ns = time.time_ns()
        server.repository = repository
        server.start()
        server.wait_ready(_READY_S)
        return gone_ns
