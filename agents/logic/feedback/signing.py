"""Who said it: signatures of feedback, and the keys under which its topic keeps it.

Comes in: Feedback and secret keys. Goes out: a signature, a voice, a topic key. Promise: a
signature covers every field that says something, in one canonical form; all words without one are
one voice, so a crowd that nobody knows weighs as much as one person.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping

from schemas.ids import content_id
from schemas.learning import Feedback
from streams.errors import DecodeError

UNSIGNED = "unsigned"
"""The one voice of all that is not signed, or whose signer is not known."""

_FORM = "opspilot-feedback-1"
_SIGNED_FIELDS = (
    "incident_id",
    "revision",
    "person",
    "given_ms",
    "category_correct",
    "severity_correct",
    "summary_useful",
    "plan_useful",
    "corrected_category",
    "corrected_severity",
    "comment",
    "model",
    "adapter",
)


def canonical(feedback: Feedback) -> bytes:
    """Return what is signed: the form's name, a newline, JSON with sorted camelCase names.

    No spaces, no nulls, UTF-8; names are those on the wire, so that a gateway in any language can
    make it. Fields that a later version adds are not in it: that version would name another form.
    """
    fields = feedback.model_dump(mode="json", include=set(_SIGNED_FIELDS), exclude_none=True)
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{_FORM}\n{text}".encode()


def sign(feedback: Feedback, key: bytes) -> Feedback:
    """Return `feedback` with its HMAC-SHA256 (RFC 2104) under `key`, in hexadecimal."""
    return feedback.model_copy(update={"signature": _digest(feedback, key)})


def voice_of(feedback: Feedback, keys: Mapping[str, bytes]) -> str:
    """Return whose word this is: a pseudonym of the signer, or UNSIGNED.

    Raises DecodeError for a signature that the key of that person did not make: somebody else
    speaks in their name, or the words were changed on their way.
    """
    key = keys.get(feedback.person)
    if feedback.signature is None or key is None:
        return UNSIGNED
    if not hmac.compare_digest(feedback.signature.encode(), _digest(feedback, key).encode()):
        raise DecodeError(
            "bad-signature",
            f"person={feedback.person!r}: the signature was not made with the key of that person",
        )
    return content_id("voice", feedback.person)


def author_of(feedback: Feedback) -> str:
    """Return a pseudonym of who wrote; signed words and unsigned ones of one name are two authors.

    Else anybody could have a signed word removed from the compacted topic by writing without one.
    """
    return content_id("signed" if feedback.signature else UNSIGNED, feedback.person)


def feedback_key(feedback: Feedback) -> str:
    """Return the key under which the topic keeps the author's latest word on this incident."""
    return f"{feedback.incident_id}/{author_of(feedback)}"


def _digest(feedback: Feedback, key: bytes) -> str:
    return hmac.new(key, canonical(feedback), hashlib.sha256).hexdigest()
