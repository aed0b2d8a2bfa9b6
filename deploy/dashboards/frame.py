"""What all dashboards share: data source, variables, release marks, links to the others.

Comes in: a title, an id, variables. Goes out: a dashboard without panels yet.
"""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.panels import SOURCE

TAG = "opspilot"
STAGES = "ingest|analyze|correlate|classify|recommend|drift|trainer|model"
ALL = "$__all"


def frame(title: str, uid: str, says: str, **variables: str) -> build.Dashboard:
    """Return a dashboard; `variables` hold PromQL's `label_values(...)` by name."""
    board = (
        build.Dashboard(f"OpsPilot / {title}")
        .uid(uid)
        .description(says)
        .tags([TAG])
        .readonly()
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_others())
        .annotation(_releases())
    )
    source = build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    board.with_variable(source)
    for name, values in variables.items():
        board.with_variable(_variable(name, values))
    return board


def processes() -> dict[str, str]:
    """Return the variables by which single processes are chosen."""
    return {
        "job": f'label_values(up{{job=~"{STAGES}"}}, job)',
        "instance": 'label_values(up{job=~"$job"}, instance)',
    }


def _variable(name: str, values: str) -> build.QueryVariable:
    variable = build.QueryVariable(name).label(name).query(values).datasource(SOURCE)
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    variable.multi(True).include_all(True).all_value(".*")
    return variable.current(VariableOption(text="All", value=ALL, selected=True))


def _others() -> build.DashboardLink:
    link = build.DashboardLink("OpsPilot").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(True).keep_time(True)


def _releases() -> build.AnnotationQuery:
    """Return marks at the moments of model releases: the gauge's value is its own time."""
    expr = "max by (role, model, adapter) (opspilot_model_release_timestamp_seconds) * 1000"
    target = query.Dataquery().expr(expr).datasource(SOURCE).ref_id("Anno")
    mark = build.AnnotationQuery().name("Model releases").datasource(SOURCE).target(target)
    mark.expr(expr).step("60s").use_value_for_time(True).enable(True).icon_color("purple")
    return mark.title_format("Release: {{role}}").text_format("{{model}} {{adapter}}")
