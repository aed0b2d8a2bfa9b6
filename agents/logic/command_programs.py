"""Programs whose words need more than a table: database clients, HTTP clients, text tools.

Comes in: a command and the one that feeds it. Goes out: a verdict.
Promise: a client that would take its orders from a file, from standard input or from a prompt is
blocked; only orders that stand in the command itself are judged.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from agents.logic.command_queries import judge_mongo, judge_redis, judge_sql
from agents.logic.command_scripts import judge_awk, judge_find, judge_sed
from agents.logic.command_table import words
from agents.logic.command_verdict import SAFE, Verdict, blocked, needs_approval, worst
from agents.logic.commands import Command

Judge = Callable[[Command, Command | None], Verdict]


def _split_options(
    arguments: Sequence[str], values: frozenset[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return options with their values, and operands; `values` names the options that take one.

    `--name=value`, `--name value`, `-nvalue` and `-n value` are the same.
    """
    options: list[tuple[str, str]] = []
    operands: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return options, operands + waiting
        if not word.startswith("-") or word == "-":
            operands.append(word)
        elif word in values:
            options.append((word, waiting.pop(0) if waiting else ""))
        elif word.startswith("--"):
            name, _, value = word.partition("=")
            options.append((name, value))
        elif word[:2] in values:
            options.append((word[:2], word[2:]))
        else:
            options.append((word, ""))
    return options, operands


def _sql_client(
    statements: str, values: str, flags: str, meta: frozenset[str] = frozenset()
) -> Judge:
    statement_options, known = words(statements), words(values) | words(statements)
    known_flags = words(flags)

    def judge(command: Command, _: Command | None) -> Verdict:
        options, _operands = _split_options(command.words[1:], known)
        texts = [value for name, value in options if name in statement_options]
        for name, _value in options:
            if name not in known and name not in known_flags:
                return blocked(f"the option {name} of {command.words[0]} is not on the allow list")
        if not texts:
            return blocked("takes its statements from a prompt, a file or a pipe")
        return worst(_judge_statement(text, meta) for text in texts)

    return judge


def _judge_statement(text: str, meta: frozenset[str]) -> Verdict:
    if meta and text.lstrip().startswith("\\"):
        name = text.split()[0].lstrip("\\").rstrip("+")
        if name in meta and re.fullmatch(r"\\[a-z+]+( [A-Za-z0-9_.*]+)?", text.strip()):
            return SAFE
        return blocked(f"the client command \\{name} is not on the allow list")
    return judge_sql(text)


_PSQL_META = words("d dt di dv dn du dx df dp l conninfo drds dRp dRs ds dm db")
_psql = _sql_client(
    "-c --command",
    "-h --host -p --port -d --dbname -U --username -F --field-separator -P --pset -v --set",
    "-A -t -x -X -q -w -e -tA -At -Atc -tAc --no-psqlrc --tuples-only --expanded --no-align --csv"
    " --quiet --no-password -1 --single-transaction -E",
    _PSQL_META,
)
_mysql = _sql_client(
    "-e --execute",
    "-h --host -P --port -u --user -D --database -S --socket --defaults-group-suffix"
    " --connect-timeout --ssl-mode -p --password",
    "-N -B -s -t -E -v --batch --skip-column-names --table --vertical --silent --ssl -sN -Ns -BN -NB",
)
_cqlsh = _sql_client(
    "-e --execute", "-u --username -k --keyspace --request-timeout", "--ssl --no-color"
)
_sqlcmd = _sql_client("-Q", "-S -d -U -P -l -W -h -s -t", "-E -C -N -b")
_clickhouse = _sql_client(
    "-q --query", "-h --host --port -u --user -d --database -f --format", "--secure -m -n"
)


def _judge_psql(command: Command, previous: Command | None) -> Verdict:
    """Bundles such as -tAc end in the option that takes the statement: split them first."""
    split: list[str] = []
    for word in command.words:
        if re.fullmatch(r"-[AtxXqwe1]+c", word):
            split += [word[:-1], "-c"]
        elif re.fullmatch(r"-[AtxXqwe1]{2,}", word):
            split += [f"-{letter}" for letter in word[1:]]
        else:
            split.append(word)
    flat = [part for word in split for part in _unbundle(word)]
    return _psql(Command(tuple(flat), reads_input=command.reads_input), previous)


def _unbundle(word: str) -> list[str]:
    if re.fullmatch(r"-[AtxXqwe1]{2,}", word):
        return [f"-{letter}" for letter in word[1:]]
    return [word]


_REDIS_VALUES = words(
    "-h -p -n -u --user --pass -a -s -i -t --sni --cacert --cert --key -r --pattern --count"
)
_REDIS_MODES = words(
    "--bigkeys --memkeys --hotkeys --latency --latency-history --stat --scan --intrinsic-latency"
)
_REDIS_FLAGS = words(
    "--tls --no-auth-warning --raw --no-raw --csv --json -c -2 -3 --insecure --verbose"
)


def _judge_redis_cli(command: Command, _: Command | None) -> Verdict:
    arguments = list(command.words[1:])
    is_mode = False
    while arguments and arguments[0].startswith("-"):
        option = arguments.pop(0)
        if option == "--cluster":
            if arguments[:1] and arguments[0] in {"check", "info"}:
                return SAFE
            return blocked("changes the layout of a Redis cluster or runs a command on all of it")
        if option in _REDIS_MODES:
            is_mode = True
        elif option in _REDIS_VALUES:
            del arguments[:1]
        elif option not in _REDIS_FLAGS:
            return blocked(f"the option {option} of redis-cli is not on the allow list")
    if not arguments:
        return SAFE if is_mode else blocked("takes its commands from a prompt or a pipe")
    return judge_redis(arguments)


def _judge_mongosh(command: Command, _: Command | None) -> Verdict:
    values = words(
        "--host --port -u --username -p --password --authenticationDatabase --eval --tlsCAFile"
    )
    flags = words("--quiet --norc --tls --json")
    options, operands = _split_options(command.words[1:], values)
    for name, _value in options:
        if name not in values and name not in flags:
            return blocked(f"the option {name} of mongosh is not on the allow list")
    if any(operand.endswith((".js", ".mongodb")) for operand in operands) or len(operands) > 1:
        return blocked("runs a script file")
    texts = [value for name, value in options if name == "--eval"]
    if not texts:
        return blocked("takes its commands from a prompt or a pipe")
    return worst(judge_mongo(text) for text in texts)


_CURL_VALUES = words(
    "-H --header -m --max-time --connect-timeout -u --user -A --user-agent -X --request -o --output -w"
    " --write-out -d --data --data-raw --data-urlencode --data-binary --json --cacert --resolve --retry"
    " --retry-delay --retry-max-time --limit-rate --url --unix-socket --connect-to --interface --max-redirs"
    " --retry-connrefused_never --request-target -e --referer --tls-max --noproxy --proto --ciphers -r --range"
)
_CURL_FLAGS = words(
    "-s -S -f -k -I -i -v -L -G -4 -6 -g -N -q -sS -sk -fsS -sv -sI -vk -skI -fsSL -sSL -sf -kv -svk -siL --silent"
    " --show-error --fail --insecure --head --include --verbose --location --get --compressed --globoff"
    " --http1.1 --http2 --no-buffer --fail-with-body --tlsv1.2 --tlsv1.3 --no-progress-meter --ipv4 --ipv6"
)
_CURL_SINGLE = frozenset("sSfkIivLG46gNq")
_DATA = words("-d --data --data-raw --data-urlencode --data-binary --json")
_SECRET_HOSTS = words("169.254.169.254 metadata.google.internal metadata 100.100.100.200")


def _judge_curl(command: Command, _: Command | None) -> Verdict:
    options, operands = _split_options(_split_curl_bundles(command.words[1:]), _CURL_VALUES)
    method = ""
    for name, value in options:
        if name not in _CURL_VALUES | _CURL_FLAGS:
            return blocked(f"the option {name} of curl is not on the allow list")
        if name in {"-o", "--output"} and value != "/dev/null":
            return blocked(f"writes what it fetches to {value}")
        if name in _DATA | {"-H", "--header", "-w", "--write-out"} and "@" in value[:1]:
            return blocked("sends or reads a file")
        if name == "--data-urlencode" and "@" in value:
            return blocked("sends a file")
        if name in {"-X", "--request"}:
            method = value.upper()
        if name == "--url":
            operands.append(value)
    names = {name for name, _ in options}
    if not method:
        has_data = bool(names & _DATA) and not names & {"-G", "--get"}
        method = "POST" if has_data else "GET"
    return worst([_judge_http_method(method), *(_judge_url(operand) for operand in operands)])


def _split_curl_bundles(arguments: Sequence[str]) -> list[str]:
    split: list[str] = []
    for word in arguments:
        is_bundle = len(word) > 2 and word[0] == "-" and word[1] != "-"
        if is_bundle and word[1] in _CURL_SINGLE:
            letters = 1
            while letters < len(word) and word[letters] in _CURL_SINGLE:
                split.append(f"-{word[letters]}")
                letters += 1
            if letters < len(word):
                split.append(f"-{word[letters:]}")
        else:
            split.append(word)
    return split


def _judge_http_method(method: str) -> Verdict:
    if method in {"GET", "HEAD", "OPTIONS"}:
        return SAFE
    if method in {"POST", "PUT", "PATCH"}:
        return needs_approval(f"sends an HTTP {method}, which may change the server")
    return blocked(f"sends an HTTP {method}, which may delete what cannot be brought back")


def _judge_url(url: str) -> Verdict:
    match = re.match(r"(?:([a-zA-Z][a-zA-Z0-9+.-]*)://)?(?:[^/@]*@)?([^/:?#]*)", url)
    scheme, host = (match.group(1) or "http", match.group(2)) if match else ("", "")
    if scheme.lower() not in {"http", "https"}:
        return blocked(f"fetches a {scheme or 'strange'} address")
    if host.lower() in _SECRET_HOSTS:
        return needs_approval("may print credentials of the host")
    return SAFE


def _judge_wget(command: Command, _: Command | None) -> Verdict:
    options, operands = _split_options(
        command.words[1:], words("-O --output-document -T --timeout -t --tries")
    )
    names = {name for name, _ in options}
    values = {value for name, value in options if name in {"-O", "--output-document"}}
    if names - words(
        "-q -S -O --output-document -T --timeout -t --tries --spider -qO- -qO --server-response"
        " --no-check-certificate --quiet -nv"
    ):
        return blocked("uses an option of wget that is not on the allow list")
    if "--spider" not in names and "-qO-" not in names and not values & {"-", "/dev/null"}:
        return blocked("writes what it fetches to a file")
    return worst(_judge_url(operand) for operand in operands)


_NC_WORDS = words("ruok srvr stat mntr conf cons isro wchs envi stats info ping version")
_NC_FLAGS = frozenset("zvunw46qNt0123456789")


def _judge_nc(command: Command, previous: Command | None) -> Verdict:
    options, _operands = _split_options(command.words[1:], words("-w -q -i -G"))
    for name, _value in options:
        if name.startswith("--") or not _NC_FLAGS.issuperset(name[1:]):
            return blocked(
                f"the option {name} of {command.words[0]} may open a door or run a program"
            )
    if any("z" in name for name, _ in options) or not command.reads_input:
        return SAFE
    if previous is not None and previous.words[0] in {"echo", "printf"}:
        sent = previous.words[1:]
        if len(sent) == 1 and sent[0].replace("\\n", "").replace("\\r", "") in _NC_WORDS:
            return SAFE
    return blocked("sends data to another host")


def _judge_awk_command(command: Command, _: Command | None) -> Verdict:
    options, operands = _split_options(command.words[1:], words("-F -v --field-separator"))
    if any(name not in {"-F", "-v", "--field-separator"} for name, _ in options) or not operands:
        return blocked("uses an option of awk that is not on the allow list")
    return judge_awk(operands[0])


def _judge_sed_command(command: Command, _: Command | None) -> Verdict:
    options, operands = _split_options(command.words[1:], words("-e --expression"))
    scripts = [value for name, value in options if name in {"-e", "--expression"}]
    verdicts = [judge_sed(script) for script in scripts or operands[:1]]
    for name, _value in options:
        if name in {"-i", "--in-place"} or name.startswith("-i."):
            verdicts.append(needs_approval("changes a file in place"))
        elif name not in words("-n -E -r -e --expression --quiet --silent -nE -nr -u"):
            return blocked(f"the option {name} of sed is not on the allow list")
    return worst(verdicts)


def _judge_find_command(command: Command, _: Command | None) -> Verdict:
    return judge_find(command.words[1:])


def _judge_python(command: Command, _: Command | None) -> Verdict:
    if command.words[1:] == ("-m", "json.tool"):
        return SAFE
    return blocked("runs a program text")


_IP_OBJECTS = words(
    "a addr address l link r ro route rule n neigh neighbour maddr netns tunnel xfrm"
)
_IP_READING, _IP_CHANGING = (
    words("show list ls get"),
    words("add set replace change append del delete"),
)


def _judge_ip(command: Command, _: Command | None) -> Verdict:
    rest = list(command.words[1:])
    while rest and rest[0] in words(
        "-s -d -4 -6 -br -brief -o -j -json -p -statistics -details -h -c"
    ):
        rest.pop(0)
    if not rest or rest[0] not in _IP_OBJECTS:
        return blocked("asks ip for something that is not on the allow list")
    if len(rest) == 1 or rest[1] in _IP_READING:
        return SAFE
    if rest[1] in _IP_CHANGING:
        return needs_approval("changes the network of the host")
    return blocked(f"ip {rest[0]} {rest[1]} is not on the allow list")


def _judge_tc(command: Command, _: Command | None) -> Verdict:
    rest = [word for word in command.words[1:] if word not in words("-s -d -p -j -statistics")]
    if len(rest) >= 2 and rest[0] in words("qdisc class filter"):
        if rest[1] in _IP_READING:
            return SAFE
        if rest[1] in _IP_CHANGING:
            return needs_approval("changes the network of the host")
    return blocked("asks tc for something that is not on the allow list")


def _judge_ethtool(command: Command, _: Command | None) -> Verdict:
    options = [word for word in command.words[1:] if word.startswith("-")]
    if all(
        word in words("-S -i -k -g -c -a -l -m -T -x -n -P --statistics --driver")
        for word in options
    ):
        return SAFE if len(command.words) <= 3 else blocked("sets something while it reads")
    return needs_approval("changes a network card")


def _judge_service(command: Command, _: Command | None) -> Verdict:
    if len(command.words) != 3:
        return blocked("does not name one service and one action")
    if command.words[2] == "status":
        return SAFE
    if command.words[2] in words("start stop restart reload force-reload"):
        return needs_approval(f"{command.words[2]}s the service {command.words[1]}")
    return blocked(f"the action {command.words[2]} is not on the allow list")


def _judge_jcmd(command: Command, _: Command | None) -> Verdict:
    action = command.words[2] if len(command.words) > 2 else "help"
    if action in words(
        "help VM.flags VM.uptime VM.version VM.command_line VM.native_memory VM.info"
        " Thread.print GC.heap_info GC.class_histogram VM.system_properties"
    ):
        return SAFE
    if action in words("GC.run GC.heap_dump JFR.start JFR.stop JFR.dump VM.log"):
        return needs_approval(f"{action} stops or burdens the process")
    return blocked(f"the jcmd action {action} is not on the allow list")


def _judge_vtysh(command: Command, _: Command | None) -> Verdict:
    options, operands = _split_options(command.words[1:], words("-c"))
    orders = [value.split() for name, value in options if name == "-c"]
    if operands or not orders or any(name != "-c" for name, _ in options):
        return blocked("takes its commands from a prompt or a file")
    if all(order and order[0] == "show" for order in orders):
        return SAFE
    if all(order and order[0] in {"show", "clear"} for order in orders):
        return needs_approval("resets sessions or counters of the router")
    return blocked("changes the configuration of the router")


def _judge_tar(command: Command, _: Command | None) -> Verdict:
    if len(command.words) > 1 and re.fullmatch(r"-?t[vzjJf]*", command.words[1]):
        if len(command.words) <= 3:
            return SAFE
        return blocked("uses options of tar that are not on the allow list")
    if len(command.words) > 1 and re.fullmatch(r"-?[cx][vzjJfp]*", command.words[1]):
        if not any(word.startswith("-") for word in command.words[2:]):
            return needs_approval("writes files")
    return blocked("uses options of tar that are not on the allow list")


def _judge_copy(command: Command, _: Command | None) -> Verdict:
    options = {word for word in command.words[1:] if word.startswith("-")}
    if options - words("-a -v -r -p -z -av -avz -n --dry-run --progress -P -q -C"):
        return blocked(f"uses an option of {command.words[0]} that is not on the allow list")
    return needs_approval("copies files to another place")


_CLOUD_READING = words("describe list get search lookup filter head ls read tail help show")
_CLOUD_CHANGING = words(
    "update modify reboot start stop put create set attach detach enable disable restore failover promote"
    " rollback register tag untag add authorize associate resize restart scale increase switchover cp mv sync"
)
_CLOUD_SECRETS = words(
    "get-secret-value get-parameter get-parameters get-session-token get-login-password get-password-data"
    " get-authorization-token get-federation-token get-access-token list-keys show-connection-string print-access-token"
)


def _judge_cloud(command: Command, _: Command | None) -> Verdict:
    """Judge aws, gcloud and az by the first word that is a known action, read from the left."""
    for position, word in enumerate(command.words[1:], start=1):
        if word.startswith("-"):
            break
        if word in _CLOUD_SECRETS:
            return needs_approval("prints credentials")
        first = word.split("-")[0]
        if position >= 2 and first in _CLOUD_READING:
            return SAFE
        if position >= 2 and first in _CLOUD_CHANGING:
            return needs_approval(f"{word} changes a cloud resource")
        if position >= 2 and word not in _CLOUD_GROUPS and not (position == 1):
            return blocked(f"the cloud action {word} is not on the allow list")
    return blocked("names no cloud action before its options")


_CLOUD_GROUPS = words(
    "instances clusters container compute sql operations node-pools services backend-services health-checks"
    " routers networks subnets firewall-rules disks snapshots topics subscriptions revisions functions jobs"
    " nodegroup vm aks webapp network db server flexible-server postgres mysql redis nsg lb monitor metrics"
    " activity-log log-analytics storage account group forwarding-rules target-pools addresses buckets builds"
    " instance-groups managed deployments versions keys"
)

SPECIAL: Mapping[str, Judge] = {
    "aws": _judge_cloud,
    "gcloud": _judge_cloud,
    "az": _judge_cloud,
    "awk": _judge_awk_command,
    "gawk": _judge_awk_command,
    "mawk": _judge_awk_command,
    "clickhouse-client": _clickhouse,
    "cqlsh": _cqlsh,
    "curl": _judge_curl,
    "ethtool": _judge_ethtool,
    "find": _judge_find_command,
    "ip": _judge_ip,
    "jcmd": _judge_jcmd,
    "mariadb": _mysql,
    "mongosh": _judge_mongosh,
    "mysql": _mysql,
    "nc": _judge_nc,
    "ncat": _judge_nc,
    "netcat": _judge_nc,
    "psql": _judge_psql,
    "python3": _judge_python,
    "redis-cli": _judge_redis_cli,
    "rsync": _judge_copy,
    "scp": _judge_copy,
    "sed": _judge_sed_command,
    "service": _judge_service,
    "sqlcmd": _sqlcmd,
    "tar": _judge_tar,
    "tc": _judge_tc,
    "valkey-cli": _judge_redis_cli,
    "vtysh": _judge_vtysh,
    "wget": _judge_wget,
}
"""The judges of this file, by program name."""
