"""Programs that talk to other hosts or configure the network: curl, wget, nc, openssl, ip, tc.

Comes in: a command and the one that feeds it. Goes out: a verdict.
Promise: nothing that this file calls safe sends a file or unknown input away, or writes one.
"""

import re
from collections.abc import Sequence

from agents.logic.safety.arguments import split_options
from agents.logic.safety.parsing import Command
from agents.logic.safety.table import words
from agents.logic.safety.verdict import SAFE, Verdict, blocked, needs_approval, worst

_CURL_VALUES = words(
    "-H --header -m --max-time --connect-timeout -u --user -A --user-agent -X --request -o"
    " --output"
    " -w --write-out -d --data --data-raw --data-urlencode --data-binary --json --cacert --resolve"
    " --retry --retry-delay --retry-max-time --limit-rate --url --unix-socket --connect-to"
    " --interface --max-redirs --request-target -e --referer --tls-max --noproxy --proto --ciphers"
    " -r --range"
)
_CURL_LETTERS = frozenset("sSfkIivLG46gNq")
_CURL_FLAGS = frozenset(f"-{letter}" for letter in _CURL_LETTERS) | words(
    "--silent --show-error --fail --insecure --head --include --verbose --location --get"
    " --compressed"
    " --globoff --http1.1 --http2 --no-buffer --fail-with-body --tlsv1.2 --tlsv1.3 --ipv4 --ipv6"
    " --no-progress-meter"
)
_CURL_DATA = words("-d --data --data-raw --data-urlencode --data-binary --json")
_SECRET_HOSTS = words("169.254.169.254 metadata.google.internal metadata 100.100.100.200")


def judge_curl(command: Command, _: Command | None) -> Verdict:
    """Judge curl by its method, its address and where its output goes."""
    options, operands = split_options(_split_curl_letters(command.words[1:]), _CURL_VALUES)
    for name, value in options:
        problem = _curl_problem(name, value)
        if problem:
            return blocked(problem)
    operands += [value for name, value in options if name == "--url"]
    methods = [value.upper() for name, value in options if name in {"-X", "--request"}]
    names = {name for name, _ in options}
    if not methods:
        has_data = bool(names & _CURL_DATA) and not names & {"-G", "--get"}
        methods = ["POST" if has_data else "GET"]
    method = methods[-1]
    return worst([_judge_http_method(method), *(_judge_request(method, url) for url in operands)])


def _curl_problem(name: str, value: str) -> str:
    if name not in _CURL_VALUES | _CURL_FLAGS:
        return f"the option {name} of curl is not on the allow list"
    if name in {"-o", "--output"} and value != "/dev/null":
        return f"writes what it fetches to {value}"
    if name in {"-w", "--write-out"} and "%output" in value:
        return "writes what it fetches to a file"
    if name in _CURL_DATA | {"-H", "--header", "-w", "--write-out"} and value.startswith("@"):
        return "sends or reads a file"
    if name == "--data-urlencode" and "@" in value:
        return "sends a file"
    return ""


def _split_curl_letters(arguments: Sequence[str]) -> list[str]:
    """Split bundles such as -skXPOST into -s -k -XPOST."""
    split: list[str] = []
    for word in arguments:
        rest = word
        while len(rest) > 2 and rest[0] == "-" and rest[1] in _CURL_LETTERS:
            split.append(rest[:2])
            rest = f"-{rest[2:]}"
        split.append(rest)
    return split


def _judge_http_method(method: str) -> Verdict:
    if method in {"GET", "HEAD", "OPTIONS"}:
        return SAFE
    if method in {"POST", "PUT", "PATCH"}:
        return needs_approval(f"sends an HTTP {method}, which may change the server")
    return blocked(f"sends an HTTP {method}, which may delete what cannot be brought back")


_DESTROYING = words("delete destroy drop truncate purge wipe erase flush flushall shutdown")


def _judge_request(method: str, url: str) -> Verdict:
    """Judge an address together with what is asked of it: some servers delete on a POST."""
    path = url.partition("://")[2].partition("/")[2].partition("?")[0]
    told = _DESTROYING & set(re.split(r"[^a-z]+", path.lower()))
    if method != "GET" and told:
        return blocked(f"asks the server to {min(told)} something")
    return _judge_url(url)


def _judge_url(url: str) -> Verdict:
    match = re.match(r"(?:([a-zA-Z][a-zA-Z0-9+.-]*)://)?(?:[^/@]*@)?([^/:?#]*)", url)
    scheme, host = (match.group(1) or "http", match.group(2)) if match else ("", "")
    if scheme.lower() not in {"http", "https"}:
        return blocked(f"fetches a {scheme or 'strange'} address")
    if host.lower() in _SECRET_HOSTS:
        return needs_approval("may print credentials of the host")
    return SAFE


_WGET_OUTPUT = words("-O --output-document")
_WGET_VALUES = _WGET_OUTPUT | words("-T --timeout -t --tries")
_WGET_FLAGS = words("-q -S --spider -qO- --server-response --no-check-certificate --quiet -nv")


def judge_wget(command: Command, _: Command | None) -> Verdict:
    """Judge wget, which writes a file unless it is told to print."""
    options, operands = split_options(command.words[1:], _WGET_VALUES)
    names = {name for name, _ in options}
    if names - _WGET_VALUES - _WGET_FLAGS:
        return blocked("uses an option of wget that is not on the allow list")
    targets = {value for name, value in options if name in _WGET_OUTPUT}
    prints = "--spider" in names or "-qO-" in names or bool(targets)
    if not prints or targets - {"-", "/dev/null"}:
        return blocked("writes what it fetches to a file")
    return worst(_judge_url(operand) for operand in operands)


_NC_QUESTIONS = words("ruok srvr stat mntr conf cons isro wchs envi stats info ping version")
_NC_LETTERS = frozenset("zvunw46qNt0123456789")


def judge_nc(command: Command, previous: Command | None) -> Verdict:
    """Judge netcat: testing a port, or asking one listed question, is reading."""
    options, _operands = split_options(command.words[1:], words("-w -q -i -G"))
    for name, _value in options:
        if name.startswith("--") or not _NC_LETTERS.issuperset(name[1:]):
            return blocked(f"the option {name} of nc is not on the allow list")
    if any("z" in name for name, _ in options):
        return SAFE
    if not command.reads_input:
        return blocked("opens a connection where anything may be typed")
    if previous is not None and previous.words[0] in {"echo", "printf"}:
        sent = [word.replace("\\r", "").replace("\\n", "") for word in previous.words[1:]]
        if len(sent) == 1 and sent[0] in _NC_QUESTIONS:
            return SAFE
    return blocked("sends data to another host")


_OPENSSL_READING = words("s_client x509 verify version ciphers crl ocsp asn1parse")
_OPENSSL_WRITING = words(
    "-out -engine -provider -provider-path -keyout -writerand -sess_out -keylogfile"
)


def judge_openssl(command: Command, previous: Command | None) -> Verdict:
    """Judge openssl: looking at certificates and at a server's handshake is reading."""
    if len(command.words) < 2 or command.words[1] not in _OPENSSL_READING:
        return blocked("uses openssl for more than looking at certificates")
    for word in command.words[2:]:
        option = "-" + word.lstrip("-") if word.startswith("-") else word
        if option.split("=", 1)[0] in _OPENSSL_WRITING:
            return blocked(f"openssl {word} writes a file or loads code")
    if command.words[1] == "s_client" and command.reads_input:
        is_harmless = (
            previous is not None
            and previous.words[0] in {"echo", "true"}
            and set(previous.words[1:]) <= {"", "-n", "Q"}
        )
        return SAFE if is_harmless else blocked("sends data to another host")
    return SAFE


_READING, _CHANGING = words("show list ls get"), words("add set replace change append del delete")
_IP_OBJECTS = words("a addr address l link r ro route rule n neigh neighbour maddr netns tunnel")
_IP_FLAGS = words("-s -d -4 -6 -br -brief -o -j -json -p -statistics -details -h -c")


def judge_ip(command: Command, _: Command | None) -> Verdict:
    """Judge ip by its object and verb; abbreviated verbs are not read."""
    rest = list(command.words[1:])
    while rest and rest[0] in _IP_FLAGS:
        rest.pop(0)
    if not rest or rest[0] not in _IP_OBJECTS:
        return blocked("asks ip for something that is not on the allow list")
    if len(rest) == 1 or rest[1] in _READING:
        return SAFE
    if rest[0] in {"l", "link"} and rest[1] in {"del", "delete"}:
        return blocked("removes a network interface")
    if rest[1] in _CHANGING:
        return needs_approval("changes the network of the host")
    return blocked(f"ip {rest[0]} {rest[1]} is not on the allow list")


def judge_bridge(command: Command, _: Command | None) -> Verdict:
    """Judge bridge by its object and verb."""
    rest = [word for word in command.words[1:] if word not in words("-s -d -j -p -c")]
    if rest and rest[0] in words("link fdb mdb vlan"):
        if len(rest) == 1 or rest[1] in _READING:
            return SAFE
        if rest[1] in words("add del append replace set"):
            return needs_approval("changes the network of the host")
    return blocked("asks bridge for something that is not on the allow list")


def judge_tc(command: Command, _: Command | None) -> Verdict:
    """Judge tc by its object and verb."""
    rest = [word for word in command.words[1:] if word not in words("-s -d -p -j -statistics")]
    if len(rest) >= 2 and rest[0] in words("qdisc class filter"):
        if rest[1] in _READING:
            return SAFE
        if rest[1] in _CHANGING:
            return needs_approval("changes the network of the host")
    return blocked("asks tc for something that is not on the allow list")


_ETHTOOL_READING = words("-S -i -k -g -c -a -l -m -T -x -n -P --statistics --driver --show-ring")


def judge_ethtool(command: Command, _: Command | None) -> Verdict:
    """Judge ethtool: one listed option and one interface is reading."""
    options = [word for word in command.words[1:] if word.startswith("-")]
    if all(word in _ETHTOOL_READING for word in options):
        return SAFE if len(command.words) <= 3 else blocked("sets something while it reads")
    return needs_approval("changes a network card")


def judge_vtysh(command: Command, _: Command | None) -> Verdict:
    """Judge the router shell by the orders given with -c."""
    options, operands = split_options(command.words[1:], words("-c"))
    orders = [value.split() for name, value in options if name == "-c"]
    if operands or not orders or any(name != "-c" for name, _ in options):
        return blocked("takes its commands from a prompt or a file")
    if all(order and order[0] == "show" for order in orders):
        return SAFE
    if all(order and order[0] in {"show", "clear"} for order in orders):
        return needs_approval("resets sessions or counters of the router")
    return blocked("changes the configuration of the router")
