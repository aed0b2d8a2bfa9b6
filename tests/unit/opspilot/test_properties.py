import pytest

from opspilot.local.properties import (
    BrokerProperties,
    SecuredListener,
    escape,
    log4j_properties,
    meta_properties,
    server_properties,
)


def read(text: str) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in text.splitlines())


def test_one_node_is_broker_and_controller_on_the_ports_given():
    values = read(server_properties(BrokerProperties(21_000, 21_001, "/data/logs")))
    assert values["process.roles"] == "broker,controller"
    assert values["listeners"] == "PLAINTEXT://127.0.0.1:21000,CONTROLLER://127.0.0.1:21001"
    assert values["advertised.listeners"] == "PLAINTEXT://127.0.0.1:21000"
    assert values["controller.quorum.voters"] == "1@127.0.0.1:21001"
    assert values["log.dirs"] == "/data/logs"


def test_a_single_node_never_asks_for_a_second_replica():
    values = read(server_properties(BrokerProperties(1, 2, "/d")))
    replication = {k: v for k, v in values.items() if k.endswith(("replication.factor", ".isr"))}
    assert len(replication) == 5
    assert set(replication.values()) == {"1"}


def test_a_secured_listener_comes_beside_the_plain_one_with_its_own_options():
    secured = SecuredListener(
        "SECURE", 21_003, "SASL_SSL", {"sasl.enabled.mechanisms": "SCRAM-SHA-256"}
    )
    values = read(server_properties(BrokerProperties(1, 2, "/d", listeners=(secured,))))
    assert "SECURE://127.0.0.1:21003" in values["advertised.listeners"].split(",")
    assert "SECURE:SASL_SSL" in values["listener.security.protocol.map"].split(",")
    assert values["listener.name.secure.sasl.enabled.mechanisms"] == "SCRAM-SHA-256"
    assert values["inter.broker.listener.name"] == "PLAINTEXT"


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ValueError, match=r"SECURE.*TLSX"):
        SecuredListener("SECURE", 1, "TLSX")


def test_extra_properties_win():
    broker = BrokerProperties(1, 2, "/d", extra={"group.initial.rebalance.delay.ms": "3000"})
    assert read(server_properties(broker))["group.initial.rebalance.delay.ms"] == "3000"


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("/plain/path", "/plain/path"),
        ("C:\\kafka", "C:\\\\kafka"),
        ("two\nlines", "two\\nlines"),
        (" leading", "\\ leading"),
        ("/home/zoë", "/home/zo\\u00eb"),
        ("/data/日", "/data/\\u65e5"),
        ("/data/😀", "/data/\\ud83d\\ude00"),
    ],
)
def test_values_are_escaped_as_java_reads_them(value: str, escaped: str):
    assert escape(value) == escaped


def test_the_log_goes_to_the_file_given_and_is_bounded():
    values = read(log4j_properties("/data/broker.log"))
    assert values["appender.file.fileName"] == "/data/broker.log"
    assert values["appender.file.policies.size.size"] == "10MB"
    assert values["appender.file.strategy.max"] == "2"


def test_the_identity_card_names_cluster_node_and_directory():
    assert read(meta_properties("C1", "D1")) == {
        "version": "1",
        "cluster.id": "C1",
        "node.id": "1",
        "directory.id": "D1",
    }
