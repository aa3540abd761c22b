"""Real servers on this machine: Kafka, Redis, Triton.

Each is a context manager, and has the same few verbs::

    with KafkaServer(folder) as kafka:  # start() and wait_ready(), at the end stop()
        kafka.address  # "127.0.0.1:21234"
        kafka.log  # file with the server's output
        kafka.kill()  # SIGKILL to the whole group
        kafka.start()
        kafka.wait_ready()  # again: the same address and data
        kafka.freeze()
        kafka.thaw()  # SIGSTOP and SIGCONT

``start`` returns at once, so that several servers can start side by side. The first start on a
machine downloads what is missing and says so on standard error; ``prepare()`` does only that.
"""

from meltwatch_local_cluster.servers.kafka import KafkaCluster, KafkaServer
from meltwatch_local_cluster.servers.redis import RedisServer
from meltwatch_local_cluster.servers.server import Server
from meltwatch_local_cluster.servers.triton import TritonServer

__all__ = ["KafkaCluster", "KafkaServer", "RedisServer", "Server", "TritonServer"]
