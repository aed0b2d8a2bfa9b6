import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.errors import InputError
from training.registry import Facts, Registry
from training.stores import FolderStore, StoreError

FACTS = Facts(model="tiny", passed=True, reason="better", created_ms=5)


@pytest.fixture(params=["folder", "object"])
def registry(request, tmp_path):
    url = str(tmp_path / "registry") if request.param == "folder" else f"memory://{tmp_path}"
    return Registry.at(url)


@pytest.fixture
def adapter(tmp_path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter.gguf").write_bytes(b"weights" * 1_000)
    (folder / "report.md").write_text("# good")
    return folder


def test_what_was_published_is_found_listed_and_fetched(registry, adapter, tmp_path):
    published = registry.publish("triage-1", adapter, FACTS)
    assert registry.find("triage-1") == published
    assert [one.name for one in registry.all()] == ["triage-1"]
    fetched = registry.fetch("triage-1", tmp_path / "work")
    assert (fetched / "adapter.gguf").read_bytes() == (adapter / "adapter.gguf").read_bytes()
    assert registry.read_file("triage-1", "report.md") == b"# good"
    assert registry.read_file("triage-1", "other") is None


def test_a_name_never_changes_what_it_stands_for(registry, adapter):
    first = registry.publish("triage-1", adapter, FACTS)
    assert registry.publish("triage-1", adapter, FACTS) == first
    (adapter / "adapter.gguf").write_bytes(b"other")
    with pytest.raises(InputError, match="other files"):
        registry.publish("triage-1", adapter, FACTS)
    assert registry.find("triage-1") == first


def test_the_newest_stands_first(registry, adapter):
    registry.publish("older", adapter, FACTS)
    registry.publish("newer", adapter, FACTS.model_copy(update={"created_ms": 9}))
    assert [one.name for one in registry.all()] == ["newer", "older"]


@pytest.mark.parametrize("name", ["", "a", "../up", "UPPER", "with space", ".hidden", "x" * 65])
def test_bad_names_are_refused(registry, adapter, name):
    with pytest.raises(InputError, match="adapter name"):
        registry.publish(name, adapter, FACTS)


def test_an_unknown_name_says_how_to_see_the_known(registry):
    with pytest.raises(InputError, match="models list"):
        registry.read("nobody")


def test_damaged_files_are_not_given_out(tmp_path, adapter):
    registry = Registry.at(str(tmp_path / "r"))
    published = registry.publish("triage-1", adapter, FACTS)
    stored = tmp_path / "r" / "files" / published.files["adapter.gguf"].sha256
    stored.write_bytes(b"x" * stored.stat().st_size)
    with pytest.raises(StoreError, match="damaged"):
        registry.fetch("triage-1", tmp_path / "work")
    assert not (tmp_path / "work" / "triage-1").exists()


def test_a_folder_that_was_changed_is_fetched_anew(tmp_path, adapter):
    registry = Registry.at(str(tmp_path / "r"))
    registry.publish("triage-1", adapter, FACTS)
    folder = registry.fetch("triage-1", tmp_path / "work")
    (folder / "adapter.gguf").write_bytes(b"tampered")
    assert registry.fetch("triage-1", tmp_path / "work") == folder
    assert (folder / "adapter.gguf").read_bytes().startswith(b"weights")


def test_an_empty_folder_is_no_adapter(registry, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no files"):
        registry.publish("triage-1", tmp_path / "empty", FACTS)


def test_what_fails_while_it_is_written_leaves_nothing(tmp_path):
    store = FolderStore(tmp_path)
    with pytest.raises(StoreError):
        store.put_file("a/b", tmp_path / "missing")
    assert store.keys("a") == []
    assert list((tmp_path / "a").iterdir()) == []


# Publishes in an endless row, each adapter three files of 2 MB; killed somewhere in the middle.
_PUBLISH = """
import sys
from pathlib import Path
from training.registry import Facts, Registry
registry, source = Registry.at(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
for number in range(1000):
    for part in range(3):
        (source / f"part-{part}").write_bytes(f"{number} {part} ".encode() * 300_000)
    facts = Facts(model="tiny", passed=True, reason="", created_ms=number)
    registry.publish(f"adapter-{number}", source, facts)
    print(number, flush=True)
"""


@pytest.mark.parametrize("lines_before_kill", [1, 2, 3, 4])
def test_killed_while_it_publishes_the_registry_shows_whole_adapters_only(
    tmp_path, lines_before_kill
):
    place, source = tmp_path / "registry", tmp_path / "source"
    source.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", _PUBLISH, str(place), str(source)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(lines_before_kill):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    registry = Registry.at(str(place))
    listed = registry.all()
    assert len(listed) >= lines_before_kill - 1
    for manifest in listed:
        folder = registry.fetch(manifest.name, tmp_path / "work")
        assert {path.name for path in folder.iterdir()} == set(manifest.files)
    # And what was cut off can be done again under the same name.
    again = registry.publish("adapter-999", folder, FACTS) if listed else None
    assert again is None or registry.fetch("adapter-999", tmp_path / "work").is_dir()
