"""Writes results into docs/benchmarks.md, each benchmark its own section.

Comes in: a section's name and lines. Goes out: the file with that section replaced or added.
"""

from pathlib import Path

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_TITLE = "# Benchmarks\n\nWritten by `make bench`: each section by the command that it names.\n"


def write_section(name: str, lines: list[str]) -> None:
    """Replace the section `## name`, or add it at the end."""
    text = REPORT.read_text() if REPORT.exists() else _TITLE
    head, *sections = text.split("\n## ")
    kept = [section for section in sections if section.split("\n", 1)[0] != name]
    kept.append(f"{name}\n\n" + "\n".join(lines) + "\n")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text("\n## ".join([head.rstrip("\n") + "\n", *sorted(kept)]))
