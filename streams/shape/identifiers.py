"""Writes hexadecimal identifiers alike, so that lines that differ in nothing else share a key.

Comes in: a key. Goes out: a key of the same length, in which every UUID, trace id, digest or
address in hexadecimal reads `0a0a...`. Promise: offsets hold, applying it again changes nothing,
and since the shape is made of what goes out it stays a function of the line alone.
"""

import re

_RUN = re.compile(rb"[0A-Fa-f]{8,}(?:(?:-[0A-Fa-f]{4}){3}-[0A-Fa-f]{12})?(?![0-9A-Za-z])")
_LIMIT = 1_024
_PLAIN = b"0a" * (_LIMIT // 2)
_ZEROS_AND_DASHES = b"0-"
_NOT_BEFORE = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwyz")
"""Letters and digits, without the `x` of `0x`."""


def unify_identifiers(key: bytes) -> bytes:
    """Return `key` with each hexadecimal word of eight or more characters written alike.

    Such a word holds both digits and letters and stands between what is neither; a number stays a
    number (it may be a date) and `deadbeef` a word.
    """
    return _RUN.sub(_unify, key)


def _unify(found: re.Match[bytes]) -> bytes:
    run: bytes = found.group()
    start = found.start()
    if start and found.string[start - 1] in _NOT_BEFORE:
        return run
    if 0x30 not in run or not run.strip(_ZEROS_AND_DASHES) or len(run) > _LIMIT:
        return run
    return b"-".join([_PLAIN[: len(part)] for part in run.split(b"-")])
