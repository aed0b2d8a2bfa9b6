"""Free TCP ports on the loopback address.

In: which ports to leave out. Out: a port that could be bound a moment ago. Another process may
still take it first: whoever binds it must be ready to ask for another.
"""

import random
import socket

from opspilot.local.properties import LOOPBACK
from streams.errors import ConfigurationError

# Below the range from which the kernel takes ports for outgoing connections, so that no client
# sits on a server's port while that server restarts.
_RANGE = range(20_000, 32_000)
_TRIES = 200


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Say whether a server could bind the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are only being forgotten counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(taken: frozenset[int] = frozenset()) -> int:
    """Return a free port that is not in `taken`; ConfigurationError when there seems to be none."""
    for _ in range(_TRIES):
        port = random.choice(_RANGE)
        if port not in taken and is_free(port):
            return port
    raise ConfigurationError(
        f"no free port between {_RANGE.start} and {_RANGE.stop} on {LOOPBACK}: "
        "stop what holds them, or name the ports in the settings."
    )
