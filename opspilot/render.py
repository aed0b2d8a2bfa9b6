"""How incidents, plans and the ledger look in a terminal.

Comes in: records and a rich console. Goes out: text for a person. Promise: what stands in a log
line or a plan is printed as it is: never read as markup, never as control codes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agents.logic.accounting import Balance
from opspilot.results import Results
from schemas.base import Record
from schemas.classification import Classification
from schemas.finding import Finding
from schemas.incident import Incident
from schemas.remediation import CommandVerdict, RemediationPlan, RemediationStep
from schemas.services import ServiceName
from schemas.vocabulary import IncidentStatus, Severity

SEVERITY_STYLES = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
}
MAX_EXAMPLES = 3
MAX_PATTERNS = 4
EXAMPLE_CHARS = 220
PIPE_COLUMNS = 400
LEDGER_COLUMNS = ("received", "counted", "late", "dead letters", "control", "expired", "unread")


def result_console() -> Console:
    """Return the console for results: in a pipe wide, so that no name is broken over two lines."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    return console


def plain(text: str, style: str = "") -> Text:
    """Return `text` with control characters made visible."""
    shown = "".join(
        c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
    return Text(shown, style=style)


def below(content: RenderableType) -> Padding:
    """Return `content` with an empty line above it, no wider than it is: pipes keep all spaces."""
    return Padding(content, (1, 0, 0, 0), expand=False)


def indented(content: RenderableType, columns: int) -> Padding:
    """Return `content` that many columns to the right."""
    return Padding(content, (0, 0, 0, columns), expand=False)


def moment(time_ms: int) -> str:
    """Say when, in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(first_ms: int, last_ms: int) -> str:
    """Say how long, in the largest units that matter."""
    return duration(timedelta(milliseconds=max(0, last_ms - first_ms)))


def duration(length: timedelta) -> str:
    """Say a length of time as people do."""
    seconds = int(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def short_name(service: str) -> str:
    """Leave out the default environment and namespace of a service."""
    name = ServiceName.parse(service)
    parts = [name.environment, name.namespace, name.service]
    while len(parts) > 1 and parts[0] == "default":
        parts.pop(0)
    return "/".join(parts)


def render_incidents(console: Console, results: Results) -> None:
    """Print every incident that was not merged into another, in the order of their beginning."""
    standing = results.standing
    if not standing:
        console.print("No incident: nothing in these lines calls for one.")
    for number, incident in enumerate(standing, 1):
        console.print()
        verdict = results.classifications.get(incident.id)
        plan = results.plans.get(incident.id)
        console.rule(plain(f" incident {number} of {len(standing)} "), style="dim")
        console.print(render_incident(incident, verdict, plan))


def render_incident(
    incident: Incident, verdict: Classification | None, plan: RemediationPlan | None
) -> Group:
    """Return one incident: what, when, where, how bad, what was seen, what to do."""
    parts: list[Any] = [plain(incident.title, "bold"), _facts(incident, verdict)]
    if incident.description:
        parts.append(plain(f"reported: {incident.description}"))
    if verdict is not None and verdict.summary and verdict.summary not in incident.title:
        parts.append(below(plain(verdict.summary)))
    parts.append(_seen(incident))
    if plan is not None:
        parts.append(_plan(plan))
    return Group(*parts)


def _facts(incident: Incident, verdict: Classification | None) -> Table:
    table = Table.grid(padding=(0, 2))
    end_ms = incident.resolved_ms or incident.updated_ms
    lasted = span(incident.opened_ms, end_ms)
    state = "resolved" if incident.status is IncidentStatus.RESOLVED else "still open"
    times = "once" if incident.reopened == 1 else f"{incident.reopened} times"
    again = f", reopened {times}" if incident.reopened else ""
    table.add_row("when", plain(f"{moment(incident.opened_ms)} UTC, {lasted}, {state}{again}"))
    table.add_row("services", plain(", ".join(map(short_name, incident.services))))
    if verdict is not None:
        line = Text()
        line.append(f" {verdict.severity} ", style=SEVERITY_STYLES[verdict.severity])
        line.append(f" {verdict.priority}, ")
        line.append(f"{verdict.category}", style="bold")
        line.append(f" / {verdict.subcategory}, {verdict.confidence:.0%} sure")
        if verdict.abstained:
            line.append("; too unsure to stand alone, a person should look", style="yellow")
        table.add_row("verdict", line)
    table.add_row("id", plain(f"{incident.id}, revision {incident.revision}", "dim"))
    return table


def _seen(incident: Incident) -> Padding:
    rows: list[Any] = [Text("what was seen", style="bold")]
    for anomaly in incident.analysis.anomalies[:MAX_PATTERNS]:
        rows.append(plain(f"- {short_name(anomaly.service)}: {anomaly.statement}"))
    examples = [
        (shape.count, example)
        for shape in incident.analysis.evidence[:MAX_EXAMPLES]
        for example in shape.examples[:1]
    ]
    for count, example in examples:
        first, *more = example.splitlines() or [""]
        rest = f" (+{len(more)} lines)" if more else ""
        cut = first if len(first) <= EXAMPLE_CHARS else f"{first[:EXAMPLE_CHARS]}…"
        rows.append(plain(f"  {count:>5}x  {cut}{rest}", "dim"))
    return below(Group(*rows))


def _plan(plan: RemediationPlan) -> Padding:
    rows: list[Any] = [
        Text.assemble(
            ("plan  ", "bold"), plain(plan.title), f" (about {duration(plan.estimated_time)})"
        )
    ]
    if plan.owner:
        rows.append(plain(f"owner: {plan.owner}"))
    for number, step in enumerate(plan.steps, 1):
        rows.append(_step(number, step))
    for title, sentences in (("done when", plan.success_criteria), ("risks", plan.risks)):
        rows += [plain(f"{title}: {sentence}") for sentence in sentences]
    rows.append(plain(f"if it goes wrong: {plan.rollback_plan}"))
    return below(Group(*rows))


def _step(number: int, step: RemediationStep) -> Group:
    head = plain(f"{number:>2}. {step.description}")
    if step.requires_approval:
        head.append("  [needs approval]", style="yellow")
    rows: list[Any] = [head]
    if step.command is not None:
        command = step.command
        blocked = command.verdict is CommandVerdict.BLOCKED
        for line in command.text.splitlines():
            rows.append(plain(f"      $ {line}", "strike red" if blocked else "green"))
        if blocked:
            reason = command.reason or "the policy does not allow it"
            rows.append(plain(f"      blocked: {reason}", "red"))
        if command.fill_in:
            rows.append(plain(f"      fill in: {', '.join(command.fill_in)}", "yellow"))
    rows.append(plain(f"      check: {step.verification}", "dim"))
    rows.append(plain(f"      undo: {step.rollback}", "dim"))
    return Group(*rows)


def headline(record: Record) -> Text:
    """Say a record in one line."""
    if isinstance(record, Incident):
        state = f"{record.status}, revision {record.revision}, {record.count:,} events"
        return plain(f"{moment(record.updated_ms)}  {record.id}  {record.title}  ({state})")
    if isinstance(record, Classification):
        line = plain(f"{record.incident_id}  ")
        line.append(f"{record.severity}", style=SEVERITY_STYLES[record.severity])
        verdict = f"{record.priority}, {record.category} / {record.subcategory}"
        line.append_text(plain(f"  {verdict}, {record.confidence:.0%} sure: {record.summary}"))
        return line
    if isinstance(record, RemediationPlan):
        length = duration(record.estimated_time)
        steps = f"{len(record.steps)} steps, about {length}"
        return plain(f"{record.incident_id}  {record.title}: {steps}")
    if isinstance(record, Finding):
        where = f"{moment(record.slot_ms)}  {short_name(record.service)}"
        return plain(f"{where}  {record.kind} {record.phase}: {record.statement}")
    return plain(record.model_dump_json(exclude_none=True))


def render_ledger(console: Console, balance: Balance) -> None:
    """Print the account per raw partition and in total, and what does not balance."""
    table = Table(box=None, pad_edge=False, title="ledger", title_justify="left")
    table.add_column("raw partition")
    for name in LEDGER_COLUMNS:
        table.add_column(name, justify="right")
    total = dict.fromkeys(LEDGER_COLUMNS, 0)
    for record in ledger_records(balance):
        figures = [record[key] for key in _LEDGER_KEYS]
        if record["partition"] is None:
            table.add_section()
        table.add_row(record["place"], *(f"{figure:,}" for figure in figures))
    console.print(table)
    for flag, sentence in _FLAGS.items():
        total[flag] = sum(getattr(part.ingest, flag) for part in balance.partitions)
        if total[flag]:
            console.print(plain(sentence.format(total[flag])))
    for problem in balance.problems:
        console.print(plain(problem, "red"))
    if balance.balanced:
        console.print(
            plain("balanced: received = counted + late + dead letters + control", "green")
        )


_LEDGER_KEYS = ("received", "counted", "late", "deadLettered", "control", "expired", "unread")
_FLAGS = {
    "continuations": "{:,} lines continued an event, as a stack trace does",
    "unstamped": "{:,} lines had no time of their own: the time of their arrival was used",
    "future": "{:,} lines were stamped in the future: the time of their arrival was used",
    "truncated": "{:,} lines were cut because they were too long",
    "replayed": "{:,} records came back from the dead letters",
}


def ledger_records(balance: Balance) -> Iterator[dict[str, Any]]:
    """Yield the account as plain records, one per raw partition, then the total."""
    sums = dict.fromkeys(_LEDGER_KEYS, 0)
    for part in balance.partitions:
        figures = {
            "received": part.ingest.received,
            "counted": part.windows.counted,
            "late": part.windows.late,
            "deadLettered": part.windows.dead_lettered + part.ingest.dead_lettered,
            "control": part.ingest.control,
            "expired": part.ingest.expired,
            "unread": part.unread,
        }
        for key, figure in figures.items():
            sums[key] += figure
        yield {
            "type": "ledger",
            "place": f"{part.topic}/{part.partition}",
            "topic": part.topic,
            "partition": part.partition,
            **figures,
            "balanced": not part.problems,
            "problems": part.problems,
        }
    yield {
        "type": "ledger",
        "place": "total",
        "topic": None,
        "partition": None,
        **sums,
        "balanced": balance.balanced,
        "problems": balance.problems,
    }


def result_records(results: Results) -> Iterator[Record]:
    """Yield every incident, then its verdict and its plan, as they stand on the wire."""
    for incident in sorted(results.incidents.values(), key=lambda i: (i.opened_ms, i.id)):
        yield incident
        if incident.id in results.classifications:
            yield results.classifications[incident.id]
        if incident.id in results.plans:
            yield results.plans[incident.id]
