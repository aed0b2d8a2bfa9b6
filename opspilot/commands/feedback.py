"""`opspilot feedback`: what a person says of a verdict; and how a person is erased again.

Comes in: an incident id and opinions. Goes out: one record of the feedback topic, signed where a
key is configured. Promise: the record names the model that judged that very revision; a comment is
redacted before it leaves this machine; `erase` leaves nothing of a person in the topic.
"""

import asyncio
import getpass
import json
import secrets
from collections.abc import Iterable
from typing import Annotated, Any

import typer
import typer.core
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from agents.logic.feedback.signing import feedback_key, sign
from agents.logic.feedback.wording import NOTHING_SAID, Said, make_feedback
from schemas.classification import Classification
from schemas.envelope import cloud_event_headers
from schemas.learning import Feedback
from schemas.topics import CLASSIFICATIONS, FEEDBACK
from schemas.vocabulary import Category, Severity
from streams.admin import check_topics
from streams.clock import now_ms
from streams.errors import BrokerError, ConfigurationError, InputError
from streams.ingest.redact import Redactor
from streams.kafka import make_producer, started
from streams.learningsettings import FeedbackSettings
from streams.personkeys import VARIABLE, read_person_keys
from streams.settings import Settings, load_settings
from streams.tailing import TopicTail

KEY_BYTES = 32
MAX_COMMENT_CHARS = 4_000
_GIVE = "give"


class _GiveByDefault(typer.core.TyperGroup):
    """Takes `opspilot feedback INCIDENT_ID` for `opspilot feedback give INCIDENT_ID`."""

    # Typer carries its own copy of click, whose types have no public name: hence Any.
    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [_GIVE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_GiveByDefault,
    help=(
        "Say what is right or wrong with a verdict: `opspilot feedback INCIDENT_ID ...`.\n\n"
        "Example: opspilot feedback 5f0c1d2e3a4b5c6d --category Database --severity high"
    ),
)


@app.command(_GIVE)
def give(
    incident_id: Annotated[str, typer.Argument(help="The incident, as `tail` or `demo` names it.")],
    right: Annotated[
        bool | None,
        typer.Option("--right/--wrong", help="The verdict is right; or its category is wrong."),
    ] = None,
    category: Annotated[Category | None, typer.Option(help="What the category should be.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="What the severity should be.")] = None,
    useful_summary: Annotated[
        bool | None, typer.Option("--useful-summary/--useless-summary", help="Of the summary.")
    ] = None,
    useful_plan: Annotated[
        bool | None, typer.Option("--useful-plan/--useless-plan", help="Of the plan.")
    ] = None,
    comment: Annotated[str | None, typer.Option(help="In your own words; is redacted.")] = None,
    person: Annotated[
        str | None, typer.Option(help="Who says it; by default the setting, else your login.")
    ] = None,
    revision: Annotated[
        int | None, typer.Option(min=0, help="An older revision; by default the latest judged.")
    ] = None,
) -> None:
    """Say what is right or wrong with the verdict on an incident; the latest word counts.

    Example: opspilot feedback 5f0c1d2e3a4b5c6d --wrong --category Database
    """
    settings = load_settings()
    who = _person(person, settings.feedback)
    redactor = Redactor(redact_ips=settings.ingest.redact_ips)
    words = None if comment is None else redactor.redact(comment)[:MAX_COMMENT_CHARS]
    said = Said(right, category, severity, useful_summary, useful_plan, words)
    if said.empty:
        raise InputError(NOTHING_SAID)
    feedback = asyncio.run(_give(settings, incident_id, revision, said, who))
    signed = "signed" if feedback.signature else "unsigned"
    model = feedback.model if feedback.adapter is None else f"{feedback.model}+{feedback.adapter}"
    typer.echo(f"{who} on {incident_id} revision {feedback.revision}, judged by {model}: {signed}")


@app.command()
def erase(
    person: Annotated[str, typer.Argument(help="Whose words are to go, as --person named them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase all that a person said from the feedback topic; it cannot be undone.

    Tombstones replace their words at once; within a day compaction takes the words themselves off
    the brokers' disks. What of it stands in the dead letters expires there after 14 days.

    Example: opspilot feedback erase ana --yes
    """
    settings = load_settings()
    keys = asyncio.run(_keys_of(settings, person))
    if not keys:
        raise InputError(
            f"there is no word of {person!r} in the feedback topic: is the name right?"
        )
    if not yes:
        typer.confirm(f"Erase {len(keys)} words of {person!r}?", abort=True)
    asyncio.run(_bury(settings, keys))
    typer.echo(f"{len(keys)} words of {person} erased; compaction removes them within a day")


@app.command()
def key(
    person: Annotated[str, typer.Argument(help="A person or a gateway.")],
) -> None:
    """Make a signing key and print it as an entry of the keys file; nothing is stored.

    Example: opspilot feedback key ana > keys.json
    """
    typer.echo(json.dumps({person: secrets.token_hex(KEY_BYTES)}, ensure_ascii=False))


def _person(named: str | None, settings: FeedbackSettings) -> str:
    found = named if named is not None else settings.person
    if found is None:
        try:
            found = getpass.getuser()
        except (OSError, KeyError):
            raise InputError("your login has no name: say who you are with --person") from None
    if not found.strip():
        raise InputError("--person is empty: say who you are")
    return found.strip()


def _signing_key(settings: FeedbackSettings, person: str) -> bytes | None:
    """Return the key that signs for `person`; raises ConfigurationError for a key of another."""
    if settings.signing_key is not None:
        return settings.signing_key.get_secret_value().encode()
    keys = read_person_keys(settings.keys_file)
    if keys and person not in keys:
        raise ConfigurationError(
            f"{VARIABLE}={settings.keys_file} has no key of {person!r}: add one "
            f"(`opspilot feedback key {person}`), or name a person that it has with --person"
        )
    return keys.get(person)


async def _give(
    settings: Settings, incident_id: str, revision: int | None, said: Said, person: str
) -> Feedback:
    await check_topics(settings, [FEEDBACK, CLASSIFICATIONS])
    secret = _signing_key(settings.feedback, person)
    verdict = await _verdict(settings, incident_id, revision)
    feedback = make_feedback(verdict, said, person, now_ms())
    if secret is not None:
        feedback = sign(feedback, secret)
    await _send(settings, feedback)
    return feedback


async def _verdict(settings: Settings, incident_id: str, revision: int | None) -> Classification:
    """Return the verdict on one revision; raises InputError where there is none."""
    key, found = incident_id.encode(), dict[int, Classification]()

    def take(record: ConsumerRecord) -> None:
        if record.key != key or record.value is None:
            return
        try:
            verdict = Classification.from_bytes(record.value)
        except ValidationError:
            return
        found[verdict.revision] = verdict

    tail = TopicTail(settings, CLASSIFICATIONS)
    try:
        await tail.read_new(take)
    finally:
        await tail.close()
    if not found:
        raise InputError(
            f"there is no verdict on incident {incident_id!r}: `opspilot tail classifications "
            "--from-beginning` shows those there are"
        )
    wanted = max(found) if revision is None else revision
    if wanted not in found:
        known = ", ".join(map(str, sorted(found)))
        raise InputError(f"--revision {revision}: of incident {incident_id} there is only {known}")
    return found[wanted]


async def _send(settings: Settings, feedback: Feedback) -> None:
    event_id = f"{feedback_key(feedback)}-{feedback.given_ms}"
    headers = cloud_event_headers(
        feedback, source="feedback", event_id=event_id, time_ms=feedback.given_ms
    )
    producer = make_producer(settings.kafka)
    async with started(producer, settings.kafka):
        try:
            await producer.send_and_wait(
                settings.topics.name(FEEDBACK),
                key=feedback_key(feedback).encode(),
                value=feedback.to_bytes(),
                headers=headers,
            )
        except KafkaError as error:
            raise BrokerError(f"Kafka refused the feedback: {error}") from None


async def _keys_of(settings: Settings, person: str) -> list[bytes]:
    """Return the keys under which the topic now holds words of `person`."""
    await check_topics(settings, [FEEDBACK])
    theirs: dict[bytes, None] = {}

    def take(record: ConsumerRecord) -> None:
        key = record.key or b""
        theirs.pop(key, None)
        if record.value is None:
            return
        try:
            said_by = Feedback.from_bytes(record.value).person
        except ValidationError:
            return
        if said_by == person:
            theirs[key] = None

    tail = TopicTail(settings, FEEDBACK)
    try:
        await tail.read_new(take)
    finally:
        await tail.close()
    return list(theirs)


async def _bury(settings: Settings, keys: Iterable[bytes]) -> None:
    producer = make_producer(settings.kafka)
    async with started(producer, settings.kafka):
        try:
            topic = settings.topics.name(FEEDBACK)
            sent = [await producer.send(topic, key=key, value=None) for key in keys]
            await asyncio.gather(*sent)
        except KafkaError as error:
            raise BrokerError(f"Kafka refused to erase: {error}") from None
