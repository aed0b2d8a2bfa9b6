"""The orders database: PostgreSQL, whose queries lose their index after a migration. Pure."""

from collections.abc import Iterator
from random import Random

from opspilot.sample.clock import MINUTE_MS, arrivals, at_minute, every, spaced

Timed = tuple[int, str]

SLOW_MINUTES = (95.0, 103.0)
_READS = (
    "SELECT id, state, total FROM orders WHERE id = $1",
    "SELECT * FROM order_items WHERE order_id = $1 ORDER BY position",
    "SELECT id, name, price FROM products WHERE category = $1 LIMIT $2",
    "INSERT INTO orders (customer_id, state, total) VALUES ($1, $2, $3) RETURNING id",
    "UPDATE orders SET state = $1, paid_at = now() WHERE id = $2",
)


def lines(random: Random, end_ms: int) -> Iterator[Timed]:
    """Yield the database's lines, not in order of time."""
    for time_ms in arrivals(random, 5_200, at_minute(0), end_ms):
        duration_ms = 10 + random.lognormvariate(1.2, 0.7)
        statement = f"S_{random.randrange(1, 30)}: {random.choice(_READS)}"
        text = f"duration: {duration_ms:.3f} ms  execute {statement}"
        yield time_ms, _line(random, time_ms, "LOG", text, "orders@orders")
    for time_ms in arrivals(random, 24_000, at_minute(0), end_ms):
        yield from _session(random, time_ms)
    for time_ms in every(random, 5 * MINUTE_MS, at_minute(1), end_ms):
        yield from _checkpoint(random, time_ms)
    for time_ms in arrivals(random, 9 * MINUTE_MS, at_minute(2), end_ms):
        removed = random.randrange(200, 4_000)
        text = (
            'automatic vacuum of table "orders.public.carts": index scans: 1, '
            f"tuples: {removed} removed, {random.randrange(20_000, 60_000)} remain"
        )
        yield time_ms, _line(random, time_ms, "LOG", text)
    yield from _slow_queries(random)


def _line(random: Random, time_ms: int, level: str, text: str, who: str = "") -> str:
    process = random.randrange(200, 900)
    return f"{spaced(time_ms)} UTC [{process}] {who + ' ' if who else ''}{level}:  {text}"


def _session(random: Random, time_ms: int) -> Iterator[Timed]:
    text = "connection authorized: user=orders database=orders application_name=checkout"
    yield time_ms, _line(random, time_ms, "LOG", text, "orders@orders")
    end_ms = time_ms + random.randrange(2_000, 9_000)
    client = f"host=10.2.14.{random.randrange(2, 30)} port={random.randrange(32_768, 60_999)}"
    text = (
        f"disconnection: session time: 0:00:0{(end_ms - time_ms) / 1000:.3f} user=orders "
        f"database=orders {client}"
    )
    yield end_ms, _line(random, end_ms, "LOG", text, "orders@orders")


def _checkpoint(random: Random, time_ms: int) -> Iterator[Timed]:
    yield time_ms, _line(random, time_ms, "LOG", "checkpoint starting: time")
    end_ms = time_ms + random.randrange(20_000, 60_000)
    buffers = random.randrange(150, 900)
    text = (
        f"checkpoint complete: wrote {buffers} buffers ({buffers / 163.84:.1f}%); 0 WAL file(s) "
        f"added, 0 removed, 1 recycled; write={(end_ms - time_ms) / 1000:.3f} s, sync=0.011 s, "
        f"total={(end_ms - time_ms) / 1000 + 0.03:.3f} s"
    )
    yield end_ms, _line(random, end_ms, "LOG", text)


def _slow_queries(random: Random) -> Iterator[Timed]:
    """A migration dropped an index: the same statement now reads the whole table."""
    first, last = map(at_minute, SLOW_MINUTES)
    deployed = first - 15_000
    text = "duration: 412.031 ms  statement: DROP INDEX orders_customer_state_idx"
    yield deployed, _line(random, deployed, "LOG", text, "migrator@orders")
    for time_ms in arrivals(random, 3_500, first, last):
        duration_ms = random.uniform(6_000, 21_000)
        text = (
            f"slow query: duration: {duration_ms:.3f} ms  execute S_{random.randrange(1, 30)}: "
            "SELECT id, total FROM orders WHERE customer_id = $1 AND state = $2 "
            "ORDER BY paid_at DESC"
        )
        yield time_ms, _line(random, time_ms, "WARNING", text, "orders@orders")
