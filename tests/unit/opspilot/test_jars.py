import hashlib
from pathlib import Path

import pytest

from opspilot.local.jars import resolve_jars
from opspilot.local.lock import LockedJar, committed_lock, parse_lock, render_lock
from streams.errors import ConfigurationError


def locked(artifact: str, content: bytes) -> LockedJar:
    digest = hashlib.sha256(content).hexdigest()
    return LockedJar("org.example", artifact, "1.0", len(content), digest)


class Repository:
    """Serves jars by coordinate and counts what it was asked for."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def fetch(self, jar: LockedJar, folder: Path) -> Path:
        self.asked.append(jar.artifact)
        if jar.artifact not in self.contents:
            raise RuntimeError("404 not found")
        path = folder / "some" / jar.relative_path.name
        path.parent.mkdir(parents=True)
        path.write_bytes(self.contents[jar.artifact])
        return path


def test_jars_come_in_the_order_of_the_lock_and_are_fetched_once(tmp_path: Path):
    contents = {"zeta": b"z" * 10, "alpha": b"a" * 20}
    lock = [locked(name, content) for name, content in contents.items()]
    repository = Repository(contents)
    first = resolve_jars(lock, tmp_path, fetch=repository.fetch)
    assert [path.read_bytes() for path in first] == list(contents.values())
    assert resolve_jars(lock, tmp_path, fetch=repository.fetch) == first
    assert sorted(repository.asked) == ["alpha", "zeta"]


def test_progress_ends_at_the_total(tmp_path: Path):
    contents = {"a": b"1", "b": b"22", "c": b"333"}
    seen: list[tuple[int, int, str]] = []
    resolve_jars(
        [locked(name, content) for name, content in contents.items()],
        tmp_path,
        fetch=Repository(contents).fetch,
        progress=lambda done, total, name: seen.append((done, total, name)),
    )
    assert seen[-1][:2] == (6, 6)
    assert {name for _, _, name in seen} == set(contents)
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)


def test_a_jar_changed_on_disk_is_noticed_and_fetched_again(tmp_path: Path):
    repository = Repository({"a": b"right"})
    lock = [locked("a", b"right")]
    (path,) = resolve_jars(lock, tmp_path, fetch=repository.fetch)
    path.write_bytes(b"wrong")
    assert resolve_jars(lock, tmp_path, fetch=repository.fetch) == (path,)
    assert path.read_bytes() == b"right"
    assert repository.asked == ["a", "a"]


def test_a_damaged_note_only_means_digesting_again(tmp_path: Path):
    repository = Repository({"a": b"right"})
    lock = [locked("a", b"right")]
    resolve_jars(lock, tmp_path, fetch=repository.fetch)
    (tmp_path / "jars" / "verified.json").write_text("{broken", encoding="utf-8")
    resolve_jars(lock, tmp_path, fetch=repository.fetch)
    assert repository.asked == ["a"]


def test_something_else_under_the_same_coordinate_is_refused_and_not_kept(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"org.example:a:1.0 came with SHA-256 .* kafka"):
        resolve_jars([locked("a", b"right")], tmp_path, fetch=Repository({"a": b"evil!"}).fetch)
    assert not list(tmp_path.rglob("*.jar"))


def test_a_jar_that_cannot_be_had_is_named_with_what_to_do(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"org.example:a:1.0 .*404.*--kafka HOST:PORT"):
        resolve_jars([locked("a", b"x")], tmp_path, fetch=Repository({}).fetch)


def test_a_maven_repository_is_used_only_where_the_digest_is_right(tmp_path: Path):
    good, bad = locked("good", b"good"), locked("bad", b"fine")
    maven = tmp_path / "m2"
    for jar, content in ((good, b"good"), (bad, b"evil")):
        path = maven / jar.relative_path
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    repository = Repository({"bad": b"fine"})
    paths = resolve_jars(
        [good, bad], tmp_path / "cache", maven_repository=maven, fetch=repository.fetch
    )
    assert repository.asked == ["bad"]
    assert [path.read_bytes() for path in paths] == [b"good", b"fine"]
    assert (maven / bad.relative_path).read_bytes() == b"evil"


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="XDG_CACHE_HOME"):
        resolve_jars([locked("a", b"x")], blocked / "cache", fetch=Repository({}).fetch)


def test_the_committed_lock_holds_kafka_with_a_log_and_no_address():
    jars = committed_lock()
    coordinates = {jar.coordinate for jar in jars}
    assert "org.apache.kafka:kafka_2.13:4.4.0" in coordinates
    assert parse_lock(render_lock(jars)) == jars
    assert "://" not in render_lock(jars)
    logging = {j.artifact: j.version for j in jars if j.group == "org.apache.logging.log4j"}
    assert set(logging) == {"log4j-api", "log4j-core", "log4j-slf4j-impl"}
    assert len(set(logging.values())) == 1


def test_a_damaged_lock_names_the_line():
    with pytest.raises(ConfigurationError, match="line 2"):
        parse_lock("# comment\norg.example:a:1.0 12 nodigest\n")
