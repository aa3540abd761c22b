"""Start Kafka once and keep what its Java learns: later starts take half the work.

``python -m meltwatch_local_cluster.servers.warm_up``, which ``make test`` runs. Without it, or with
a Java older than 25, Kafka starts as ever.
"""

import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from meltwatch_chassis.errors import FatalError

from meltwatch_local_cluster.servers.kafka import KafkaServer
from meltwatch_local_cluster.servers.kafka_installation import learning, learnt_file
from meltwatch_local_cluster.steps import say, step


class _LearningServer(KafkaServer):
    """A broker that has time to write down what it has loaded."""

    grace_s: ClassVar[float] = 300.0


def warm_up() -> None:
    """Have Java learn, unless it has or cannot.

    Raises
    ------
    DependencyUnreachable
        If Kafka does not start.
    """
    learnt = learnt_file()
    if learnt is None or learnt.exists():
        return
    with (
        step("letting Java learn how Kafka starts, once"),
        tempfile.TemporaryDirectory(dir=learnt.parent) as folder,
    ):
        output = Path(folder) / "learnt.aot"
        server = _LearningServer(Path(folder) / "kafka")
        server.options = learning(output)
        with server:
            pass
        if output.exists():
            output.replace(learnt)
        else:
            say("Java kept nothing, and Kafka starts as before")


if __name__ == "__main__":
    try:
        warm_up()
    except FatalError as error:
        say(str(error))
        sys.exit(error.exit_code)
