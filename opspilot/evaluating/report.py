"""Writes measured tables into a Markdown file, between marks that name the measurement.

Comes in: the file's text, tables by measurement, the command that made each. Goes out: the text.
Promise: all outside the marks stays; a measurement that the file has no marks for is an InputError.
"""

import re
from collections.abc import Sequence

from opspilot.evaluating.figures import Figures, markdown
from streams.errors import InputError


def fill(text: str, name: str, command: str, tables: Sequence[Figures]) -> str:
    """Return the text with the part `name` replaced by its command and tables."""
    begin, end = f"<!-- measured: {name} -->", "<!-- end -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    if not pattern.search(text):
        raise InputError(f"The file has no part {name}: give it the lines {begin} and {end}.")
    body = "\n\n".join((f"`{command}`", *map(markdown, tables)))
    return pattern.sub(lambda match: f"{match.group(1)}\n{body}\n\n{match.group(2)}", text, count=1)
