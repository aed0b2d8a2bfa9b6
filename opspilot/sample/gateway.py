"""The web gateway's access and error log: nginx; a backend's certificate runs out. Pure."""

from collections.abc import Iterator
from random import Random

from opspilot.sample.clock import arrivals, at_minute, clf, every, slashed

Timed = tuple[int, str]

_PATHS = (
    ("GET", "/", 18, 9_100),
    ("GET", "/api/products?page={page}", 24, 5_400),
    ("GET", "/api/products/{id}", 30, 1_900),
    ("GET", "/static/app.{hash}.js", 14, 148_000),
    ("GET", "/static/img/p{id}.webp", 20, 31_000),
    ("POST", "/api/cart/items", 7, 310),
    ("GET", "/api/cart", 9, 620),
    ("POST", "/api/checkout", 3, 480),
    ("GET", "/api/orders/{id}", 4, 1_240),
    ("POST", "/api/login", 3, 260),
    ("GET", "/api/recommendations?product={id}", 6, 880),
)
_STATUSES = ((200, 940), (304, 38), (404, 14), (302, 5), (499, 2), (400, 1))
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:136.0) Gecko/20100101 Firefox/136.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/134.0.0.0 Safari/537.36",
)
CERTIFICATE_MINUTES = (28.0, 35.0)


def lines(random: Random, end_ms: int) -> Iterator[Timed]:
    """Yield the gateway's lines, not in order of time."""
    for time_ms in arrivals(random, 640, at_minute(0), end_ms):
        yield time_ms, _access(random, time_ms)
    for time_ms in every(random, 10_000, at_minute(0), end_ms):
        yield (
            time_ms,
            f'10.2.0.1 - - [{clf(time_ms)}] "GET /healthz HTTP/1.1" 200 2 "-" '
            '"kube-probe/1.31" rt=0.001',
        )
    for time_ms in arrivals(random, 240_000, at_minute(0), end_ms):
        request, client = random.randrange(10_000, 99_999), _client(random)
        file = f"/var/cache/nginx/client_temp/00000{random.randrange(10_000, 99_999)}"
        yield (
            time_ms,
            f"{slashed(time_ms)} [warn] 31#31: *{request} a client request body is buffered to a "
            f"temporary file {file}, client: {client}, server: shop.example.com, "
            'request: "POST /api/reviews HTTP/1.1", host: "shop.example.com"',
        )
    yield from _certificate(random)


def _access(random: Random, time_ms: int) -> str:
    method, path, _weight, size = random.choices(_PATHS, [p[2] for p in _PATHS])[0]
    status = random.choices([s for s, _ in _STATUSES], [w for _, w in _STATUSES])[0]
    seconds = random.lognormvariate(-3.3, 0.6)
    return _line(random, time_ms, method, path, status, size, seconds)


def _line(
    random: Random, time_ms: int, method: str, path: str, status: int, size: int, seconds: float
) -> str:
    filled = path.format(
        id=random.randrange(1_000, 9_999),
        page=random.randrange(1, 40),
        hash=f"{random.getrandbits(32):08x}",
    )
    sent = 0 if status in (304, 499) else int(size * random.uniform(0.9, 1.1))
    agent = random.choice(_AGENTS)
    return (
        f'{_client(random)} - - [{clf(time_ms)}] "{method} {filled} HTTP/1.1" {status} {sent} '
        f'"https://shop.example.com/" "{agent}" rt={seconds:.3f}'
    )


def _client(random: Random) -> str:
    return f"198.51.100.{random.randrange(1, 255)}"


def _certificate(random: Random) -> Iterator[Timed]:
    """A backend's certificate has expired: every request to it fails."""
    first, last = map(at_minute, CERTIFICATE_MINUTES)
    for time_ms in arrivals(random, 5_000, first, last):
        request, product = random.randrange(10_000, 99_999), random.randrange(1_000, 9_999)
        path = f"/api/recommendations?product={product}"
        yield (
            time_ms,
            f"{slashed(time_ms)} [error] 31#31: *{request} upstream SSL certificate verify error: "
            "(10:certificate has expired) while SSL handshaking to upstream, client: "
            f'{_client(random)}, server: shop.example.com, request: "GET {path} HTTP/1.1", '
            f'upstream: "https://10.2.31.8:8443{path}", host: "shop.example.com"',
        )
        yield time_ms + 2, _line(random, time_ms + 2, "GET", path, 502, 150, 0.012)
