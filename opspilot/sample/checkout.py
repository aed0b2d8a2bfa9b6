"""The checkout service: Java with stack traces, a pool that runs dry and a bad release. Pure."""

from collections.abc import Iterator
from random import Random

from opspilot.sample.clock import arrivals, at_minute, every, spaced

Timed = tuple[int, str]

POOL_MINUTES = (14.0, 20.0)
RELEASE_MINUTES = (110.0, 118.0)
_ORDERS = "com.example.checkout.orders"


def lines(random: Random, end_ms: int) -> Iterator[Timed]:
    """Yield the service's lines, not in order of time; some events have several lines."""
    for time_ms in arrivals(random, 4_200, at_minute(0), end_ms):
        yield from _order(random, time_ms)
    for time_ms in every(random, 30_000, at_minute(0), end_ms):
        active = random.randrange(2, 9)
        text = (
            f"HikariPool-1 - Pool stats (total=20, active={active}, idle={20 - active}, waiting=0)"
        )
        yield (
            time_ms,
            _line(time_ms, "DEBUG", "housekeeper", "com.zaxxer.hikari.pool.HikariPool", text),
        )
    for time_ms in arrivals(random, 45_000, at_minute(0), end_ms):
        after = random.randrange(180, 420)
        took_ms = random.uniform(3, 14)
        heap = f"{after + 260}M->{after}M(1024M)"
        text = f"Pause Young (Normal) (G1 Evacuation Pause) {heap} {took_ms:.3f}ms"
        yield time_ms, _line(time_ms, "INFO", "gc", "com.example.checkout.jvm.GcLogger", text)
    for time_ms in arrivals(random, 200_000, at_minute(0), end_ms):
        text = f"Payment of order {_number(random)} was declined by the bank: insufficient funds"
        yield time_ms, _line(time_ms, "WARN", _thread(random), f"{_ORDERS}.PaymentStep", text)
    yield from _pool_exhausted(random)
    yield from _bad_release(random)


def _order(random: Random, time_ms: int) -> Iterator[Timed]:
    """One order, from the cart to the letter of confirmation."""
    order, thread, items = _number(random), _thread(random), random.randrange(1, 7)
    total = random.uniform(9, 320)
    steps = (
        (0, "CartController", f"Order {order} opened with {items} items"),
        (
            35,
            "PriceService",
            f"Order {order} priced at {total:.2f} EUR in {random.randrange(4, 28)} ms",
        ),
        (160, "PaymentStep", f"Order {order} paid, reference PAY-{random.getrandbits(40):010X}"),
    )
    for delay_ms, name, text in steps:
        at_ms = time_ms + delay_ms + random.randrange(0, 30)
        yield at_ms, _line(at_ms, "INFO", thread, f"{_ORDERS}.{name}", text)
    if random.random() < 0.02:
        at_ms = time_ms + 200
        # What no service should write, and some do: a card's number, a password in an address.
        text = f"Order {order} card 4111 1111 1111 1111 accepted, gateway answered ok"
        yield at_ms, _line(at_ms, "DEBUG", thread, f"{_ORDERS}.PaymentStep", text)
        text = f"Order {order} stock reserved at https://stock.example.org/?password=letmein{order}"
        yield at_ms + 9, _line(at_ms + 9, "DEBUG", thread, f"{_ORDERS}.StockStep", text)
    if random.random() < 0.04:
        at_ms = time_ms + 400
        person = f"{random.choice(('jane.doe', 'max.muster', 'li.wei'))}{order}@example.org"
        text = f"Confirmation of order {order} sent to {person}"
        yield at_ms, _line(at_ms, "INFO", thread, f"{_ORDERS}.Mailer", text)


def _line(time_ms: int, level: str, thread: str, logger: str, text: str) -> str:
    return f"{spaced(time_ms)} {level:<5} [{thread}] {logger} - {text}"


def _number(random: Random) -> int:
    return random.randrange(400_000, 499_999)


def _thread(random: Random) -> str:
    return f"http-nio-8080-exec-{random.randrange(1, 25)}"


def _pool_exhausted(random: Random) -> Iterator[Timed]:
    """Connections are not given back: every request waits for one, then fails."""
    first, last = map(at_minute, POOL_MINUTES)
    for time_ms in arrivals(random, 4_000, first, last):
        order, thread = _number(random), _thread(random)
        head = f"Order {order} failed: could not obtain a JDBC connection"
        trace = (
            "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, "
            "request timed out after 30000ms (total=20, active=20, idle=0, waiting="
            f"{random.randrange(15, 90)})",
            "\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:696)",
            "\tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:197)",
            f"\tat {_ORDERS}.OrderRepository.save(OrderRepository.java:88)",
            f"\tat {_ORDERS}.CartController.open(CartController.java:41)",
        )
        text = "\n".join((head, *trace))
        yield time_ms, _line(time_ms, "ERROR", thread, f"{_ORDERS}.OrderRepository", text)


def _bad_release(random: Random) -> Iterator[Timed]:
    """Release 4.12.0 cannot write invoices for orders without a second address line."""
    first, last = map(at_minute, RELEASE_MINUTES)
    started = first - 20_000
    text = "Started CheckoutApplication 4.12.0 in 8.214 seconds (process running for 9.02)"
    yield started, _line(started, "INFO", "main", "com.example.checkout.CheckoutApplication", text)
    for time_ms in arrivals(random, 5_000, first, last):
        order = _number(random)
        trace = (
            f"Invoice of order {order} for anna.k{order}@example.com could not be written",
            'java.lang.NullPointerException: Cannot invoke "String.trim()" because the return '
            'value of "com.example.checkout.invoices.Address.line2()" is null',
            "\tat com.example.checkout.invoices.Layout.address(Layout.java:57)",
            "\tat com.example.checkout.invoices.InvoiceWriter.write(InvoiceWriter.java:112)",
            "\tat com.example.checkout.invoices.InvoiceJob.run(InvoiceJob.java:34)",
            "\tat java.base/java.lang.Thread.run(Thread.java:1583)",
        )
        thread = f"invoice-worker-{random.randrange(1, 5)}"
        yield (
            time_ms,
            _line(
                time_ms,
                "ERROR",
                thread,
                "com.example.checkout.invoices.InvoiceJob",
                "\n".join(trace),
            ),
        )
