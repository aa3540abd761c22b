"""Topics of a test's own, their scores, and workers on them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from meltwatch_schemas.topics import Topic

from tests.support.servers import Topics

if TYPE_CHECKING:
    from meltwatch_local_cluster.servers import KafkaServer

    from tests.integration.stream_processor.worker import Works


@pytest.fixture
def works(kafka: "KafkaServer", topics: Topics, tmp_path: Path) -> "Iterator[Works]":
    # Imported late: kafka-python's import warns before the root conftest has filtered it.
    from tests.integration.stream_processor.worker import Tail, Works  # noqa: PLC0415

    with Tail(kafka.address, topics.name(Topic.SCORES), topics.partitions) as scores:
        yield Works(kafka.address, topics.prefix, scores, tmp_path)
