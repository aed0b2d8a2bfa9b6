"""`deploy` marks what needs helm, terraform or actionlint; `make deploy-check` runs it.

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
    config.addinivalue_line("markers", "deploy: needs helm, terraform or actionlint")


def find_tool(name: str) -> str:
    """Return the path of a tool, built by `make deploy-tools` or installed."""
    built = TOOLS / name
    found = str(built) if built.is_file() else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not here: `make deploy-tools` builds it, or install it")
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
def compose_spec() -> str:
    return find_tool("compose-spec")
