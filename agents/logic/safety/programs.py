"""Programs whose words need more than a table, and the table of all such judges.

Comes in: a command and the one that feeds it. Goes out: a verdict.
Promise: what these judges do not know is blocked.
"""

import re
from collections.abc import Mapping

from agents.logic.safety import clients, network
from agents.logic.safety.arguments import Judge, split_options
from agents.logic.safety.cloud import judge_cloud
from agents.logic.safety.parsing import Command
from agents.logic.safety.scripts import judge_awk, judge_find, judge_sed
from agents.logic.safety.table import words
from agents.logic.safety.verdict import SAFE, Verdict, blocked, needs_approval, worst

_AWK_OPTIONS = words("-F -v --field-separator")


def _judge_awk(command: Command, _: Command | None) -> Verdict:
    options, operands = split_options(command.words[1:], _AWK_OPTIONS)
    if any(name not in _AWK_OPTIONS for name, _ in options) or not operands:
        return blocked("uses an option of awk that is not on the allow list")
    return judge_awk(operands[0])


_SED_SCRIPTS = words("-e --expression")
_SED_FLAGS = words("-n -E -r -e --expression --quiet --silent -nE -nr -u")


def _judge_sed(command: Command, _: Command | None) -> Verdict:
    options, operands = split_options(command.words[1:], _SED_SCRIPTS)
    scripts = [value for name, value in options if name in _SED_SCRIPTS] or operands[:1]
    verdicts = [judge_sed(script) for script in scripts]
    for name, _value in options:
        if name in {"-i", "--in-place"}:
            verdicts.append(blocked("changes a file in place and keeps no copy of it"))
        elif name.startswith("-i."):
            verdicts.append(needs_approval("changes a file in place"))
        elif name not in _SED_FLAGS:
            verdicts.append(blocked(f"the option {name} of sed is not on the allow list"))
    return worst(verdicts) if scripts else blocked("gives sed no script")


def _judge_find(command: Command, _: Command | None) -> Verdict:
    return judge_find(command.words[1:])


def _judge_python(command: Command, _: Command | None) -> Verdict:
    if command.words[1:] == ("-m", "json.tool"):
        return SAFE
    return blocked("runs a program text")


def _judge_service(command: Command, _: Command | None) -> Verdict:
    if len(command.words) != 3:
        return blocked("does not name one service and one action")
    _program, service, action = command.words
    if action == "status":
        return SAFE
    if action in words("start stop restart reload force-reload"):
        return needs_approval(f"asks the service {service} to {action}")
    return blocked(f"the action {action} is not on the allow list")


_JCMD_READING = words(
    "help VM.flags VM.uptime VM.version VM.command_line VM.native_memory VM.info Thread.print"
    " GC.heap_info GC.class_histogram VM.system_properties"
)
_JCMD_CHANGING = words("GC.run GC.heap_dump JFR.start JFR.stop JFR.dump VM.log")


def _judge_jcmd(command: Command, _: Command | None) -> Verdict:
    if any(word.startswith("-") for word in command.words[1:]):
        return SAFE if command.words[1:] == ("-l",) else blocked("gives jcmd an unknown option")
    action = command.words[2] if len(command.words) > 2 else "help"
    if action in _JCMD_READING:
        return SAFE
    if action in _JCMD_CHANGING:
        return needs_approval(f"{action} stops or burdens the process")
    return blocked(f"the jcmd action {action} is not on the allow list")


def _judge_tar(command: Command, _: Command | None) -> Verdict:
    mode = command.words[1] if len(command.words) > 1 else ""
    has_more_options = any(word.startswith("-") for word in command.words[2:])
    if re.fullmatch(r"-?t[vzjJf]*", mode) and not has_more_options:
        return SAFE
    if any(word.startswith("/dev/") for word in command.words[2:]):
        return blocked("writes to a device")
    if re.fullmatch(r"-?[cx][vzjJfp]*", mode) and not has_more_options:
        return needs_approval("writes files")
    return blocked("uses options of tar that are not on the allow list")


_COPY_OPTIONS = words("-a -v -r -p -z -av -avz -n --dry-run --progress -P -q -C")


def _judge_copy(command: Command, _: Command | None) -> Verdict:
    options = {word for word in command.words[1:] if word.startswith("-")}
    if options - _COPY_OPTIONS:
        return blocked(f"uses an option of {command.words[0]} that is not on the allow list")
    return needs_approval("copies files to another place")


def _judge_kill(command: Command, _: Command | None) -> Verdict:
    rest = list(command.words[1:])
    if rest == ["-l"]:
        return SAFE
    signal = rest.pop(0) if rest and rest[0].startswith("-") else "-TERM"
    if signal == "-s" and rest:
        signal = f"-{rest.pop(0)}"
    if rest[:1] == ["--"]:
        rest.pop(0)
    is_named = re.fullmatch(r"-[A-Z]+[0-9]*|-[0-9]{1,2}", signal)
    if not rest or not is_named or any(not pid.isdigit() or int(pid) <= 1 for pid in rest):
        return blocked("kills something other than processes named by their numbers")
    if signal == "-0":
        return SAFE
    return needs_approval(f"sends {signal.lstrip('-')} to a process")


def _judge_chmod(command: Command, _: Command | None) -> Verdict:
    if any(re.fullmatch(r"-[a-zA-Z]*R[a-zA-Z]*|--r\w*", word) for word in command.words):
        return blocked("changes who may use a whole tree of files")
    mode = next((word for word in command.words[1:] if word[0] != "-"), "")
    if re.fullmatch(r"0?[0-7]{3}", mode):
        opens_all = mode[-1] in "2367"
    elif re.fullmatch(r"[ugo]+[-+=][rwxX]+", mode):
        opens_all = "o" in mode and "w" in mode and "-" not in mode
    else:
        return blocked("sets rights in a way that the policy does not read")
    if opens_all or command.globs:
        return blocked("lets everyone write a file, or changes files known only when it runs")
    return needs_approval("changes who may use a file")


_SYSCTL_READING = words("-a -n -N -e -q --all --values --names")
_SYSCTL_WRITING = words("-w --write")
_SYSCTL_DANGEROUS = words("kernel.core_pattern kernel.modprobe kernel.hotplug kernel.sysrq")


def _judge_sysctl(command: Command, _: Command | None) -> Verdict:
    options = {word for word in command.words[1:] if word.startswith("-")}
    if options - _SYSCTL_READING - _SYSCTL_WRITING:
        return blocked("uses an option of sysctl that is not on the allow list")
    settings = [word.split("=", 1)[0] for word in command.words[1:] if "=" in word]
    if _SYSCTL_DANGEROUS.intersection(name.replace("/", ".") for name in settings):
        return blocked("sets what the kernel runs by itself")
    if settings or options & _SYSCTL_WRITING:
        return needs_approval("changes a setting of the kernel")
    return SAFE


def _judge_storcli(command: Command, _: Command | None) -> Verdict:
    rest = [word for word in command.words[1:] if not word.startswith("/")]
    if rest[:1] == ["show"] and set(rest[1:]) <= words("all J nolog health events"):
        return SAFE
    if rest[:2] in (["set", "offline"], ["set", "online"], ["start", "rebuild"]):
        return needs_approval("changes a disk array")
    return blocked("asks the disk controller for something that is not on the allow list")


SPECIAL: Mapping[str, Judge] = {
    **dict.fromkeys(("aws", "gcloud", "az"), judge_cloud),
    **dict.fromkeys(("awk", "gawk", "mawk"), _judge_awk),
    **dict.fromkeys(("mysql", "mariadb"), clients.judge_mysql),
    **dict.fromkeys(("nc", "ncat", "netcat"), network.judge_nc),
    **dict.fromkeys(("redis-cli", "valkey-cli"), clients.judge_redis_cli),
    **dict.fromkeys(("rsync", "scp"), _judge_copy),
    **dict.fromkeys(("storcli", "storcli64", "perccli"), _judge_storcli),
    "bridge": network.judge_bridge,
    "chmod": _judge_chmod,
    "clickhouse-client": clients.judge_clickhouse,
    "cqlsh": clients.judge_cqlsh,
    "curl": network.judge_curl,
    "ethtool": network.judge_ethtool,
    "find": _judge_find,
    "ip": network.judge_ip,
    "jcmd": _judge_jcmd,
    "kill": _judge_kill,
    "mongosh": clients.judge_mongosh,
    "mysqladmin": clients.judge_mysqladmin,
    "openssl": network.judge_openssl,
    "psql": clients.judge_psql,
    "python3": _judge_python,
    "sed": _judge_sed,
    "service": _judge_service,
    "sqlcmd": clients.judge_sqlcmd,
    "sqlite3": clients.judge_sqlite,
    "sysctl": _judge_sysctl,
    "tar": _judge_tar,
    "tc": network.judge_tc,
    "vtysh": network.judge_vtysh,
    "wget": network.judge_wget,
}
"""The judges, by program name."""
