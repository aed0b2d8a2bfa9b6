from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.eventtime import record_ms, stamp_ms
from streams.ingest.isotime import iso_column_ms
from streams.shape.stamps import StampFormat as Form

APPEND_MS = int(datetime(2026, 11, 22, 15, tzinfo=UTC).timestamp() * 1000)


def at(text: str) -> int:
    return round(datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


@pytest.mark.parametrize(
    ("stamp", "form", "meant"),
    [
        ("2015-10-18 18:01:47,978", Form.ISO, "2015-10-18T18:01:47.978"),
        ("2015-10-18T18:01:47.978+02:00", Form.ISO, "2015-10-18T16:01:47.978"),
        ("2015-10-18 18:01:47 CEST", Form.ISO, "2015-10-18T16:01:47"),
        ("2016/10/25:14:49:34", Form.ISO_SLASH, "2016-10-25T14:49:34"),
        ("2005-06-03-15.42.50.675872", Form.ISO_DASHED, "2005-06-03T15:42:50.675"),
        ("20171223-22:15:29:606", Form.BASIC, "2017-12-23T22:15:29.606"),
        ("20240101T101112Z", Form.BASIC, "2024-01-01T10:11:12"),
        ("17/06/09 20:10:40", Form.YYMMDD_SLASH, "2017-06-09T20:10:40"),
        ("081109 203615", Form.YYMMDD, "2008-11-09T20:36:15"),
        ("140312  4:01:46", Form.YYMMDD_COLON, "2014-03-12T04:01:46"),
        ("05/17/2018 08:29:12 PM", Form.US, "2018-05-17T20:29:12"),
        ("17/05/2018 08:29:12", Form.US, "2018-05-17T08:29:12"),
        ("Jun 14 15:16:01", Form.BSD, "2026-06-14T15:16:01"),
        ("Dec 14 15:16:01", Form.BSD, "2025-12-14T15:16:01"),
        ("Feb 29 10:00:00", Form.BSD, "2024-02-29T10:00:00"),
        ("Jun 14 2020 15:16:01", Form.BSD_YEAR, "2020-06-14T15:16:01"),
        ("Sun Dec 04 04:47:44.123456 2005", Form.CTIME, "2005-12-04T04:47:44.123"),
        ("10/Oct/2000:13:55:36 -0700", Form.CLF, "2000-10-10T20:55:36"),
        ("17-Oct-2013 17:32:34.123 UTC", Form.DAY_MONTH, "2013-10-17T17:32:34.123"),
        ("Mon, 02 Jan 2006 15:04:05 GMT", Form.HTTP_DATE, "2006-01-02T15:04:05"),
        ("10.30 16:49:06", Form.MONTH_DAY_DOT, "2026-10-30T16:49:06"),
        ("0917 10:11:12.123456", Form.KLOG, "2026-09-17T10:11:12.123"),
        ("1077804742", Form.EPOCH_SECONDS, "2004-02-26T14:12:22"),
        ("23:13:38.811", Form.TIME_ONLY, "2026-11-22T23:13:38.811"),
        ("04:13:38", Form.TIME_ONLY, "2026-11-22T04:13:38"),
    ],
)
def test_a_stamp_is_read_against_the_append_time(stamp: str, form: Form, meant: str) -> None:
    assert stamp_ms(stamp, form, APPEND_MS) == at(meant)


def test_a_clock_that_seems_ahead_by_a_zone_is_read_in_that_zone() -> None:
    assert stamp_ms("Nov 22 16:59:58", Form.BSD, APPEND_MS) == APPEND_MS - 2_000
    assert stamp_ms("2026-11-22 20:29:50", Form.ISO, APPEND_MS) == APPEND_MS - 10_000


def test_a_line_from_the_far_future_is_not_made_present() -> None:
    assert stamp_ms("2099-01-01 00:00:00", Form.ISO, APPEND_MS) == at("2099-01-01T00:00:00")


@pytest.mark.parametrize(
    ("stamp", "form"),
    [
        ("Feb 31 10:00:00", Form.BSD),
        ("2015-13-18 18:01:47", Form.ISO),
        ("2015-10-18 28:01:47", Form.ISO),
        ("1970-01-01 00:00:03", Form.ISO),
        ("12345.678901", Form.UPTIME_SECONDS),
        ("0000000000", Form.EPOCH_SECONDS),
    ],
)
def test_what_is_no_time_gives_none(stamp: str, form: Form) -> None:
    assert stamp_ms(stamp, form, APPEND_MS) is None


@pytest.mark.parametrize(
    "value",
    [
        1795359569.483,
        "1795359569.483",
        1795359569483,
        1795359569483021,
        "1795359569483021000",
        "2026-11-22T14:59:29.483Z",
        "2026-11-22T16:59:29.483021+02:00",
    ],
)
def test_record_times_of_all_kinds_agree(value: object) -> None:
    assert record_ms(value) == 1795359569483


@pytest.mark.parametrize("value", [None, "", "soon", -4, 0, True, float("nan"), [], "1e400"])
def test_absurd_record_times_give_none(value: object) -> None:
    assert record_ms(value) is None


@given(
    st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2080, 1, 1)), min_size=1, max_size=20),
    st.sampled_from([0, 3, 6, 9]),
)
def test_a_column_is_read_as_each_of_its_texts(times: list[datetime], digits: int) -> None:
    texts = []
    for time in times:
        fraction = f"{time.microsecond:06d}000"[:digits]
        texts.append(time.strftime("%Y-%m-%dT%H:%M:%S") + ("." + fraction if digits else "") + "Z")
    column = iso_column_ms(texts)
    assert column is not None
    assert column.tolist() == [record_ms(text) for text in texts]


@pytest.mark.parametrize(
    "texts",
    [
        ["2026-11-22T15:09:32Z", "2026-11-22T15:09:3Z"],
        ["2026-11-22T15:09:32Z", ""],
        ["2026-11-22T15:09:32+"],
        ["2026-99-22T15:09:32Z"],
        ["2026-11-22T25:09:32Z"],
        ["x" * 20],
        [],
    ],
)
def test_a_mixed_column_is_left_to_the_careful_reader(texts: list[str]) -> None:
    assert iso_column_ms(texts) is None
