"""The pipeline's results as one picture: incidents with their verdicts and plans.

Comes in: records of the three result topics. Goes out: the latest of each, and what is missing.
Promise: the latest record of an id counts; a record that cannot be read is named, not skipped.
"""

from dataclasses import dataclass, field

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from opspilot.reading import TopicReader
from schemas.base import Record
from schemas.classification import Classification
from schemas.incident import Incident
from schemas.remediation import RemediationPlan
from schemas.topics import CLASSIFICATIONS, INCIDENTS, REMEDIATIONS
from schemas.vocabulary import IncidentStatus
from streams.errors import DecodeError
from streams.settings import Settings


@dataclass(slots=True)
class Results:
    """The latest incident, classification and plan of each incident id."""

    incidents: dict[str, Incident] = field(default_factory=dict)
    classifications: dict[str, Classification] = field(default_factory=dict)
    plans: dict[str, RemediationPlan] = field(default_factory=dict)

    def learn(self, record: Record) -> None:
        """Take in one record of any of the three topics."""
        if isinstance(record, Incident):
            self.incidents[record.id] = record
        elif isinstance(record, Classification):
            self.classifications[record.incident_id] = record
        elif isinstance(record, RemediationPlan):
            self.plans[record.incident_id] = record

    @property
    def standing(self) -> list[Incident]:
        """Return the incidents that were not merged into another, earliest first."""
        own = [i for i in self.incidents.values() if i.status is not IncidentStatus.MERGED]
        return sorted(own, key=lambda i: (i.opened_ms, i.service, i.id))

    @property
    def unjudged(self) -> list[str]:
        """Return the ids whose latest revision has no classification yet."""
        return [
            incident.id
            for incident in self.standing
            if (verdict := self.classifications.get(incident.id)) is None
            or verdict.revision < incident.revision
        ]

    @property
    def unplanned(self) -> list[str]:
        """Return the ids whose latest revision has no plan yet."""
        return [
            incident.id
            for incident in self.standing
            if (plan := self.plans.get(incident.id)) is None or plan.revision < incident.revision
        ]


class ResultsReader:
    """Keeps up with the result topics; a context manager around one connection."""

    def __init__(self, settings: Settings) -> None:
        self._types: dict[str, type[Record]] = {
            settings.topics.name(INCIDENTS): Incident,
            settings.topics.name(CLASSIFICATIONS): Classification,
            settings.topics.name(REMEDIATIONS): RemediationPlan,
        }
        self._reader = TopicReader(settings.kafka, tuple(self._types))
        self.results = Results()

    async def __aenter__(self) -> "ResultsReader":
        await self._reader.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._reader.__aexit__(None, None, None)

    async def read(self) -> Results:
        """Return the results as they stand; raises DecodeError for a record that is none."""
        for message in await self._reader.read_to_end():
            record = self._decode(message)
            if record is not None:
                self.results.learn(record)
        return self.results

    def _decode(self, message: ConsumerRecord) -> Record | None:
        if message.value is None:
            return None
        try:
            return self._types[message.topic].from_bytes(message.value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field_name = ".".join(str(part) for part in first["loc"])
            raise DecodeError(
                "invalid-record",
                f"{message.topic}/{message.partition}/{message.offset} is not what the map says: "
                f"{field_name}: {first['msg']}",
            ) from None
