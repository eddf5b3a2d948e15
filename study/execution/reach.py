"""Whether an address answers, known within seconds where Ray would wait for minutes."""

import socket

from trainables.errors import BadInput

CONNECT_SECONDS = 5.0


def check_reachable(address: str, host: str, port: int) -> None:
    """Raise BadInput, naming --address, if nothing listens on the port of the host."""
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise BadInput(
            f"--address {address}: no answer ({error}); is the head running, and the tunnel to it?"
        ) from error
