"""A real Prometheus over a running stack, for tests: our configuration, other addresses.

Comes in: the ports of processes. Goes out: a server to ask. Promise: jobs, paths and rules are
those of deploy/prometheus; only addresses and intervals differ.
"""

import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from composefile import ROOT

from opspilot.local.ports import free_port
from opspilot.local.process import ChildProcess

CONFIG = ROOT / "deploy/prometheus/prometheus.yml"
RULES = ROOT / "deploy/prometheus/rules"
INTERVAL = "1s"
START_SECONDS = 60.0
STEP_SECONDS = 1


class Prometheus:
    """One server; a context manager."""

    def __init__(self, program: str, folder: Path, ports: Mapping[str, int]) -> None:
        """`ports` are those of the jobs; a job that is not named has no target."""
        self._program = program
        self._folder = folder
        self._ports = ports
        self._began = time.time()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        path = self._folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(self._config()))
        command = (
            self._program,
            f"--config.file={path}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        )
        self._log = self._folder / "prometheus.log"
        self._child = ChildProcess(command, self._log, {})
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert time.monotonic() < deadline, self._log.read_text()[-3000:]
            assert self._child.exit_code() is None, self._log.read_text()[-3000:]
            time.sleep(0.2)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.stop(20.0)

    def course(self, expr: str) -> list[Any]:
        """Return the series of a query over the whole run that have a finite value in it."""
        found = self._get(
            "query_range",
            query=expr,
            start=f"{self._began:.0f}",
            end=f"{time.time():.0f}",
            step=str(STEP_SECONDS),
        )
        return [
            series
            for series in found["result"]
            if any(math.isfinite(float(value)) for _, value in series["values"])
        ]

    def now(self, expr: str) -> list[Any]:
        """Return the series of a query at this moment."""
        return list(self._get("query", query=expr)["result"])

    def values(self, label: str, series: str) -> list[str]:
        """Return what Grafana's `label_values` would."""
        return list(self._get(f"label/{label}/values", **{"match[]": series}))

    def rules(self) -> list[Any]:
        """Return every rule with its health, alerts with their state."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
        config["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
        config["rule_files"] = [str(RULES / Path(name).name) for name in config["rule_files"]]
        for job in config["scrape_configs"]:
            del job["dns_sd_configs"]
            if (port := self._ports.get(job["job_name"])) is not None:
                job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
        assert set(self._ports) <= {job["job_name"] for job in config["scrape_configs"]}
        return config

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
                body = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        assert body["status"] == "success", body
        return body["data"]
