"""The sign-in service: logfmt from Go; an attack on passwords, and a resolver that fails. Pure."""

from collections.abc import Iterator
from random import Random

from opspilot.sample.clock import MINUTE_MS, arrivals, at_minute, every, iso

Timed = tuple[int, str]

ATTACK_MINUTES = (55.0, 61.0)
RESOLVER_MINUTES = (69.0, 75.0)
_CLIENTS = ("web", "ios", "android", "partner-api")


def lines(random: Random, end_ms: int) -> Iterator[Timed]:
    """Yield the service's lines, not in order of time."""
    for time_ms in arrivals(random, 3_400, at_minute(0), end_ms):
        took_ms = int(40 + random.lognormvariate(2.6, 0.5))
        fields = f"client={random.choice(_CLIENTS)} user={_user(random)} took_ms={took_ms}"
        yield time_ms, _line(time_ms, "info", "signed in", fields)
        if random.random() < 0.5:
            at_ms = time_ms + random.randrange(1_000, 60_000)
            fields = f"client={random.choice(_CLIENTS)} user={_user(random)}"
            yield at_ms, _line(at_ms, "info", "session renewed", fields)
    for time_ms in arrivals(random, 50_000, at_minute(0), end_ms):
        fields = f"user={_user(random)} reason=wrong-password attempt=1 ip={_home(random)}"
        yield time_ms, _line(time_ms, "warn", "sign-in refused", fields)
    for time_ms in every(random, 5 * MINUTE_MS, at_minute(0.5), end_ms):
        fields = f"removed={random.randrange(20, 200)} kept={random.randrange(4_000, 6_000)}"
        yield time_ms, _line(time_ms, "info", "expired sessions swept", fields)
    for time_ms in arrivals(random, 20 * MINUTE_MS, at_minute(3), end_ms):
        token = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{random.getrandbits(64):016x}In0.c2lnbmF0dXJl"
        fields = f'client=partner-api header="Authorization: Bearer {token}"'
        yield time_ms, _line(time_ms, "debug", "token exchanged", fields)
    yield from _attack(random)
    yield from _resolver(random)


def _line(time_ms: int, level: str, text: str, fields: str) -> str:
    return f'time={iso(time_ms)} level={level} msg="{text}" {fields}'


def _user(random: Random) -> str:
    return f"u{random.randrange(10_000, 99_999)}"


def _home(random: Random) -> str:
    return f"198.51.100.{random.randrange(1, 255)}"


def _attack(random: Random) -> Iterator[Timed]:
    """Somebody tries passwords of many users from one address."""
    first, last = map(at_minute, ATTACK_MINUTES)
    for time_ms in arrivals(random, 700, first, last):
        person = f"{random.choice(('admin', 'root', 'ceo', 'backup', 'billing'))}@example.net"
        fields = (
            f"user={person} reason=wrong-password attempt={random.randrange(2, 9)} ip=203.0.113.66"
        )
        yield time_ms, _line(time_ms, "warn", "sign-in refused", fields)
        if random.random() < 0.12:
            fields = f"user={person} failures=10 ip=203.0.113.66 locked_minutes=30"
            text = "account locked: too many failed authentication attempts, brute force suspected"
            yield time_ms + 5, _line(time_ms + 5, "error", text, fields)


def _resolver(random: Random) -> Iterator[Timed]:
    """Names outside the cluster cannot be resolved: sign-in with partners fails."""
    first, last = map(at_minute, RESOLVER_MINUTES)
    for time_ms in arrivals(random, 4_500, first, last):
        cause = random.choice(("i/o timeout", "server misbehaving", "i/o timeout"))
        fields = (
            'error="Get \\"https://idp.partner.example/.well-known/openid-configuration\\": '
            f'dial tcp: lookup idp.partner.example on 10.96.0.10:53: {cause}" client=partner-api'
        )
        yield time_ms, _line(time_ms, "error", "identity provider unreachable", fields)
