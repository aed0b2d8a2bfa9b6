"""Mask what varies in a line, token by token, with a bounded cache of tokens.

Comes in: text in which every digit is `0`. Goes out: the same words with `<*>` in place of what
varies by its type alone: numbers, hexadecimal, addresses, hosts with ports, paths, URLs,
identifiers with digits, values of booleans, names behind `user`. Words without such a type stay:
whether they vary is seen from many lines (`agents/logic/templates.py`).
"""

import re

WILDCARD = "<*>"
TOKEN_LIMIT = 96
"""A line's tokens beyond this many are left out of its shape."""
_REMEMBERED_LENGTH = 256

_EMPTY = {"()": "(<*>)", "[]": "[<*>]", "{}": "{<*>}", '""': '"<*>"', "''": "'<*>'"}
_OPENERS = "([{<\"'`"
_CLOSERS = ")]}>\"'`,;:.!?"
_TLD = (
    "com|net|org|edu|gov|mil|int|info|biz|dev|cloud|local|localdomain|localhost|internal|lan|corp"
)
_COUNTRY = (
    "ae|ar|at|au|be|bg|br|ca|ch|cl|cn|co|cz|de|dk|ee|es|eu|fi|fr|gr|hk|hr|hu|ie|il|io|ir|it|jp"
    "|kr|kz|lt|lu|lv|mx|my|nl|no|nz|pe|ph|pk|pl|pt|ro|ru|sa|se|sg|si|sk|th|tr|tv|tw|ua|uk|us|ve"
    "|vn|za"
)
_WHOLE = re.compile(
    r"(?:[-+~<>#@$]{0,2}0[0.,:/_%+*xX#-]*"  # numbers, dates, times, ratios
    r"|0+[/-](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[/-]0+(?::[0:.]+)?"
    r"|[@#]?0[xX][0-9a-fA-F]+"
    r"|[0-9a-fA-F]{8,}"
    r"|[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5,}"  # MAC and longer
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){3,7}(?:%\w+|\+0+)?"  # IPv6
    r"|(?=[^0]*0)[0-9a-fA-F:]*::[0-9a-fA-F:]*(?:%\w+)?"
    r"|[A-Za-z]:\\.*|\\\\?[^\\]+\\.*"  # Windows paths
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # mail
    rf"|(?:[A-Za-z0-9_-]+\.)+(?:{_TLD})\.?(?::0+)?"  # hosts
    rf"|(?:[A-Za-z0-9_-]+\.){{2,}}(?:{_COUNTRY})\.?(?::0+)?"
    rf"|[a-z0-9-]+\.(?:{_COUNTRY}):0+"
    r")"
)
_SIZE_OR_RATE = re.compile(r"[-+]?[0.,]*0[0.,]*(?:[KMGTP]i?B?|[kKMGT]?[bB]|[kMG]?Hz|%)(?:/s)?")
_DURATION = re.compile(
    r"[-+]?[0.,]*0[0.,]*(ns|us|\xc2\xb5s|\xb5s|ms|s|sec|secs|m|min|mins|h|hr|hrs|d)"
)
_GO_DURATION = re.compile(r"(?:0[0.]*(?:h|m|s|ms|us|ns|\xc2\xb5s)){2,}")
_FILE_LINE = re.compile(
    r"[\w$./-]+\.(?:java|py|go|cc?|cpp|cxx|hh?|hpp|rs|rb|jsx?|tsx?|php|scala|kt|cs|p[lm]|sh|erl?|exs?"
    r"|clj|lua|swift|mm?|xml|conf|cfg|ya?ml|json|sql|vb):0+(?::0+)?"
)
_HOST_PORT = re.compile(
    r"(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*:0+|[A-Za-z][A-Za-z0]*-[\w-]+:0+|localhost:0+"
)
_PACKAGE = re.compile(r"(?:org|com|net|io|java|javax|sun|scala|akka|kafka)\.")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://).*", re.DOTALL)
_PATH = re.compile(
    r"(?:[\w.-]+/){2,}[\w.$-]*|[\w-]+(?:\.[\w-]+)+/[\w.$-]+|/[^\s/]+/.*|~/.*|\.{1,2}/.*", re.DOTALL
)
_INNER_PATH = re.compile(
    r"(?:[\w.-]+/){2,}[\w.$-]*|[\w-]+(?:\.[\w-]+)+/[\w.$-]+|(?<=[(\[{\"'=:,])/[^\s/()\[\]{}\"',]+/[^\s()\[\]{}\"',]*"
)
_RUN = re.compile(r"(?<![\w$])-?[\w$~+%.-]*0[\w$~+%.-]*")
_NAMED = re.compile(r"([A-Za-z_]+)0{1,2}([A-Za-z_]{2,})")
_HEX_RUN = re.compile(r"[0-9a-fA-F]{6,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BOOLEAN = frozenset({"true", "false", "null", "nil", "none", "undefined", "nan", "yes", "no"})
_KEY = re.compile(r"[A-Za-z_@][\w.\-@/]*$")
_WORD_TAIL = re.compile(r"[.,;:)\]]*$")
_PREPOSITIONS = frozenset({"from", "by", "at", "on", "with", "via"})
_BEFORE_USER = frozenset({"for", "invalid", "illegal", "unknown"})

_REQUEST = re.compile(r"\b(GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS) /[^\s\"']*")
_MONTH = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    "|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_DATE = re.compile(
    r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:day|sday|nesday|rsday|urday)?,? )?"
    rf"(?:{_MONTH} <\*>|<\*> {_MONTH}\b)(?:,? <\*>(?![^\s,;)\]]))*"
)
_ANSWER = re.compile(r"(?<=[:=] )(?:true|false|null)(?=[\s,;)\]}]|$)")
_REPEATED = re.compile(r"(?<!\S)([^\s<]*<\*>)(?:,? \1(?![^\s,;)\]]))+")
_UNIT = re.compile(
    r"<\*>(?: (?:[KMGTPk]?i?[bB](?:ps|/s)?|secs?|s)"
    r"|(?:[num\xb5]s|\xc2\xb5s|secs?|mins?|hrs?|[smhd]))(?=[^\w]|$)"
)
_RESTATED = re.compile(r"(<\*> bytes) \(<\*>\)")


def mask_token(token: str) -> str:
    """Return one token (no spaces in it) with what varies by type replaced by `<*>`."""
    if token.isalpha() and not (len(token) > 7 and _WHOLE.fullmatch(token)):
        return token
    opened = token.lstrip(_OPENERS)
    core = opened.rstrip(_CLOSERS)
    if not core:
        return _EMPTY.get(token, token)
    head, tail = token[: len(token) - len(opened)], opened[len(core) :]
    if head.endswith("<") and core[0] == "0":
        head = head[:-1]
    return head + _mask_core(core) + tail


def _mask_core(core: str) -> str:
    """Mask a token that has lost its brackets and punctuation."""
    if _WHOLE.fullmatch(core):
        return _keep_port(core)
    if _SIZE_OR_RATE.fullmatch(core):
        return WILDCARD
    duration = _DURATION.fullmatch(core)
    if duration is not None:
        return WILDCARD + duration.group(1)
    if _GO_DURATION.fullmatch(core):
        return WILDCARD
    url = _URL.fullmatch(core)
    if url is not None:
        return url.group(1) + WILDCARD
    if "/" in core and _PATH.fullmatch(core):
        return WILDCARD
    key, equals, value = core.partition("=")
    if equals and _KEY.fullmatch(key):
        return f"{_mask_runs(key)}={_mask_value(value)}"
    if "/" in core and core[0] != "/":
        core = _INNER_PATH.sub(WILDCARD, core)
    if "0" not in core:
        return core
    if _FILE_LINE.fullmatch(core):
        return _mask_runs(core.rpartition(":")[0]) + ":" + WILDCARD
    if _HOST_PORT.fullmatch(core) and not _PACKAGE.match(core):
        return f"{WILDCARD}:{WILDCARD}"
    if core.count("/") > 1 and core[0] != "<" and "=" not in core and ":" not in core:
        return WILDCARD
    return _mask_runs(core)


def _keep_port(core: str) -> str:
    """Write an address with a port as two values, and all other typed tokens as one."""
    address, colon, port = core.rpartition(":")
    if colon and port and not port.strip("0") and (address.count(".") == 3 or "0" not in address):
        return f"{WILDCARD}:{WILDCARD}"
    if colon and port and not port.strip("0") and any(map(str.isalpha, address)) and "." in address:
        return f"{WILDCARD}:{WILDCARD}"
    return WILDCARD


def _mask_value(value: str) -> str:
    """Mask the right side of `key=value`."""
    if not value:
        return value
    if value.lower().strip(",;)]}\"'") in _BOOLEAN:
        bare = value.strip(",;)]}\"'")
        return value.replace(bare, WILDCARD)
    return mask_token(value)


def _mask_runs(core: str) -> str:
    """Mask each run of word characters that holds a digit; separators between runs stay."""
    if "0" not in core:
        return core
    return _RUN.sub(_mask_run, core)


def _mask_run(found: re.Match[str]) -> str:
    """Mask one run: all of it where it has a type, else what stands behind its first letters."""
    whole = found.group()
    run = whole.rstrip(".")
    tail = whole[len(run) :]
    if run[0].isalpha() and run[-1] == "0":
        # Nothing else that begins with a letter and ends with a digit has a type of its own.
        if _HEX_RUN.fullmatch(run):
            return WILDCARD + tail
    else:
        if _WHOLE.fullmatch(run) or _SIZE_OR_RATE.fullmatch(run) or _HEX_RUN.fullmatch(run):
            return WILDCARD + tail
        duration = _DURATION.fullmatch(run)
        if duration is not None:
            return WILDCARD + duration.group(1) + tail
        named = _NAMED.fullmatch(run)
        if named is not None:
            return f"{named.group(1)}{WILDCARD}{named.group(2)}{tail}"
    prefix = run[: run.index("0")]
    if prefix[:-1].endswith(("_", "-", ".")) or prefix == "-":
        prefix = prefix.rstrip("-")
    return prefix + WILDCARD + tail


class _MaskedTokens(dict[str, str]):
    """Tokens and their masks; makes what is missing; one full generation is kept behind."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity
        self.older: dict[str, str] = {}

    def __missing__(self, token: str) -> str:
        masked = self.older.get(token)
        if masked is None:
            masked = mask_token(token)
        if len(token) <= _REMEMBERED_LENGTH:
            if len(self) >= self._capacity:
                self.older = dict(self)
                self.clear()
            self[token] = masked
        return masked


class Masker:
    """Masks the content of lines; remembers at most `2 * token_capacity` tokens."""

    def __init__(self, token_capacity: int = 32_768) -> None:
        self._tokens = _MaskedTokens(token_capacity)

    @property
    def cached_tokens(self) -> int:
        """How many tokens are remembered."""
        return len(self._tokens) + len(self._tokens.older)

    def mask_words(self, words: list[str]) -> str:
        """Return the words of a content, split at single spaces, each masked, joined again."""
        if len(words) > TOKEN_LIMIT:
            words = words[:TOKEN_LIMIT]
        known = self._tokens
        return " ".join([known[word] for word in words])


def join_masked(masked: str) -> str:
    """Write masked words as a shape's text: what neighbours say about each other.

    White space becomes single, a run of values one value, a size or a duration loses its unit,
    a date its words, a user the name.
    """
    words = masked.split()
    text = " ".join(words)
    if "user " in text or "User " in text:
        text = " ".join(_hide_users(words))
    if " /" in text:
        text = _REQUEST.sub(r"\1 " + WILDCARD, text)
    if ": " in text or "= " in text:
        text = _ANSWER.sub(WILDCARD, text)
    if WILDCARD in text:
        text = _DATE.sub(WILDCARD, text)
        text = _REPEATED.sub(r"\1", text)
        text = _UNIT.sub(WILDCARD, text)
        text = _RESTATED.sub(r"\1", text)
    return text


def _hide_users(masked: list[str]) -> list[str]:
    """Replace the word behind `user` where a name must stand: `for user X`, `user X from`."""
    hidden = list(masked)
    last = len(masked) - 1
    for index, token in enumerate(masked):
        if index == last or token not in ("user", "User"):
            continue
        before = masked[index - 1].lower() if index else ""
        after = masked[index + 2] if index + 2 <= last else ""
        if before in _BEFORE_USER or after in _PREPOSITIONS:
            name = masked[index + 1]
            bare = _WORD_TAIL.sub("", name)
            if bare and bare != "name":
                hidden[index + 1] = WILDCARD + name[len(bare) :]
    return hidden
