"""Runbooks as people write them in Markdown, read into records, with errors that say how to mend.

Comes in: the text of a runbook and its file name. Goes out: a `Runbook`, or a `RunbookError` that
names the file, the section and the fix. Promise: a runbook that is returned is complete: every step
has a verification, a rollback and a risk, every slot in a command is known, every section is there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import yaml

from schemas.remediation import Risk
from schemas.services import Platform
from schemas.vocabulary import Category

SLOTS = (
    "namespace", "pod", "deployment", "service", "host", "port", "unit", "path", "database",
    "device", "user", "container", "node", "topic", "interface", "url",
)  # fmt: skip
"""The names that may stand in braces inside a command, each filled by a fact of that kind."""

SLOT_PATTERN = re.compile(r"\{(" + "|".join(SLOTS) + r")\}")
_UNKNOWN_SLOT = re.compile(r"(?<![$.@])\{([a-z_]+)\}")
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.S)
_SECTION = re.compile(r"^## +(.+?) *$", re.M)
_ITEM = re.compile(r"^(\d+)\. +(.*)$")
_FENCE = re.compile(r"^\s*```\s*(\w*) *(\w*)\s*$")
_FIELD = re.compile(r"^\s+(Expect|Verify|Rollback|Risk): *(.*)$")
_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DURATION = re.compile(r"(\d+)([mh])")
_SECTIONS = ("Symptoms", "Checks", "Steps", "Success", "Risks", "Rollback")
_KEYS = ("id", "title", "categories", "subcategories", "products", "estimated")


class RunbookError(ValueError):
    """A runbook cannot be used; the message names file, section and fix."""

    def __init__(self, file: str, section: str, fix: str) -> None:
        super().__init__(f"Runbook {file}, section {section}: {fix}")


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """One numbered item of Checks or Steps."""

    text: str
    commands: Mapping[Platform, str]
    """The command per platform; `unknown` holds the one without a label."""
    verification: str
    rollback: str = ""
    risk: Risk = Risk.LOW


@dataclass(frozen=True, slots=True)
class Runbook:
    """What to do about one kind of incident."""

    id: str
    title: str
    categories: tuple[Category, ...]
    subcategories: tuple[str, ...]
    products: tuple[str, ...]
    estimated: timedelta
    symptoms: tuple[str, ...]
    checks: tuple[RunbookStep, ...]
    steps: tuple[RunbookStep, ...]
    success: tuple[str, ...]
    risks: tuple[str, ...]
    rollback: str

    @property
    def is_generic(self) -> bool:
        """Whether it is the fallback of a whole category."""
        return self.id.startswith("generic-")


def parse_runbook(text: str, file: str) -> Runbook:
    """Read one runbook; `file` is its name, whose stem must be its id. Raises RunbookError."""
    text = text.replace("\r\n", "\n")
    head = _read_front_matter(text, file)
    sections = _read_sections(text, file)
    return Runbook(
        id=_read_id(head, file),
        title=_read_title(head, file),
        categories=tuple(
            _read_category(name, file) for name in _read_list(head, "categories", file)
        ),
        subcategories=tuple(_read_list(head, "subcategories", file)),
        products=tuple(_read_list(head, "products", file)),
        estimated=_read_duration(str(head["estimated"]), file),
        symptoms=_read_bullets(sections["Symptoms"], "Symptoms", file),
        checks=_read_items(sections["Checks"], "Checks", file),
        steps=_read_items(sections["Steps"], "Steps", file),
        success=_read_bullets(sections["Success"], "Success", file),
        risks=_read_bullets(sections["Risks"], "Risks", file),
        rollback=_read_prose(sections["Rollback"], file),
    )


def _read_front_matter(text: str, file: str) -> dict[str, object]:
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise RunbookError(
            file, "front matter", "begin the file with a block between two --- lines"
        )
    try:
        head = yaml.safe_load(match.group(1))
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise RunbookError(file, "front matter", f"write valid YAML ({problem})") from None
    if not isinstance(head, dict):
        raise RunbookError(file, "front matter", "write one `key: value` per line")
    for key in _KEYS:
        if not head.get(key):
            raise RunbookError(file, "front matter", f"add the key {key}")
    for key in head:
        if key not in _KEYS:
            raise RunbookError(file, "front matter", f"remove the unknown key {key}")
    return head


def _read_id(head: Mapping[str, object], file: str) -> str:
    name = str(head["id"])
    if not _KEBAB.fullmatch(name) or f"{name}.md" != file.rpartition("/")[2]:
        raise RunbookError(
            file, "front matter", f"id is {name}; make it kebab-case and the file's name"
        )
    return name


def _read_title(head: Mapping[str, object], file: str) -> str:
    title = str(head["title"]).strip()
    if len(title) > 120:
        raise RunbookError(file, "front matter", "shorten title to 120 characters")
    return title


def _read_list(head: Mapping[str, object], key: str, file: str) -> list[str]:
    value = head[key]
    if not isinstance(value, list) or not all(isinstance(item, (str, int)) for item in value):
        raise RunbookError(file, "front matter", f"write {key} as a list such as [first, second]")
    return [str(item) for item in value]


def _read_category(name: str, file: str) -> Category:
    try:
        return Category(name)
    except ValueError:
        choices = ", ".join(Category)
        raise RunbookError(
            file, "front matter", f"categories holds {name}; use one of {choices}"
        ) from None


def _read_duration(text: str, file: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or not int(match.group(1)):
        raise RunbookError(file, "front matter", f"estimated is {text}; write it as 30m or 2h")
    minutes = int(match.group(1)) * (60 if match.group(2) == "h" else 1)
    return timedelta(minutes=minutes)


def _read_sections(text: str, file: str) -> dict[str, str]:
    marks = list(_SECTION.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    sections = {
        mark.group(1): text[mark.end() : end].strip("\n")
        for mark, end in zip(marks, ends, strict=True)
    }
    for name in _SECTIONS:
        if not sections.get(name, "").strip():
            raise RunbookError(file, name, f"add the section ## {name} with at least one entry")
    for mark in marks:
        if mark.group(1) not in _SECTIONS:
            raise RunbookError(file, mark.group(1), f"use only the sections {', '.join(_SECTIONS)}")
    if len(marks) != len(_SECTIONS):
        raise RunbookError(file, "all", "write each section once")
    return sections


def _read_bullets(body: str, section: str, file: str) -> tuple[str, ...]:
    bullets: list[str] = []
    for line in body.splitlines():
        if line.startswith("- "):
            bullets.append(line[2:].strip())
        elif line.strip() and bullets and line.startswith("  "):
            bullets[-1] += " " + line.strip()
        elif line.strip():
            raise RunbookError(
                file, section, f"write `{line.strip()[:40]}` as a line that begins with -"
            )
    if not bullets:
        raise RunbookError(file, section, "add at least one line that begins with -")
    return tuple(bullets)


def _read_prose(body: str, file: str) -> str:
    prose = " ".join(line.strip() for line in body.splitlines() if line.strip())
    if len(prose) < 10:
        raise RunbookError(file, "Rollback", "say how the whole plan is undone")
    return prose


def _read_items(body: str, section: str, file: str) -> tuple[RunbookStep, ...]:
    blocks: list[list[str]] = []
    is_fenced = False
    for line in body.splitlines():
        is_fenced ^= bool(_FENCE.match(line))
        item = None if is_fenced else _ITEM.match(line)
        if item:
            if int(item.group(1)) != len(blocks) + 1:
                raise RunbookError(
                    file, section, f"number item {item.group(1)} as {len(blocks) + 1}"
                )
            blocks.append([item.group(2).strip()])
        elif blocks:
            blocks[-1].append(line)
        elif line.strip():
            raise RunbookError(file, section, "begin each item with its number, such as `1. `")
    if is_fenced:
        raise RunbookError(file, section, "close the command block with ```")
    if not blocks:
        raise RunbookError(file, section, "add at least one numbered item")
    return tuple(
        _read_item(lines, f"{section} {number}", file)
        for number, lines in enumerate(blocks, start=1)
    )


def _read_item(lines: Sequence[str], section: str, file: str) -> RunbookStep:
    """Read one item: its text, its fenced commands, its fields."""
    text, fields, commands = lines[0], dict[str, str](), dict[Platform, str]()
    field, fenced, platform = "", list[str](), Platform.UNKNOWN
    is_fenced = False
    for line in lines[1:]:
        fence = _FENCE.match(line)
        if fence and is_fenced:
            if platform in commands:
                raise RunbookError(file, section, f"keep one command block for {platform}")
            commands[platform], is_fenced = _read_command(fenced, section, file), False
        elif fence:
            fenced, is_fenced = [], True
            platform = _read_platform(fence.group(1), fence.group(2), section, file)
        elif is_fenced:
            fenced.append(line)
        elif match := _FIELD.match(line):
            field = match.group(1)
            fields[field] = match.group(2).strip()
        elif line.strip() and field:
            fields[field] += " " + line.strip()
        elif line.strip():
            text += " " + line.strip()
    return _complete_item(text, commands, fields, section, file)


def _complete_item(
    text: str,
    commands: Mapping[Platform, str],
    fields: Mapping[str, str],
    section: str,
    file: str,
) -> RunbookStep:
    is_check = section.startswith("Checks")
    for name in ("Expect",) if is_check else ("Verify", "Rollback", "Risk"):
        if not fields.get(name):
            raise RunbookError(file, section, f"add the line `{name}: ...`")
    if is_check:
        return RunbookStep(text, commands, fields["Expect"])
    try:
        risk = Risk(fields["Risk"].lower().rstrip("."))
    except ValueError:
        choices = ", ".join(Risk)
        raise RunbookError(
            file, section, f"Risk is {fields['Risk']}; use one of {choices}"
        ) from None
    return RunbookStep(text, commands, fields["Verify"], fields["Rollback"], risk)


def _read_platform(language: str, label: str, section: str, file: str) -> Platform:
    if language not in {"sh", "bash", "shell"}:
        raise RunbookError(file, section, f"write ```sh instead of ```{language}")
    if not label:
        return Platform.UNKNOWN
    if label not in {Platform.KUBERNETES, Platform.SYSTEMD}:
        raise RunbookError(file, section, f"label the block kubernetes or systemd, not {label}")
    return Platform(label)


def _read_command(lines: Sequence[str], section: str, file: str) -> str:
    command = "\n".join(line.strip() for line in lines if line.strip())
    if not command:
        raise RunbookError(file, section, "write a command between the ``` lines, or remove them")
    for match in _UNKNOWN_SLOT.finditer(command):
        if match.group(1) not in SLOTS:
            raise RunbookError(
                file,
                section,
                f"the slot {match.group(0)} is unknown; use one of {', '.join(SLOTS)}",
            )
    return command
