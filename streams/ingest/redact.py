"""Takes out of a text what must not leave ingest: secrets, card numbers, people.

Comes in: a line, a shape's text, an instance name. Goes out: the same text with `<kind>` in place
of each secret. Promise: nothing that a pattern below describes is left; redacting twice is no change.
A pattern runs only where a word that it needs stands in the text: most lines pay for a look.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

_NAMES = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|apikey|access[_-]?key"
    r"|secret[_-]?key|private[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token"
    r"|client[_-]?secret|credentials?|session[_-]?id|sessionid|cookie|connection[_-]?string"
    r"|account[_-]?key|shared[_-]?access[_-]?key|encryption[_-]?key|signature|sig|passwort|jwt|bearer"
)
_WORDS = (
    "pass", "pwd", "secret", "token", "key", "credential", "session", "cookie",
    "connection", "sig", "jwt", "bearer",
)  # fmt: skip
_HARMLESS = frozenset(
    "null none nil true false undefined empty missing required invalid expired incorrect wrong"
    " unknown failed redacted yes no not is was are for from of in the a an and or to".split()
)
_TOKENS = (
    (("AKIA", "ASIA", "AROA", "AIDA", "ABIA", "ACCA"), r"\b(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[0-9A-Z]{12,}"),
    (("gh",), r"\bgh[pousr]_[A-Za-z0-9]{16,}"),
    (("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{16,}"),
    (("glpat-",), r"\bglpat-[A-Za-z0-9_-]{16,}"),
    (("xox", "xapp-"), r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{8,}"),
    (("hooks.slack.com",), r"hooks\.slack\.com/[A-Za-z]+/[A-Za-z0-9/_-]+"),
    (("AIza",), r"AIza[0-9A-Za-z_-]{30,}"),
    (("ya29.",), r"\bya29\.[0-9A-Za-z_-]{16,}"),
    (("GOCSPX-",), r"\bGOCSPX-[A-Za-z0-9_-]{16,}"),
    (("k_live_", "k_test_", "whsec_"), r"\b(?:[srp]k_(?:live|test)_|whsec_)[0-9A-Za-z]{8,}"),
    (("sk-",), r"\bsk-[A-Za-z0-9_-]{20,}"),
    (("hf_",), r"\bhf_[A-Za-z0-9]{20,}"),
    (("npm_",), r"\bnpm_[A-Za-z0-9]{30,}"),
    (("pypi-",), r"\bpypi-[A-Za-z0-9_-]{30,}"),
    (("dop_v1_", "doo_v1_"), r"\bdo[op]_v1_[0-9a-f]{32,}"),
    (("SG.",), r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    (("hvs.", "hvb."), r"\bhv[sb]\.[A-Za-z0-9_-]{20,}"),
    (("eyJ",), r"eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4}"),
)  # fmt: skip


class _Rule(NamedTuple):
    """A pattern, the words without one of which it cannot match, and what takes its place."""

    needs: tuple[str, ...]
    folded: bool
    pattern: re.Pattern[str]
    replace: str | Callable[[re.Match[str]], str]


def luhn(digits: str) -> bool:
    """Tell whether the digits pass the checksum of payment cards (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _card(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found.group())
    is_card = 13 <= len(digits) <= 19 and digits[0] in "23456" and luhn(digits)
    return "<card>" if is_card else found.group()


def _assigned(found: re.Match[str]) -> str:
    value = found.group("value")
    bare = value.strip("\"'\\,;")
    if bare.lower() in _HARMLESS or bare.startswith("<") or not bare:
        return found.group()
    return f"{found.group('name')}<secret>"


_RULES: tuple[_Rule, ...] = (
    _Rule(
        ("PRIVATE KEY",), False,
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----"
            r"(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|.*)", re.DOTALL,
        ),
        "<private-key>",
    ),
    _Rule(("://",), False, re.compile(r"(?<=://)[^\s/?#\"'<>]*:[^\s\"'<>]*@"), "<credentials>@"),
    *(_Rule(needs, False, re.compile(pattern), "<token>") for needs, pattern in _TOKENS),
    _Rule(
        ("bearer", "basic", "digest", "negotiate"), True,
        re.compile(r"(?i)\b(?P<scheme>bearer|basic|negotiate|apikey|token)(?P<gap>[ :=]+)[A-Za-z0-9+/_.~-]{8,}=*"),
        r"\g<scheme>\g<gap><secret>",
    ),
    _Rule(
        ("authorization",), True,
        re.compile(r"(?i)(?P<name>authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)(?!<)[^\s\"',;]+(?: [A-Za-z0-9+/_.~=-]{8,})?"),
        r"\g<name><secret>",
    ),
    _Rule(
        _WORDS, True,
        re.compile(
            rf"(?i)(?P<name>(?:(?<![A-Za-z])|(?<=[_-])|(?<=[a-z](?=[A-Z])))(?:[A-Za-z0-9]+[_-]){{0,4}}?(?:{_NAMES})\\?[\"']?\s*(?:[:=]|=>|:=)\s*)"
            r"(?P<value>\\?\"(?:[^\"\\]|\\[^\"])*\\?\"?|'[^']*'?|[^\s,;&\"'<>)\]}]+)"
        ),
        _assigned,
    ),
    _Rule(
        ("password", "passwd", "identified by"), True,
        re.compile(r"(?i)(?P<name>\b(?:identified by|password|passwd) )(?P<value>'[^']*'|\"[^\"]*\")"),
        _assigned,
    ),
    _Rule(
        ("--pass", "--token", "--secret", "--api-key", "--pwd"), True,
        re.compile(r"(?i)(?P<name>--(?:password|passwd|pass|token|secret|api-key|pwd)[ =])(?P<value>\S+)"),
        _assigned,
    ),
    _Rule(
        ("@",), False,
        re.compile(r"[\w.!#$%&'*+/?^`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z][A-Za-z0-9-]{1,62}"),
        "<email>",
    ),
    _Rule(
        ("/home/", "/users/", "\\users\\", "documents and settings"), True,
        re.compile(
            r"(?i)(?P<root>/home/|(?:/|\b[a-z]:/)users/|\\{1,2}users\\{1,2}|documents and settings\\{1,2})"
            r"(?!<)(?P<name>[^/\\\s:\"'<>|,;()]+)"
        ),
        r"\g<root><user>",
    ),
)  # fmt: skip
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d])")
_ZEROS = str.maketrans("123456789", "0" * 9)
_LONG_NUMBERS = ("0000000000000", "0000-0000", "0000 0000", "000000-00000", "000000 00000")
_IPS = (
    re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)"),
    re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])"),
    re.compile(
        r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?::"
        r"(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?(?![\w:])"
    ),
)


class Redactor:
    """Redacts texts by one set of options."""

    def __init__(self, *, redact_ips: bool = False) -> None:
        self._redact_ips = redact_ips

    def redact(self, text: str) -> str:
        """Return `text` without secrets; the same text where it holds none."""
        folded = text.lower()
        for needs, fold, pattern, replace in _RULES:
            hay = folded if fold else text
            for word in needs:
                if word in hay:
                    text = pattern.sub(replace, text)
                    break
        zeros = text.translate(_ZEROS)
        if any(run in zeros for run in _LONG_NUMBERS):
            text = _CARD.sub(_card, text)
        if self._redact_ips:
            for pattern in _IPS:
                text = pattern.sub("<ip>", text)
        return text
