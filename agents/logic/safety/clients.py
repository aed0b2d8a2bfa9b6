"""Clients of data stores: psql, mysql, redis-cli, mongosh and their like.

Comes in: a command. Goes out: a verdict.
Promise: a client that would take its orders from a file, from standard input or from a prompt is
blocked; only orders that stand in the command itself are judged.
"""

import re

from agents.logic.safety.arguments import Judge, split_options
from agents.logic.safety.parsing import Command
from agents.logic.safety.queries import judge_mongo, judge_redis, judge_sql
from agents.logic.safety.table import words
from agents.logic.safety.verdict import SAFE, Verdict, blocked, needs_approval, worst


def _sql_client(
    statements: str,
    values: str,
    flags: str,
    *,
    attached: str = "",
    meta: frozenset[str] = frozenset(),
) -> Judge:
    """Return the judge of a client; `statements` names the options that carry SQL."""
    statement_options = words(statements)
    known_values = words(values) | statement_options
    known = known_values | words(flags) | words(attached)

    def judge(command: Command, _: Command | None) -> Verdict:
        options, _operands = split_options(command.words[1:], known_values, words(attached))
        for name, _value in options:
            if name not in known:
                return blocked(f"the option {name} of {command.words[0]} is not on the allow list")
        texts = [value for name, value in options if name in statement_options]
        if not texts:
            return blocked("takes its statements from a prompt, a file or a pipe")
        return worst(_judge_statement(text, meta) for text in texts)

    return judge


def _judge_statement(text: str, meta: frozenset[str]) -> Verdict:
    if meta and text.lstrip().startswith("\\"):
        name = text.split()[0].lstrip("\\").rstrip("+")
        if name in meta and re.fullmatch(r"\\[a-zA-Z+]+( [A-Za-z0-9_.*]+)?", text.strip()):
            return SAFE
        return blocked(f"the client command \\{name} is not on the allow list")
    return judge_sql(text)


_psql = _sql_client(
    "-c --command",
    "-h --host -p --port -d --dbname -U --username -F --field-separator -P --pset -v --set",
    "-A -t -x -X -q -w -e -1 -E --no-psqlrc --tuples-only --expanded --no-align --csv --quiet"
    " --no-password --single-transaction -l --list",
    meta=words("d dt di dv dn du dx df dp l conninfo drds dRp dRs ds dm db"),
)
judge_mysql = _sql_client(
    "-e --execute",
    "-h --host -P --port -u --user -D --database -S --socket --connect-timeout --ssl-mode",
    "-N -B -s -t -E -v --batch --skip-column-names --table --vertical --silent --ssl -sN -Ns -BN"
    " -NB -p --password",
    attached="-p",
)
judge_cqlsh = _sql_client(
    "-e --execute", "-u --username -k --keyspace --request-timeout", "--ssl --no-color"
)
judge_sqlcmd = _sql_client("-Q", "-S -d -U -P -l -W -h -s -t", "-E -C -N -b")
judge_clickhouse = _sql_client(
    "-q --query", "-h --host --port -u --user -d --database -f --format", "--secure -m -n"
)


def judge_sqlite(command: Command, _: Command | None) -> Verdict:
    """Judge sqlite3, which reads its statements after the file; only a file opened to read."""
    flags = words("-readonly -header -noheader -json -csv -column -line -box -list -table -batch")
    options, operands = split_options(command.words[1:], frozenset())
    for name, _value in options:
        if name not in flags:
            return blocked(f"the option {name} of sqlite3 is not on the allow list")
    if len(operands) < 2 or command.reads_input:
        return blocked("takes its statements from a prompt, a file or a pipe")
    if "-readonly" not in {name for name, _ in options}:
        return blocked("opens a database file to write")
    return worst(_judge_statement(text, frozenset()) for text in operands[1:])


def judge_psql(command: Command, previous: Command | None) -> Verdict:
    """Judge psql; bundled letters such as -tAc are told apart first."""
    split: list[str] = []
    for word in command.words:
        if re.fullmatch(r"-[AtxXqwe1E]+c?", word) and len(word) > 2:
            split += [f"-{letter}" for letter in word[1:]]
        else:
            split.append(word)
    if set(split[1:]) & {"-l", "--list"} and "-c" not in split:
        split += ["-c", "\\l"]
    return _psql(Command(tuple(split), reads_input=command.reads_input), previous)


_MYSQLADMIN_READING = words("status ping processlist extended-status variables version")
_MYSQLADMIN_CHANGING = words(
    "flush-hosts flush-logs flush-status flush-tables flush-threads flush-privileges refresh"
    " reload"
    " start-replica stop-replica"
)


def judge_mysqladmin(command: Command, _: Command | None) -> Verdict:
    """Judge mysqladmin, which runs all of its words one after the other."""
    values = words("-h --host -P --port -u --user -i --sleep -c --count -S --socket")
    options, operands = split_options(command.words[1:], values, words("-p"))
    for name, _value in options:
        if name not in values | words("-p --password -v -r --relative"):
            return blocked(f"the option {name} of mysqladmin is not on the allow list")
    if len(operands) == 2 and operands[0] == "kill":
        return needs_approval("ends sessions of the database")
    if not operands or set(operands) - _MYSQLADMIN_READING - _MYSQLADMIN_CHANGING:
        return blocked("asks mysqladmin for something that is not on the allow list")
    if set(operands) <= _MYSQLADMIN_READING:
        return SAFE
    return needs_approval("changes the state of the database server")


_REDIS_VALUES = words(
    "-h -p -n -u --user --pass -a -s -i --sni --cacert --cert --key -r --pattern --count"
)
_REDIS_MODES = words("--bigkeys --memkeys --hotkeys --latency --latency-history --stat --scan")
_REDIS_FLAGS = words(
    "--tls --no-auth-warning --raw --no-raw --csv --json -c -2 -3 --insecure --verbose"
)


def judge_redis_cli(command: Command, _: Command | None) -> Verdict:
    """Judge redis-cli by the command that stands after its options."""
    arguments = list(command.words[1:])
    is_mode = False
    while arguments and arguments[0].startswith("-"):
        option = arguments.pop(0)
        if option == "--cluster":
            if arguments[:1] in (["check"], ["info"]):
                return SAFE
            return blocked("changes the layout of a Redis cluster or runs a command on all of it")
        if option in _REDIS_MODES:
            is_mode = True
        elif option in _REDIS_VALUES:
            value = arguments.pop(0) if arguments else "-"
            if value.startswith("-"):
                return blocked(f"gives redis-cli {option} no value")
        elif option not in _REDIS_FLAGS:
            return blocked(f"the option {option} of redis-cli is not on the allow list")
    if arguments:
        return judge_redis(arguments)
    return SAFE if is_mode else blocked("takes its commands from a prompt or a pipe")


_MONGO_VALUES = words(
    "--host --port -u --username -p --password --authenticationDatabase --eval --tlsCAFile"
)
_MONGO_FLAGS = words("--quiet --norc --tls --json")


def judge_mongosh(command: Command, _: Command | None) -> Verdict:
    """Judge mongosh by the expressions given with --eval."""
    options, operands = split_options(command.words[1:], _MONGO_VALUES)
    for name, _value in options:
        if name not in _MONGO_VALUES | _MONGO_FLAGS:
            return blocked(f"the option {name} of mongosh is not on the allow list")
    if len(operands) > 1 or any(operand.endswith((".js", ".mongodb")) for operand in operands):
        return blocked("runs a script file")
    texts = [value for name, value in options if name == "--eval"]
    if not texts:
        return blocked("takes its commands from a prompt or a pipe")
    return worst(judge_mongo(text) for text in texts)
