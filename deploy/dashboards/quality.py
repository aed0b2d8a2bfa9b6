"""Model quality and drift: what people say of the verdicts, and what learning makes of it."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.frame import frame
from dashboards.panels import Look, Query, Words, bars, graph, number
from dashboards.promql import RATE

CHOSEN = '{model=~"$model"}'
BY = "max by (model, adapter)"
LEGEND = "{{model}} {{adapter}}"
FEEDBACK = "once people have given feedback"


def make() -> Dashboard:
    """Return the dashboard."""
    board = frame(
        "Model quality and drift",
        "opspilot-quality",
        "Confirmed verdicts, drift, abstentions, categories, releases and training.",
        model="label_values(model_drift_score, model)",
    )
    for panel in (*_feedback(), *_verdicts(), *_learning()):
        board.with_panel(panel)
    return board


def _feedback() -> tuple[object, ...]:
    return (
        number(
            Words("Accuracy", "Share of verdicts that people confirmed, in the window.", FEEDBACK),
            Look("percentunit", 6, red_below=0.8, most=1, alerts=("OpsPilotDrift",)),
            Query(f"{BY} (incident_classification_accuracy{CHOSEN})", LEGEND),
        ),
        number(
            Words("Drift", "Share of verdicts that people called wrong.", FEEDBACK),
            Look("percentunit", 6, red_from=0.2, most=1, alerts=("OpsPilotDrift",)),
            Query(f"{BY} (model_drift_score{CHOSEN})", LEGEND),
        ),
        number(
            Words("Words that count", "Below 50 a score says little.", FEEDBACK),
            Look("short", 6),
            Query(f"{BY} (opspilot_feedback_samples{CHOSEN})", LEGEND),
        ),
        number(
            Words("Drifting", "1 while drift has found, by its settings, a drift.", FEEDBACK),
            Look("short", 6, red_from=1, most=1, alerts=("OpsPilotDrift",)),
            Query(f"{BY} (opspilot_drift_episode_open{CHOSEN})", LEGEND),
        ),
        graph(
            Words("Drift score", "It asks for training above the line, of 50 words.", FEEDBACK),
            Look("percentunit", red_from=0.2, most=1, alerts=("OpsPilotDrift",)),
            Query(f"{BY} (model_drift_score{CHOSEN})", LEGEND),
        ),
        graph(
            Words("Feedback", "Words taken in: right, wrong, or withdrawn."),
            Look("short", stacked=True),
            Query(f"sum by (outcome) (increase(opspilot_feedback_total{RATE}))", "{{outcome}}"),
        ),
    )


def _verdicts() -> tuple[object, ...]:
    return (
        graph(
            Words("Verdicts by who gave them", "Champion or challenger, model or baseline."),
            Look("short", stacked=True),
            Query(
                f"sum by (variant, backend) (increase(opspilot_verdicts_by_variant_total{RATE}))",
                "{{variant}} {{backend}}",
            ),
        ),
        graph(
            Words("Abstentions", "Share of the verdicts of six hours that ask for a person."),
            Look("percentunit", red_from=0.2, most=1, alerts=("OpsPilotAbstentions",)),
            Query("opspilot:abstentions:share6h", "share"),
        ),
        bars(
            Words("Categories", "Verdicts by category in the time shown: a shift is a sign."),
            Look("short"),
            Query(
                "sum by (category) (increase(opspilot_classifications_out_total[$__range]))",
                "{{category}}",
            ),
        ),
        bars(
            Words("Severities", "Verdicts by severity in the time shown."),
            Look("short"),
            Query(
                "sum by (severity) (increase(opspilot_classifications_out_total[$__range]))",
                "{{severity}}",
            ),
        ),
        graph(
            Words(
                "Commands in plans", "By the verdict of the policy; blocked ones are shown as such."
            ),
            Look("short", stacked=True),
            Query(
                f"sum by (verdict) (increase(opspilot_commands_judged_total{RATE}))", "{{verdict}}"
            ),
        ),
    )


def _learning() -> tuple[object, ...]:
    release = "max by (role, model, adapter) (opspilot_model_release_timestamp_seconds) * 1000"
    return (
        graph(
            Words(
                "Training jobs",
                "Jobs that ended, by what came of them.",
                "where a trainer runs",
            ),
            Look("short", 6, alerts=("OpsPilotTrainerFailed",)),
            Query(
                "sum by (state) (increase(opspilot_training_results_total[$__range]))",
                "{{state}}",
            ),
        ),
        graph(
            Words("Training", "Progress of the training in work; 0 without one."),
            Look("percentunit", 6, most=1),
            Query("max(opspilot_training_progress)", "progress"),
        ),
        number(
            Words(
                "In service since",
                "What was released, by role; purple marks on all dashboards are the same moments.",
                "where a model server is configured and something was released",
            ),
            Look("dateTimeAsIso", 12),
            Query(release, "{{role}}: {{model}} {{adapter}}"),
        ),
    )
