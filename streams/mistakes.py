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
_WORDS = {
    "Value error, ": "",
    "Input should be": "must be",
    "String should match pattern": "must match",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
}
"""What pydantic says, and how a person says it."""
_NO_SECTION = frozenset({"model_type", "model_attributes_type", "dict_type"})


def strangers(
    environment: Mapping[str, str], prefix: str, sections: Mapping[str, FieldInfo]
) -> Iterator[str]:
    """Name the variables that begin like ours and that nothing would read."""
    for variable in sorted(environment):
        section, _, name = variable.upper().removeprefix(prefix).partition("__")
        if not variable.upper().startswith(prefix):
            continue
        if not name:
            yield from _one_underscore(variable, environment[variable], prefix, sections)
            continue
        known = sections.get(section.lower())
        if known is None:
            yield f"{variable} is no setting, there is no section {section}: {PAGE}"
        elif name.lower() not in _fields(known):
            yield f"{variable} is no setting of section {section}: {PAGE}"


def _one_underscore(
    variable: str, value: str, prefix: str, sections: Mapping[str, FieldInfo]
) -> Iterator[str]:
    """Name a setting written with one underscore for two; others may have names like ours."""
    # Kubernetes gives such names to the addresses of services.
    if value.startswith(("tcp://", "udp://")):
        return
    words = variable.upper().removeprefix(prefix)
    for section, known in sections.items():
        name = words.removeprefix(f"{section.upper()}_")
        if name != words and name.lower() in _fields(known):
            meant = f"{prefix}{section.upper()}__{name}"
            yield f"{variable} is no setting, two underscores part section and name: {meant}"


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


def explain(error: ValidationError, prefix: str, sections: Mapping[str, FieldInfo]) -> str:
    """Return one sentence per value that the settings refuse: what it must be, what it is for."""
    problems = []
    for problem in error.errors(include_url=False):
        variable = prefix + "__".join(str(part).upper() for part in problem["loc"])
        given = problem["input"]
        secret = any(word in variable for word in _SECRETS)
        shown = isinstance(given, str | int | float) and not secret
        value = f"={given!r}" if shown else ""
        section, *names = (str(part) for part in problem["loc"])
        known = _fields(sections[section]) if section in sections else {}
        if problem["type"] in _NO_SECTION:
            example = f"{prefix}{section}__{next(iter(known), '')}".upper()
            problems.append(f"{variable}{value}: set one of its settings, such as {example}")
            continue
        field = known.get(names[0]) if names else None
        purpose = f" ({field.description.rstrip('.')})" if field and field.description else ""
        problems.append(f"{variable}{value}: {_wanted(problem['msg'])}{purpose}")
    return "; ".join(problems)


def _wanted(message: str) -> str:
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return message.partition(", unable to parse")[0]


def _fields(section: FieldInfo) -> Mapping[str, FieldInfo]:
    fields: Mapping[str, FieldInfo] = getattr(section.annotation, "model_fields", {})
    return fields
