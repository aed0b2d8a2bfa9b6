"""How a panel is made: title, what it says, unit, queries, where it turns red, its runbook.

Comes in: words and PromQL. Goes out: builders of panels. Promise: none is without a description and
a unit; every query asks the data source that the dashboard's variable names.
"""

from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, Threshold, ThresholdsMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.pages import page_link

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT = 8
SMALL = 4
GOOD, BAD = "green", "red"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression, and how its series are named."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """What a panel is called, what it says, and when it has data where that is not always."""

    title: str
    says: str
    data: str = ""
    """Completes "Has data": `once ...`, `where ...`, `while ...`; empty: always."""

    @property
    def description(self) -> str:
        """Return all of it."""
        return f"{self.says} Has data {self.data}." if self.data else self.says


@dataclass(frozen=True, slots=True)
class Look:
    """How a panel is drawn."""

    unit: str
    width: int = 12
    red_from: float | None = None
    red_below: float | None = None
    most: float | None = None
    stacked: bool = False
    signed: bool = False
    """It may fall below 0, and that is to be seen."""
    alerts: tuple[str, ...] = field(default=())
    """Whose pages it links to."""


def graph(words: Words, look: Look, *queries: Query) -> timeseries.Panel:
    """Return lines over time."""
    panel = _begin(timeseries.Panel(), words, look, queries).height(HEIGHT)
    panel.legend(
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    panel.fill_opacity(25 if look.stacked else 8).line_width(1)
    if not look.signed:
        panel.min(0)
    if look.stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if look.red_from is not None or look.red_below is not None:
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(style)
    return panel


def number(words: Words, look: Look, *queries: Query) -> stat.Panel:
    """Return the present value, with its course behind it."""
    panel = _begin(stat.Panel(), words, look, queries).height(SMALL)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def bars(words: Words, look: Look, *queries: Query) -> bargauge.Panel:
    """Return the present values of several series as bars."""
    panel = _begin(bargauge.Panel(), words, look, queries).height(HEIGHT).min(0)
    panel.orientation(VizOrientation.HORIZONTAL)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def _begin(panel: Any, words: Words, look: Look, queries: tuple[Query, ...]) -> Any:
    panel.title(words.title).description(words.description).unit(look.unit).span(look.width)
    panel.datasource(SOURCE).thresholds(_thresholds(look))
    if look.most is not None:
        panel.max(look.most)
    if look.alerts:
        panel.links([_link(alert) for alert in look.alerts])
    for number_, one in enumerate(queries):
        target = query.Dataquery().expr(one.expr).datasource(SOURCE).range()
        target.format(PromQueryFormat.TIME_SERIES).ref_id(chr(ord("A") + number_))
        panel.with_target(target.legend_format(one.legend or "__auto"))
    return panel


def _thresholds(look: Look) -> build.ThresholdsConfig:
    steps = [Threshold(value=None, color=BAD if look.red_below is not None else GOOD)]
    if look.red_from is not None:
        steps.append(Threshold(value=look.red_from, color=BAD))
    if look.red_below is not None:
        steps.append(Threshold(value=look.red_below, color=GOOD))
    return build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _link(alert: str) -> build.DashboardLink:
    link = build.DashboardLink(f"Runbook: {alert}").type(DashboardLinkType.LINK)
    return link.url(page_link(alert)).target_blank(True)
