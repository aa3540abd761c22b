"""Triton: NVIDIA's own server, on the processor, with a stand-in for its C++ ONNX backend."""

from pathlib import Path
from typing import ClassVar

import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports
from meltwatch_local_cluster.servers.checkout import checkout_folder
from meltwatch_local_cluster.servers.child import ChildCommand
from meltwatch_local_cluster.servers.server import Server, plain_environment
from meltwatch_local_cluster.servers.shared_memory import new_prefix, remove_orphans
from meltwatch_local_cluster.servers.triton_installation import triton_installation

# A dead model stub keeps a stopping server waiting for all of it, and stubs have no work to finish.
_EXIT_TIMEOUT_S = 5


class TritonServer(Server):
    """One Triton that serves every model of a repository.

    Parameters
    ----------
    folder
        Temporary files.
    log
        Where the output goes; a file in the folder by default.
    repository
        Model repository; the checkout's ``triton_models/repository`` by default.
    """

    name: ClassVar[str] = "triton"
    grace_s: ClassVar[float] = _EXIT_TIMEOUT_S + 5.0

    def __init__(
        self, folder: Path, log: Path | None = None, repository: Path | None = None
    ) -> None:
        super().__init__(folder, log)
        self.shared_memory_prefix = new_prefix()
        self.repository = repository or checkout_folder() / "triton_models" / "repository"
        self._grpc_port, self._http_port, self._metrics_port = free_ports(3)

    @property
    def address(self) -> str:
        """Address of the gRPC service, ``host:port``."""
        return f"{LOOPBACK}:{self._grpc_port}"

    @property
    def metrics_address(self) -> str:
        """Address that serves Triton's own ``/metrics``, ``host:port``."""
        return f"{LOOPBACK}:{self._metrics_port}"

    def prepare(self) -> None:
        """Install Triton when the checkout lacks it."""
        triton_installation()

    def answers(self) -> bool:
        """Tell whether the server and all its models are ready."""
        return triton_answers(self.address)

    def _command(self) -> ChildCommand:
        remove_orphans()
        installation = triton_installation()
        environment = plain_environment(
            self.folder, OMP_NUM_THREADS="1", LD_LIBRARY_PATH=installation.libraries
        )
        environment["PATH"] = f"{installation.commands}:{environment['PATH']}"
        argv = [
            installation.program,
            f"--model-repository={self.repository}",
            f"--backend-directory={installation.backends}",
            f"--cache-directory={installation.caches}",
            *self._listeners(),
            *(
                f"--backend-config={backend},shm-region-prefix-name={self.shared_memory_prefix}"
                for backend in ("python", "onnxruntime")
            ),
            "--model-control-mode=explicit",
            "--load-model=*",
            "--model-config-name=cpu",
            f"--exit-timeout-secs={_EXIT_TIMEOUT_S}",
            "--log-format=ISO8601",
        ]
        mark = self.shared_memory_prefix
        return ChildCommand(argv, environment, self.log, mark, telling="UNAVAILABLE: ")

    def _listeners(self) -> list[str]:
        ports = {"http": self._http_port, "grpc": self._grpc_port, "metrics": self._metrics_port}
        return [
            option
            for service, port in ports.items()
            for option in (f"--{service}-address={LOOPBACK}", f"--{service}-port={port}")
        ]


def triton_answers(address: str, *, tls: bool = False, ca_file: Path | None = None) -> bool:
    """Tell whether a Triton is ready, with all its models.

    Parameters
    ----------
    address
        Of its gRPC service, ``host:port``.
    tls
        Whether it speaks TLS.
    ca_file
        CA certificates, PEM; the machine's by default.
    """
    roots = str(ca_file) if ca_file else None
    client = triton_grpc.InferenceServerClient(address, ssl=tls, root_certificates=roots)
    try:
        return bool(client.is_server_ready(client_timeout=2))
    except InferenceServerException:
        return False
    finally:
        client.close()
