"""All dashboards as the files that Grafana reads.

Goes out: JSON by file name. Promise: the same code gives the same bytes.
"""

from collections.abc import Callable, Mapping

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import api, health, incidents, llm, pages, pipeline, quality

MAKERS: Mapping[str, Callable[[], Dashboard]] = {
    "api": api.make,
    "health": health.make,
    "incidents": incidents.make,
    "llm": llm.make,
    "pipeline": pipeline.make,
    "quality": quality.make,
    "runbooks": pages.make,
}


def dashboard_files() -> dict[str, str]:
    """Return name and text of each file."""
    return {f"{name}.json": _text(make()) for name, make in MAKERS.items()}


def _text(board: Dashboard) -> str:
    built = board.build()
    for number, panel in enumerate(built.panels or (), start=1):
        # Numbers within a dashboard, so that a panel can be linked to.
        panel.id_val = number
    for link in built.links or ():
        # The library puts it away into a menu; it is to be seen.
        link.placement = None
    return JSONEncoder(indent=1).encode(built) + "\n"
