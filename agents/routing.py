"""Which variant judges an incident: champion, or challenger for its share of the incidents.

Comes in: an incident's id and the challenger's share. Goes out: the variant. Promise: pure; the
same incident has the same variant on every worker and in every revision, and raising the share
moves incidents only from champion to challenger.
"""

from hashlib import sha256
from typing import Literal

Variant = Literal["champion", "challenger"]

_BITS = 64


def variant_of(incident_id: str, challenger_share: float) -> Variant:
    """Return the variant; `challenger_share` lies between 0 and 1."""
    digest = sha256(b"variant:" + incident_id.encode()).digest()
    place = int.from_bytes(digest[: _BITS // 8], "big") / 2**_BITS
    return "challenger" if place < challenger_share else "champion"
