"""The configuration files of a one-node Kafka, rendered from plain values.

In: frozen values (ports, folders, secured listeners). Out: the text of server.properties,
log4j2.properties and meta.properties. Pure: reads and writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
_PROTOCOLS = frozenset({"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"})


@dataclass(frozen=True)
class SecuredListener:
    """A further listener, for clients that must prove who they are or encrypt.

    `options` are Kafka's own names below `listener.name.<name>.`: `ssl.keystore.location`,
    `sasl.enabled.mechanisms`, `scram-sha-256.sasl.jaas.config`, ...
    """

    name: str
    port: int
    protocol: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.protocol not in _PROTOCOLS:
            raise ValueError(f"listener {self.name}: protocol {self.protocol} is none of Kafka's")


@dataclass(frozen=True)
class BrokerProperties:
    """What differs from one local broker to the next."""

    port: int
    controller_port: int
    log_directory: str
    host: str = LOOPBACK
    cleaner_buffer_bytes: int = 8 * 1024 * 1024
    listeners: tuple[SecuredListener, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)


def server_properties(broker: BrokerProperties) -> str:
    """Render server.properties: one KRaft node that is broker and controller, replication 1."""
    secured = broker.listeners
    addresses = [f"PLAINTEXT://{broker.host}:{broker.port}"]
    addresses += [f"{one.name}://{broker.host}:{one.port}" for one in secured]
    controller = f"CONTROLLER://{LOOPBACK}:{broker.controller_port}"
    protocols = ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"]
    protocols += [f"{one.name}:{one.protocol}" for one in secured]
    values = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{broker.controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": ",".join([*addresses, controller]),
        "advertised.listeners": ",".join(addresses),
        "listener.security.protocol.map": ",".join(protocols),
        "log.dirs": broker.log_directory,
        "num.partitions": "1",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        # Longer than the topic's own limit of 1 MiB lines, with room for their envelopes.
        "message.max.bytes": str(4 * 1024 * 1024),
        # One node: nothing can be replicated, and few partitions start and recover faster.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        # After a crash the node must wait until its former self's session is over (9 s by default).
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # The cleaner's default table takes 128 MiB of heap at once; this one still covers
        # 300,000 keys in a pass.
        "log.cleaner.dedupe.buffer.size": str(broker.cleaner_buffer_bytes),
    }
    for one in secured:
        prefix = f"listener.name.{one.name.lower()}."
        values.update({prefix + name: value for name, value in one.options.items()})
    values.update(broker.extra)
    return "".join(f"{name}={escape(value)}\n" for name, value in values.items())


def log4j_properties(log_path: str) -> str:
    """Render log4j2.properties: one file of at most 10 MB, two older ones kept beside it."""
    values = {
        "status": "error",
        "appender.file.type": "RollingFile",
        "appender.file.name": "file",
        "appender.file.fileName": log_path,
        "appender.file.filePattern": f"{log_path}.%i",
        "appender.file.layout.type": "PatternLayout",
        "appender.file.layout.pattern": "%d{yyyy-MM-dd HH:mm:ss,SSS} %p %m (%c{1})%n",
        "appender.file.policies.type": "Policies",
        "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
        "appender.file.policies.size.size": "10MB",
        "appender.file.strategy.type": "DefaultRolloverStrategy",
        "appender.file.strategy.max": "2",
        "rootLogger.level": "info",
        "rootLogger.appenderRef.file.ref": "file",
        # Each prints hundreds of lines of settings at every start.
        "logger.config.name": "org.apache.kafka.common.config.AbstractConfig",
        "logger.config.level": "warn",
        "logger.server.name": "kafka.server.KafkaConfig",
        "logger.server.level": "warn",
    }
    return "".join(f"{name}={escape(value)}\n" for name, value in values.items())


def meta_properties(cluster_id: str, directory_id: str) -> str:
    """Render the identity card that Kafka wants in a formatted data directory."""
    return f"version=1\ncluster.id={cluster_id}\nnode.id=1\ndirectory.id={directory_id}\n"


def escape(value: str) -> str:
    r"""Escape a value as java.util.Properties reads it: `\` and what is not Latin-1."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    if escaped.startswith(" "):
        escaped = "\\" + escaped
    return "".join(char if ord(char) < 127 else _unicode_escape(char) for char in escaped)


def _unicode_escape(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
