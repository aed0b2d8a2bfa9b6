"""What is wrong with the environment, each mistake in one sentence with variable, value and fix.

Comes in: the environment, the sections of the settings, what pydantic found. Goes out: sentences.
Promise: the value of a variable that may hold a secret is never quoted.
"""

import json
from collections.abc import Iterator, Mapping

from pydantic import ValidationError
from pydantic.fields import FieldInfo

PAGE = "docs/settings.md lists all"
_SECRETS = ("PASSWORD", "SECRET", "TOKEN")


def strangers(
    environment: Mapping[str, str], prefix: str, sections: Mapping[str, FieldInfo]
) -> Iterator[str]:
    """Name the variables that begin like ours and that nothing would read."""
    for variable in sorted(environment):
        section, _, name = variable.upper().removeprefix(prefix).partition("__")
        if not variable.upper().startswith(prefix) or not name:
            continue
        known = sections.get(section.lower())
        if known is None:
            yield f"{variable} is no setting, there is no section {section}: {PAGE}"
        elif name.lower() not in _fields(known):
            yield f"{variable} is no setting of section {section}: {PAGE}"


def unreadable_lists(
    environment: Mapping[str, str], prefix: str, sections: Mapping[str, FieldInfo]
) -> Iterator[str]:
    """Name the variables of lists whose values are no JSON."""
    for section, model in sections.items():
        for name, field in _fields(model).items():
            variable = f"{prefix}{section}__{name}".upper()
            value = environment.get(variable)
            if value is None or not isinstance(field.default, tuple):
                continue
            try:
                json.loads(value)
            except ValueError:
                yield f'{variable}={value!r}: must be a JSON list, such as ["a", "b"]'


def explain(error: ValidationError, prefix: str) -> str:
    """Return one sentence per value that the settings refuse."""
    problems = []
    for problem in error.errors(include_url=False):
        variable = prefix + "__".join(str(part).upper() for part in problem["loc"])
        given = problem["input"]
        secret = any(word in variable for word in _SECRETS)
        shown = isinstance(given, str | int | float) and not secret
        value = f"={given!r}" if shown else ""
        problems.append(f"{variable}{value}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems)


def _fields(section: FieldInfo) -> Mapping[str, FieldInfo]:
    fields: Mapping[str, FieldInfo] = getattr(section.annotation, "model_fields", {})
    return fields
