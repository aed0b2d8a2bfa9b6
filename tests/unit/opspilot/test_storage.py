from pathlib import Path

import pytest

from opspilot.local.diagnosis import diagnose, quote
from opspilot.local.environment import LocalEnvironment
from opspilot.local.resolve import parse_bootstrap, resolve_broker
from opspilot.local.runtime import find_runtime
from opspilot.local.storage import DataDirectory, cached_template
from streams.errors import BrokerError, ConfigurationError


def test_a_new_directory_is_formatted_once_with_the_template_and_its_own_identity(tmp_path: Path):
    cards = []
    template = tmp_path / "template"
    snapshot = Path("__cluster_metadata-0", "0.checkpoint")
    (template / snapshot).parent.mkdir(parents=True)
    (template / snapshot).write_bytes(b"snapshot")
    (template / "meta.properties").write_text("version=1\ncluster.id=template\nnode.id=1\n")
    for name in ("one", "two"):
        data = DataDirectory(tmp_path / name)
        data.acquire()
        assert not data.is_formatted()
        data.format(template)
        assert data.is_formatted()
        data.release()
        assert (data.logs / snapshot).read_bytes() == b"snapshot"
        cards.append((data.logs / "meta.properties").read_text())
    assert cards[0] != cards[1]
    assert not any("template" in card for card in cards)


def test_a_second_hold_of_the_lock_is_refused_and_names_the_first(tmp_path: Path):
    first, second = DataDirectory(tmp_path), DataDirectory(tmp_path)
    first.acquire()
    first.note("the Kafka on 127.0.0.1:20001, process 7")
    with pytest.raises(BrokerError, match=r"in use by the Kafka on 127.0.0.1:20001, process 7"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


@pytest.mark.parametrize("card", [None, "", "version=1\n", "\x00\x01", "version=9\ncluster.id=a\n"])
def test_a_damaged_or_foreign_directory_is_refused_and_left_alone(tmp_path: Path, card: str | None):
    data = DataDirectory(tmp_path)
    data.logs.mkdir()
    (data.logs / "precious").write_text("mine")
    if card is not None:
        (data.logs / "meta.properties").write_text(card)
    with pytest.raises(BrokerError, match="is damaged"):
        data.is_formatted()
    assert (data.logs / "precious").read_text() == "mine"


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path):
    with pytest.raises(BrokerError, match=r"the disk of .* is full"):
        DataDirectory(tmp_path).check_space(minimum_bytes=2**62)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        DataDirectory(tmp_path / "file" / "kafka").acquire()


def test_a_comma_in_the_name_is_refused_since_kafka_would_read_two_directories(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="has a comma in its name"):
        DataDirectory(tmp_path / "a,b").acquire()
    assert not (tmp_path / "a,b").exists()


def test_the_template_is_made_once_and_nothing_is_left_of_a_failure(tmp_path: Path):
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        folder.mkdir()
        (folder / "snapshot").write_bytes(b"levels")
        if len(made) == 1:
            raise BrokerError("Kafka's formatter failed")

    target = tmp_path / "cache" / "template"
    with pytest.raises(BrokerError):
        cached_template(target, make)
    assert list(target.parent.iterdir()) == []
    assert [cached_template(target, make) for _ in range(2)] == [target, target]
    assert (target / "snapshot").read_bytes() == b"levels"
    assert len(made) == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("java.net.BindException: Address already in use", "port is in use"),
        ("java.io.IOException: No space left on device", "disk is full"),
        ("Failed to acquire lock on file .lock in /d. A Kafka instance", "another Kafka uses"),
        ("java.lang.OutOfMemoryError: Java heap space", "not enough memory"),
        ("java.lang.UnsupportedClassVersionError: kafka/Kafka", "too old"),
        ("org.apache.kafka.common.config.ConfigException: Invalid value", "refused a setting"),
        ("something never seen before", "stands in its log"),
    ],
)
def test_the_cause_is_read_from_the_log(line: str, expected: str):
    assert expected in diagnose(["INFO all well", line]).sentence


def test_only_a_taken_port_is_worth_another_choice():
    assert diagnose(["Address already in use"]).port_taken
    assert not diagnose(["No space left on device"]).port_taken


def test_errors_are_quoted_first_and_the_rest_when_there_are_none():
    assert quote(["INFO fine", "ERROR bad", "INFO later"]) == "\n  | ERROR bad"
    assert quote(["INFO fine", "INFO later"]) == "\n  | INFO fine\n  | INFO later"


def test_bootstrap_addresses():
    assert parse_bootstrap("a:1, b.example:9092") == [("a", 1), ("b.example", 9092)]
    assert parse_bootstrap("[::1]:9092") == [("::1", 9092)]
    for wrong in ("localhost", "a:b", ":1", "a:0", "a:70000", "a:1,"):
        with pytest.raises(ConfigurationError, match="is not HOST:PORT"):
            parse_bootstrap(wrong)


def test_an_address_where_nothing_listens_is_said(tmp_path: Path):
    environment = LocalEnvironment(cache_directory=tmp_path)
    with (
        pytest.raises(BrokerError, match=r"no Kafka answers at 127\.0\.0\.1:1 "),
        resolve_broker("127.0.0.1:1", tmp_path, environment),
    ):
        pass


def test_a_kafka_home_without_kafka_is_said(tmp_path: Path):
    environment = LocalEnvironment.read({"KAFKA_HOME": str(tmp_path), "PATH": ""}, tmp_path)
    with pytest.raises(ConfigurationError, match=r"KAFKA_HOME=.* holds no Kafka"):
        find_runtime(environment)


def test_the_cache_follows_xdg_and_else_the_home(tmp_path: Path):
    assert LocalEnvironment.read({}, tmp_path).cache_directory == tmp_path / ".cache" / "opspilot"
    environ = {"XDG_CACHE_HOME": "/elsewhere"}
    assert LocalEnvironment.read(environ, tmp_path).cache_directory == Path("/elsewhere/opspilot")
