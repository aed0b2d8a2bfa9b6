"""The keys by which signed feedback is checked.

Comes in: a JSON file, person or gateway to secret. Goes out: a mapping to bytes. Promise: a mistake
in it is one sentence that quotes no secret.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from streams.errors import ConfigurationError
from streams.section import PREFIX

VARIABLE = f"{PREFIX}FEEDBACK__KEYS_FILE"
MIN_KEY_CHARS = 16


def read_person_keys(file: Path | None) -> Mapping[str, bytes]:
    """Return the key of each person; none without a file; raises ConfigurationError."""
    if file is None:
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{VARIABLE}={file} cannot be read: {error}") from None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ConfigurationError(
            f'{VARIABLE}={file}: must be a JSON object, such as {{"ana": "a long secret"}}'
        )
    for person, secret in content.items():
        if not isinstance(secret, str) or len(secret) < MIN_KEY_CHARS:
            raise ConfigurationError(
                f"{VARIABLE}={file}: the key of {person!r} must be a text of at least "
                f"{MIN_KEY_CHARS} characters; `opspilot feedback key` makes one"
            )
    return {person: secret.encode() for person, secret in content.items()}
