"""From the settings to the backend that they name.

Comes in: ModelSettings. Goes out: a Backend that has not asked anything yet. Promise: a server's
client is imported only where that server is configured: the libraries take a second to load.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from agents.llm.baseline import BaselineBackend
from agents.llm.protocol import Backend
from agents.logic.judging.classifier import load_classifier
from agents.runbook_files import load_library
from streams.modelsettings import BackendName, ModelSettings

MOST_ASK_SECONDS = 10.0
"""Longest wait for what a server says of itself, or counts: neither takes a model's time."""


def make_backend(settings: ModelSettings, runbook_folders: Sequence[Path] = ()) -> Backend:
    """Make the backend; `runbook_folders` are those of the user, for the baseline's plans."""
    if settings.backend is BackendName.BASELINE:
        return BaselineBackend(load_classifier, partial(load_library, runbook_folders))
    assert settings.url is not None, "the settings refuse a server without address"
    key = settings.api_key.get_secret_value() if settings.api_key is not None else None
    ask_seconds = min(settings.call_timeout_seconds, MOST_ASK_SECONDS)
    answer_tokens = max(settings.max_classify_tokens, settings.max_plan_tokens)
    if settings.backend is BackendName.TGI:
        from agents.llm.tgi import TgiBackend, TgiOptions

        return TgiBackend(TgiOptions(settings.url, key, settings.name, ask_seconds, answer_tokens))
    from agents.llm.openai_compatible import OpenAiBackend, OpenAiOptions

    return OpenAiBackend(
        OpenAiOptions(settings.url, key, settings.name, ask_seconds, answer_tokens)
    )
