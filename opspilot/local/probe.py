"""Does a Kafka broker answer at an address?

In: HOST:PORT. Out: whether it spoke Kafka's protocol within the time given.
"""

import socket
import struct

# ApiVersions (key 18), version 0: the one request that every broker answers to anyone.
_REQUEST_BODY = struct.pack(">hhih", 18, 0, 7, 8) + b"opspilot"
_REQUEST = struct.pack(">i", len(_REQUEST_BODY)) + _REQUEST_BODY


def answers(host: str, port: int, timeout_seconds: float) -> bool:
    """Ask for the supported versions; True when a broker said them, which it does once started."""
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
            connection.settimeout(timeout_seconds)
            connection.sendall(_REQUEST)
            head = _receive(connection, 10)
    except OSError:
        return False
    if len(head) < 10:
        return False
    _, correlation, error = struct.unpack(">iih", head)
    return bool(correlation == 7 and error == 0)


def _receive(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            break
        received += chunk
    return received
