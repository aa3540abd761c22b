"""Asks a service whether it is ready, by its ``/readyz``."""

import http.client

_TIMEOUT_S = 2.0


def readiness_problem(address: str) -> str | None:
    """Ask a service whether its dependencies answer.

    Parameters
    ----------
    address
        Of its health server, ``host:port``.

    Returns
    -------
    None when it is ready, else one line that says what is not.
    """
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read(1_000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return f"no answer from http://{address}/readyz"
    finally:
        connection.close()
    return None if answer.status == http.client.OK else " ".join(text.split())
