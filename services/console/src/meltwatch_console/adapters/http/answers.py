"""How what cannot be given is answered."""

from collections.abc import Iterator
from contextlib import contextmanager

from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_schemas.text import escaped

from meltwatch_console.adapters.http.gate import ApiError
from meltwatch_console.errors import NoPicture


@contextmanager
def picture_errors() -> Iterator[None]:
    """Turn what went wrong into an answer.

    Raises
    ------
    ApiError
        404 where there is nothing to show, 422 for a stretch that makes no sense, 503 without
        Kafka.
    """
    try:
        yield
    except NoPicture as error:
        raise ApiError(404, "no_picture", str(error)) from None
    except ValueError as error:
        raise ApiError(422, "bad_request", str(error)[:300]) from None
    except (TransientError, FatalError) as error:
        raise ApiError(503, "kafka_away", escaped(str(error))[:300]) from None
