"""Fluent Bit's files: that they agree, and that the Lua functions name services, under LuaJIT."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from composefile import ROOT
from lupa.luajit21 import LuaRuntime, lua_type

from schemas.topics import LOGS_RAW
from streams.ingest.batch import ReducerOptions
from streams.ingest.envelope import read_value
from streams.settings import TopicSettings

FOLDER = ROOT / "deploy/fluent-bit"
FILES = sorted(FOLDER.glob("*.yaml"))
KEEP, DROP, CHANGED = 0, -1, 2
CONTAINER = "4f" * 32


def load(path: Path) -> dict[str, Any]:
    document = yaml.load(path.read_text(), yaml.BaseLoader)
    assert isinstance(document, dict)
    return document


def ids(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
class TestFile:
    def test_everything_survives_a_restart(self, path: Path) -> None:
        document = load(path)
        assert document["service"]["storage.path"].startswith("/var/lib/fluent-bit")
        for source in document["pipeline"]["inputs"]:
            assert source["storage.type"] == "filesystem"
            if source["name"] in ("tail", "systemd"):
                assert source["db"].startswith("/var/lib/fluent-bit/")
        positions = [s["db"] for s in document["pipeline"]["inputs"] if "db" in s]
        assert len(positions) == len(set(positions))

    def test_the_output_waits_for_kafka_within_bounds(self, path: Path) -> None:
        (output,) = load(path)["pipeline"]["outputs"]
        assert output["topics"] == TopicSettings().name(LOGS_RAW)
        assert output["retry_limit"] == "no_limits"
        assert output["storage.total_limit_size"] == "2G"
        assert output["rdkafka.acks"] == "all"
        assert output["rdkafka.enable.idempotence"] == "true"
        assert output["rdkafka.message.timeout.ms"] == "0"
        assert output["rdkafka.queue.buffering.max.messages"] == "20000"
        # A line as long as the input takes, with its envelope, fits; the topic takes it too.
        assert 2 << 20 < int(output["rdkafka.message.max.bytes"]) < LOGS_RAW.max_message_bytes
        if output["format"] == "json":
            # A record's own @timestamp would replace Fluent Bit's.
            assert output["timestamp_key"] == "fb_ts"
            assert output["message_key_field"] == "fb_source"
        else:
            assert output["format"] == "otlp_json"

    def test_filters_name_functions_that_exist(self, path: Path) -> None:
        lua = runtime()
        tags = [source.get("tag", "") for source in load(path)["pipeline"]["inputs"]]
        for one in load(path)["pipeline"].get("filters", ()):
            assert one["match"] in tags
            if one["name"] == "lua":
                assert Path(one["script"]).name == "opspilot.lua"
                assert lua_type(lua.globals()[one["call"]]) == "function"

    def test_every_tailed_line_gets_a_service(self, path: Path) -> None:
        pipeline = load(path)["pipeline"]
        named = {f["match"] for f in pipeline.get("filters", ()) if f["name"] == "lua"}
        for source in pipeline["inputs"]:
            assert source["name"] == "opentelemetry" or source["tag"] in named

    def test_long_lines_do_not_stop_a_file(self, path: Path) -> None:
        for source in load(path)["pipeline"]["inputs"]:
            if source["name"] == "tail":
                assert source["skip_long_lines"] == "on"
                assert source["buffer_max_size"] == "2M"
                assert source["path_key"] == "fb_path"


def test_the_outputs_are_the_same_but_for_their_format() -> None:
    shape = ("format", "timestamp_key", "timestamp_format", "message_key_field")
    outputs = [load(path)["pipeline"]["outputs"][0] for path in FILES]
    rest = [{k: v for k, v in output.items() if k not in shape} for output in outputs]
    assert all(one == rest[0] for one in rest)


def runtime() -> LuaRuntime:
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.execute((FOLDER / "opspilot.lua").read_text())
    return lua


def call(lua: LuaRuntime, function: str, record: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    table = lua.table_from(record, recursive=True)
    code, _, changed = lua.globals()[function]("tag", 1.5, table)
    return code, {k: v for k, v in changed.items() if isinstance(v, str)}


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/var/log/opspilot/checkout.log", "checkout"),
        ("/var/log/opspilot/shop/checkout.log", "shop/checkout"),
        ("/var/log/opspilot/checkout.log.1", "checkout"),
        ("/var/log/opspilot/checkout.log-20260102", "checkout"),
        ("/srv/logs/api.log", "api"),
    ],
)
def test_a_file_names_its_service(path: str, service: str) -> None:
    code, record = call(runtime(), "from_path", {"fb_path": path, "log": "x"})
    assert code == CHANGED
    assert record["fb_source"] == service


def container(folder: Path, **about: Any) -> str:
    home = folder / CONTAINER
    home.mkdir()
    (home / "config.v2.json").write_text(json.dumps(about, separators=(",", ":")))
    return str(home / f"{CONTAINER}-json.log")


def test_a_container_is_named_by_compose(tmp_path: Path) -> None:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    path = container(tmp_path, Name="/shop-web-1", Config={"Labels": labels})
    code, record = call(runtime(), "from_container", {"fb_path": path, "log": "x"})
    assert code == CHANGED
    assert (record["fb_source"], record["instance"]) == ("shop/web", CONTAINER[:12])


def test_a_container_without_compose_has_its_own_name(tmp_path: Path) -> None:
    hosts = {"RestartPolicy": {"Name": "always"}}
    path = container(tmp_path, HostConfig=hosts, Config={"Labels": {}}, Name="/redis")
    assert call(runtime(), "from_container", {"fb_path": path})[1]["fb_source"] == "redis"


def test_a_labelled_container_is_left_out(tmp_path: Path) -> None:
    path = container(tmp_path, Name="/x", Config={"Labels": {"opspilot.logs": "ignore"}})
    assert call(runtime(), "from_container", {"fb_path": path})[0] == DROP


def test_a_variable_of_a_container_is_not_taken_for_a_label(tmp_path: Path) -> None:
    hostile = 'X="opspilot.logs":"ignore","com.docker.compose.service":"other"'
    path = container(tmp_path, Config={"Env": [hostile], "Labels": {}}, Name="/web")
    code, record = call(runtime(), "from_container", {"fb_path": path})
    assert (code, record["fb_source"]) == (CHANGED, "web")


def test_a_container_without_description_keeps_its_number(tmp_path: Path) -> None:
    path = str(tmp_path / CONTAINER / f"{CONTAINER}-json.log")
    code, record = call(runtime(), "from_container", {"fb_path": path})
    assert (code, record["fb_source"]) == (CHANGED, CONTAINER[:12])


def test_a_unit_names_its_service() -> None:
    journal = {"_SYSTEMD_UNIT": "sshd.service", "_HOSTNAME": "h1", "MESSAGE": "hi"}
    code, record = call(runtime(), "from_unit", journal)
    assert (code, record["fb_source"], record["instance"]) == (CHANGED, "sshd", "h1")
    assert call(runtime(), "from_unit", {"MESSAGE": "hi"})[0] == KEEP


def test_a_pod_is_named_by_its_labels() -> None:
    about = {
        "pod_name": "web-1",
        "namespace_name": "shop",
        "container_name": "app",
        "labels": {"app.kubernetes.io/name": "web"},
    }
    code, record = call(runtime(), "from_kubernetes", {"kubernetes": about, "log": "x"})
    assert (code, record["fb_source"], record["instance"]) == (CHANGED, "shop/web", "web-1")
    del about["labels"]
    assert call(runtime(), "from_kubernetes", {"kubernetes": about})[1]["fb_source"] == "shop/app"
    about["labels"] = {"opspilot.logs": "ignore"}  # type: ignore[assignment]
    assert call(runtime(), "from_kubernetes", {"kubernetes": about})[0] == DROP


def test_ingest_reads_the_name_that_lua_gives() -> None:
    _, record = call(runtime(), "from_path", {"fb_path": "/var/log/opspilot/shop/web.log"})
    record |= {"log": "hello", "fb_ts": "2026-11-22T15:09:32.844815208Z"}
    (entry,) = read_value(json.dumps(record).encode(), ReducerOptions())
    assert (entry.claim.service, entry.text) == ("shop/web", "hello")
