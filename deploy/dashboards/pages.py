"""The runbooks as a dashboard of their own, so that a link from a panel needs no other server.

Comes in: docs/runbooks. Goes out: a dashboard with one page per panel, and the link to each.
"""

import re
from functools import cache
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import text
from grafana_foundation_sdk.models.text import TextMode

FOLDER = Path(__file__).parents[2] / "docs/runbooks"
UID = "opspilot-runbooks"
HEIGHT = 18
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_ALERT = re.compile(r"(?<![#\w] )\bOpsPilot[A-Z]\w+")


@cache
def pages() -> tuple[Path, ...]:
    """Return the pages, in the order of their panels."""
    return tuple(sorted(FOLDER.glob("OpsPilot*.md")))


def page_link(alert: str) -> str:
    """Return where Grafana shows the page of an alert; KeyError for one without a page."""
    numbers = {path.stem: number for number, path in enumerate(pages(), start=1)}
    return f"/d/{UID}?viewPanel={numbers[alert]}"


def make() -> build.Dashboard:
    """Return the dashboard."""
    board = build.Dashboard("OpsPilot / Runbooks").uid(UID).tags(["opspilot"]).readonly()
    board.description("What each alert means, how to check, what to do: docs/runbooks.")
    for number, path in enumerate(pages(), start=1):
        panel = text.Panel().title(path.stem).mode(TextMode.MARKDOWN).content(_content(path))
        board.with_panel(panel.id(number).span(24).height(HEIGHT))
    return board


def _content(path: Path) -> str:
    """Return a page without its title and without links to files that Grafana does not have."""
    body = path.read_text(encoding="utf-8").split("\n", 1)[1].strip()
    return _ALERT.sub(_linked, _LINK.sub(r"\1", body)) + "\n"


def _linked(found: re.Match[str]) -> str:
    return f"[{found[0]}]({page_link(found[0])})"
