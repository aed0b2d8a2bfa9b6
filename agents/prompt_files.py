"""Reads the prompts of this package.

Comes in: a name. Goes out: a PromptTemplate with its version. Promise: a prompt that cannot be used
stops the start with one sentence that says what to mend.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable

from agents.logic.prompting.prompts import PromptFileError, PromptTemplate, parse_prompt

NAMES = ("classify", "plan", "repair", "investigate")


def load_prompt(name: str, folder: Traversable | None = None) -> PromptTemplate:
    """Read one prompt, of the package or of a folder; raises PromptFileError or OSError."""
    file = (folder or files("agents") / "prompts") / f"{name}.md"
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PromptFileError(file.name, "all", "save the file as UTF-8") from None
    return parse_prompt(text, file.name)


def load_prompts(folder: Traversable | None = None) -> dict[str, PromptTemplate]:
    """Read all prompts by name; raises PromptFileError or OSError."""
    return {name: load_prompt(name, folder) for name in NAMES}
