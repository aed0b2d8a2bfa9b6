import pytest

from schemas.vocabulary import Level
from streams.shape.shaper import DIGITS_TO_ZERO, Shaper
from streams.shape.stamps import StampFormat

LINES = [
    # line, content, level, stamp, format
    (
        "2031-02-03 04:05:06,789 WARN [pool-2] com.acme.cart.Basket: basket too full",
        "basket too full",
        Level.WARN,
        "2031-02-03 04:05:06,789",
        StampFormat.ISO,
    ),
    (
        "2031-02-03T04:05:06.789Z ERROR 1 --- [http-nio-8080-exec-1] c.a.Basket : no such basket",
        "no such basket",
        Level.ERROR,
        "2031-02-03T04:05:06.789Z",
        StampFormat.ISO,
    ),
    (
        "Feb  3 04:05:06 web7 sshd[991]: Connection closed by 10.0.0.1",
        "Connection closed by <*>",
        None,
        "Feb  3 04:05:06",
        StampFormat.BSD,
    ),
    (
        "<13>Feb  3 04:05:06 web7 cron: nightly job done",
        "nightly job done",
        None,
        "Feb  3 04:05:06",
        StampFormat.BSD,
    ),
    (
        "[Mon Feb 03 04:05:06 2031] [error] [client 10.0.0.1] script timed out",
        "[client <*>] script timed out",
        Level.ERROR,
        "Mon Feb 03 04:05:06 2031",
        StampFormat.CTIME,
    ),
    (
        "2031/02/03 04:05:06 [crit] 77#0: *5 connect() failed",
        "*<*> connect() failed",
        Level.FATAL,
        "2031/02/03 04:05:06",
        StampFormat.ISO_SLASH,
    ),
    (
        "W0203 04:05:06.123456   77 pool.go:31] slow pool",
        "slow pool",
        Level.WARN,
        "0203 04:05:06.123456",
        StampFormat.KLOG,
    ),
    (
        "2031-02-03 04:05:06.789 UTC [77] app@shop FATAL:  too many clients already",
        "too many clients already",
        Level.FATAL,
        "2031-02-03 04:05:06.789 UTC",
        StampFormat.ISO,
    ),
    (
        "77:M 03 Feb 2031 04:05:06.789 # Out of memory soon",
        "Out of memory soon",
        Level.WARN,
        "03 Feb 2031 04:05:06.789",
        StampFormat.DAY_MONTH,
    ),
    (
        "02-03 04:05:06.789  1702  2395 D WindowTeller: window moved",
        "window moved",
        Level.DEBUG,
        "02-03 04:05:06.789",
        StampFormat.MONTH_DAY,
    ),
    (
        "2031-02-03 04:05:06,789 - shop.cart - ERROR - basket lost",
        "basket lost",
        Level.ERROR,
        "2031-02-03 04:05:06,789",
        StampFormat.ISO,
    ),
    (
        "[2031-02-03T04:05:06,789][INFO ][o.a.n.Node               ] [node-1] started well",
        "started well",
        Level.INFO,
        "2031-02-03T04:05:06,789",
        StampFormat.ISO,
    ),
    (
        "[  711.001234] eth0: link is up",
        "eth<*>: link is up",
        None,
        "711.001234",
        StampFormat.UPTIME_SECONDS,
    ),
    (
        '{"ts":"2031-02-03T04:05:06Z","level":"error","msg":"basket 7 lost","cart":7}',
        "basket <*> lost json:cart",
        Level.ERROR,
        "2031-02-03T04:05:06Z",
        StampFormat.ISO,
    ),
    (
        'time=2031-02-03T04:05:06Z level=warn msg="basket 7 lost" cart=7',
        "basket <*> lost logfmt:cart",
        Level.WARN,
        "2031-02-03T04:05:06Z",
        StampFormat.ISO,
    ),
    ("1893456000.123 service ready", "service ready", None, "1893456000.123", "epoch-s"),
]


@pytest.mark.parametrize(("line", "content", "level", "stamp", "stamp_format"), LINES)
def test_header_is_left_out_and_what_it_says_is_kept(line, content, level, stamp, stamp_format):
    info = Shaper().line(line.encode())
    assert info.text == content
    assert info.level == level
    assert info.stamp_span is not None
    assert line[slice(*info.stamp_span)] == stamp
    assert info.stamp_format == stamp_format


@pytest.mark.parametrize(
    "content",
    [
        "Connection closed by peer",
        "error: Received disconnect from peer",
        "Starting Socket Reader for the port",
        "workers failed at Mon and stayed down",
        "PacketResponder for block terminating",
        "INFO is a word in this sentence",
    ],
)
def test_a_line_without_a_header_keeps_every_word(content):
    info = Shaper().line(content.encode())
    assert info.text == content
    assert info.stamp_span is None


def test_a_date_at_the_end_of_a_sentence_is_no_header():
    info = Shaper().line(b"session was opened for the night on 2031-02-03 04:05:06")
    assert info.text.startswith("session was opened")


def test_level_words_of_a_content_are_recognised_without_a_header():
    shaper = Shaper()
    assert shaper.line(b"error: no route").level is Level.ERROR
    assert shaper.line(b"[WARN] no route").level is Level.WARN
    assert shaper.line(b"Traceback (most recent call last):").level is Level.ERROR
    assert shaper.line(b"panic: runtime error").level is Level.FATAL
    assert shaper.line(b"all is well").level is None


def test_the_header_depends_on_the_line_alone_not_on_the_sketches_seen_before():
    lines = [line.encode().translate(DIGITS_TO_ZERO) for line, *_ in LINES]
    forward, backward = Shaper(), Shaper()
    first = {line: forward.info(line) for line in lines}
    second = {line: backward.info(line) for line in reversed(lines)}
    assert first == second
