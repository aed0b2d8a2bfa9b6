"""Names of services that tell nothing of what is wrong with them.

Goes out: a name, with or without environment and namespace. Promise: pure; from a Chance alone.
"""

from training.dataset.chance import Chance

_SPACES = ("prod/shop", "prod/core", "live/retail", "staging/shop", "prod/platform", "eu1/main")
_NAMES = (
    "orders", "billing", "checkout", "inventory", "catalog", "media", "profile", "shipping",
    "reports", "pricing", "notify", "fleet", "booking", "claims", "intake", "partner", "mobile",
    "backoffice", "matching", "archive",
)  # fmt: skip
_TAILS = ("", "-api", "-worker", "-v2", "-01", "-eu")
_WITH_SPACE = 0.7


def made_up_service(chance: Chance, name: str | None = None) -> str:
    """Return a service's name; `name` is the last part, made up where none is given."""
    last = name if name is not None else chance.choose(_NAMES) + chance.choose(_TAILS)
    return f"{chance.choose(_SPACES)}/{last}" if chance.share() < _WITH_SPACE else last
