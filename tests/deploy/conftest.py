"""`deploy` marks what needs helm, terraform, actionlint or Prometheus; `make deploy-check` runs it.

Without its tool such a test fails with a sentence that says what to do; it is never passed over.
"""

import shutil
import sys
from pathlib import Path

import pytest

# The tests share `composefile`, as do those of tests/pipeline.
sys.path.insert(0, str(Path(__file__).parent))

TOOLS = Path(__file__).parents[2] / ".opspilot/tools"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "deploy: needs helm, terraform, actionlint or Prometheus")


BUILT = "`make deploy-tools` builds it, or install it"
PACKAGED = "install it, with Debian's package `prometheus` for one (its service need not run)"


def find_tool(name: str, how: str = BUILT) -> str:
    """Return the path of a tool, built by `make deploy-tools` or installed."""
    built = TOOLS / name
    found = str(built) if built.is_file() else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not here: {how}", pytrace=False)
    return found


@pytest.fixture(scope="session")
def helm() -> str:
    return find_tool("helm")


@pytest.fixture(scope="session")
def terraform() -> str:
    return find_tool("terraform")


@pytest.fixture(scope="session")
def actionlint() -> str:
    return find_tool("actionlint")


@pytest.fixture(scope="session")
def promtool() -> str:
    return find_tool("promtool", PACKAGED)


@pytest.fixture(scope="session")
def prometheus() -> str:
    return find_tool("prometheus", PACKAGED)


@pytest.fixture(scope="session")
def compose_spec() -> str:
    return find_tool("compose-spec")
