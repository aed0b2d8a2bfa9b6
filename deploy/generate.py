"""Writes what of deploy/ is a function of the code, or a copy that Helm needs inside its chart.

Comes in: the topic map, the settings, Fluent Bit's files, rules, dashboards as code. Goes out:
Grafana's dashboards, files of the chart, and with --manifests what `helm template` makes of it.
Promise: --check writes nothing and fails naming each file that is not current.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from dashboards.files import dashboard_files  # noqa: E402

from schemas.topics import TOPICS  # noqa: E402
from streams.section import PREFIX  # noqa: E402
from streams.settings import Settings  # noqa: E402

CHART = ROOT / "deploy/helm/opspilot"
DASHBOARDS = ROOT / "deploy/grafana/dashboards"
MANIFESTS = ROOT / "deploy/kubernetes/opspilot.yaml"
MANIFEST_VALUES = ROOT / "deploy/kubernetes/values.yaml"
HELM = ROOT / ".opspilot/tools/helm"
SET_BY_THE_CHART = {
    *("KAFKA__BOOTSTRAP", "KAFKA__SECURITY_PROTOCOL", "KAFKA__SASL_MECHANISM"),
    *("KAFKA__OAUTH_TOKEN_URL", "KAFKA__OAUTH_SCOPE", "KAFKA__CA_FILE", "KAFKA__CERT_FILE"),
    *("KAFKA__KEY_FILE", "KAFKA__OAUTH_CLIENT_ID", "KAFKA__SASL_USERNAME"),
    *("TOPICS__PREFIX", "TOPICS__RAW_PARTITIONS", "TOPICS__DIGEST_PARTITIONS"),
    *("TOPICS__INCIDENT_PARTITIONS", "TOPICS__REPLICATION"),
    *("MODEL__BACKEND", "MODEL__URL", "MODEL__NAME"),
    *("WORKER__HOST", "WORKER__PORT", "WORKER__DATA_FOLDER"),
    *("TRAINING__BASE", "TRAINING__FOLDER", "FEEDBACK__KEYS_FILE"),
    *("RELEASE__REGISTRY", "RELEASE__SERVER", "RELEASE__ADAPTER_FOLDER", "RELEASE__SERVER_FOLDER"),
    *("RELEASE__ADAPTERS_FILE", "RELEASE__RESTART_COMMAND", "MODEL__LOCAL_ADAPTER_FOLDER"),
}
_SECRETS = ("PASSWORD", "SECRET", "TOKEN", "KEY")


def variables() -> Iterator[str]:
    """Yield the name of every setting."""
    for section, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        for name in model.model_fields:
            yield f"{section}__{name}".upper()


def free_variables() -> list[str]:
    """Return what the value `settings` may hold: no secret, and nothing that has its own value."""
    return sorted(
        PREFIX + name
        for name in variables()
        if name not in SET_BY_THE_CHART and name.split("_")[-1] not in _SECRETS
    )


def topics() -> list[dict[str, Any]]:
    """Return the topic map as the chart reads it."""
    return [
        {"short": topic.short, "width": topic.width.value, "config": topic.config()}
        for topic in TOPICS.values()
    ]


def generated_files() -> dict[Path, str]:
    """Return every generated file: Grafana's dashboards, and what the chart holds."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    schema["properties"]["settings"]["propertyNames"] = {"enum": free_variables()}
    files = {
        CHART / "values.schema.json": _json(schema),
        CHART / "files/topics.json": _json(topics()),
        CHART / "files/fluent-bit.yaml": _fluent_bit(),
        CHART / "files/opspilot.lua": (ROOT / "deploy/fluent-bit/opspilot.lua").read_text(),
        CHART / "files/serve.sh": (ROOT / "deploy/tgi/serve.sh").read_text(),
    }
    for name, text in dashboard_files().items():
        files[DASHBOARDS / name] = files[CHART / "files/dashboards" / name] = text
    for source in sorted((ROOT / "deploy/prometheus/rules").glob("*.y*ml")):
        if "test" not in source.stem:
            files[CHART / "files/rules" / f"{source.stem}.yml"] = source.read_text()
    return files


def _fluent_bit() -> str:
    text = (ROOT / "deploy/fluent-bit/kubernetes.yaml").read_text()
    return text.replace("/fluent-bit/etc/opspilot.lua", "/fluent-bit/etc/opspilot/opspilot.lua")


def _json(document: Any) -> str:
    return json.dumps(document, indent=2) + "\n"


def manifests() -> str:
    """Return the plain manifests; fails where there is no helm."""
    if not HELM.is_file():
        sys.exit(f"{HELM.relative_to(ROOT)} is not there: run `make deploy-tools`")
    done = subprocess.run(
        [
            *(str(HELM), "template", "opspilot", str(CHART), "--namespace", "opspilot"),
            *("--values", str(MANIFEST_VALUES), "--kube-version", "1.31.0"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return f"# Made from deploy/helm/opspilot by `make manifests`; do not edit.\n{done.stdout}"


def stale(files: dict[Path, str]) -> list[Path]:
    """Return the files that are not as they should be, and those that should not be there."""
    wrong = [p for p, text in files.items() if not p.is_file() or p.read_text() != text]
    for folder in (DASHBOARDS, CHART / "files/dashboards", CHART / "files/rules"):
        wrong += [path for path in folder.glob("*") if path not in files]
    return wrong


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    parser.add_argument("--manifests", action="store_true", help="also render deploy/kubernetes")
    options = parser.parse_args()
    files = generated_files()
    wrong = stale(files)
    if not options.check:
        for path in wrong:
            if path in files:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(files[path])
            else:
                path.unlink()
    if options.manifests:
        rendered = {MANIFESTS: manifests()}
        late = stale(rendered) if MANIFESTS.is_file() else [MANIFESTS]
        wrong += [path for path in late if path == MANIFESTS]
        if not options.check and MANIFESTS in late:
            MANIFESTS.write_text(rendered[MANIFESTS])
    names = ", ".join(str(path.relative_to(ROOT)) for path in wrong)
    if options.check and wrong:
        command = "manifests" if options.manifests else "generate"
        sys.exit(f"not current: {names}; run `make {command}` and commit them")
    if wrong:
        sys.stdout.write(f"wrote {names}\n")


if __name__ == "__main__":
    main()
