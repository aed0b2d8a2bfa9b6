"""What an exception says of a system, apart from what it quotes of its input.

Comes in: a line, or a trace of several. Goes out: the same without the messages of exceptions that
speak of a value. Promise: pure; the exception's name stays, since code chose it; the message of one
that is named after a system (a socket, a disk, a database) stays too, since the system worded it.
"""

import re

from agents.logic.judging.words import parts_of

_EXCEPTION = re.compile(
    r"(?P<name>\b(?:[A-Za-z_$][\w$]*\.)*[A-Za-z_$]*(?:Error|Exception|Throwable)):[ \t].*"
)
_SYSTEMS = frozenset(
    re.findall(
        r"\w+",
        "io os fs disk device storage volume space memory heap socket connect connection network"
        " host dns ssl tls handshake certificate transport channel remote rpc grpc timeout deadline"
        " unavailable unreachable sql psql jdbc db database mongo redis kafka amqp broker cluster"
        " replica operational lock deadlock access permission denied auth authentication"
        " authorization resource quota limit backend gateway proxy kernel hardware",
    )
)
"""Words in the name of an exception whose message a system wrote: a kernel, a driver, a server."""


def without_quotes(text: str) -> str:
    """Return `text` without messages that may quote whoever gave the input."""
    return _EXCEPTION.sub(_kept, text)


def _kept(found: re.Match[str]) -> str:
    simple = found["name"].rpartition(".")[2]
    return found[0] if _SYSTEMS.intersection(parts_of(simple)) else found["name"]
