"""What people copy stays short and stands alone."""

import sys

from tests.support.source import Module
from tests.support.subscriber import PROGRAM


def test_the_scada_subscriber_is_some_100_lines_on_a_plain_kafka_client():
    module = Module(PROGRAM)
    roots = {name.partition(".")[0] for name in module.imported()}

    assert len(module.text.splitlines()) <= 106
    assert roots - sys.stdlib_module_names == {"kafka", "cramjam"}
