"""One plant with logins and rights for all modules here; each test gives back what it takes."""

# Clients are imported where used: pytest reads this file before it has set its warning filters.
# ruff: noqa: PLC0415

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.alarms.conftest import plain_thresholds

if TYPE_CHECKING:
    from tests.integration.secured.bench import Plant

__all__ = ["plain_thresholds"]


@contextmanager
def closed_where_tls_fails() -> Iterator[None]:
    """Close the sockets that kafka-python forgets: those whose TLS handshake has failed.

    Its ``_build_transport`` raises and leaves the transport open. Whatever test runs when Python
    looks for garbage would be told of it, and so would not know a leak of ours.
    """
    from kafka.net.transport import KafkaSSLTransport

    plain = KafkaSSLTransport.handshake

    async def handshake(self: Any) -> None:
        try:
            await plain(self)
        except BaseException as error:
            self.abort(error)
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KafkaSSLTransport, "handshake", handshake)
        yield


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Plant]":
    from tests.integration.secured.bench import Plant
    from tests.integration.secured.whole_path import give_back

    folder = tmp_path_factory.mktemp("secured")
    with closed_where_tls_fails(), Plant(folder) as made:
        give_back(made)
        yield made
    shutil.rmtree(folder, ignore_errors=True)
