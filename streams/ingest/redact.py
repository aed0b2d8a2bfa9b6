"""Takes out of a text what must not leave ingest: secrets, card numbers, people.

Comes in: a line, a shape's text, an instance name. Goes out: the same text with `<kind>` in place
of each secret. Promise: nothing that a pattern below describes is left; redacting again changes
nothing. A pattern runs only where a word that it needs stands in the text: most lines pay for a
look. Own patterns after the formats that the issuers of the tokens publish.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from streams.shape.identifiers import unify_identifiers

Replacement = str | Callable[[re.Match[str]], str]


class Rule(NamedTuple):
    """A pattern, words without one of which it cannot match, and what takes its place."""

    needs: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: Replacement


def luhn(digits: str) -> bool:
    """Tell whether digits pass the checksum of payment cards (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _card(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found.group())
    is_card = 13 <= len(digits) <= 19 and digits[0] in "23456" and luhn(digits)
    return "<card>" if is_card else found.group()


_HARMLESS_WORDS = """
    null none nil true false undefined empty missing required invalid expired incorrect wrong
    unknown failed yes no not is was are for from of in the a an and or to
"""
_HARMLESS = frozenset(_HARMLESS_WORDS.split())


def _assigned(found: re.Match[str]) -> str:
    value = found.group("value").strip("\"'\\,;")
    if not value or value.lower() in _HARMLESS or value.startswith("<"):
        return found.group()
    return f"{found.group('name')}<secret>"


def _named(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_TOKEN_RULES = tuple(
    Rule(needs, re.compile(pattern), "<token>")
    for needs, pattern in (
        (("AKIA", "ASIA", "AROA", "AIDA"), r"(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{12,}"),
        (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{16,}"),
        (("github_pat_",), r"github_pat_[A-Za-z0-9_]{16,}"),
        (("glpat-",), r"glpat-[A-Za-z0-9_-]{16,}"),
        (("xox", "xapp-"), r"(?:xox[a-z]|xapp)-[A-Za-z0-9-]{8,}"),
        (("hooks.slack.com",), r"hooks\.slack\.com/[A-Za-z]+/[A-Za-z0-9/_-]+"),
        (("AIza",), r"AIza[0-9A-Za-z_-]{30,}"),
        (("ya29.",), r"ya29\.[0-9A-Za-z_-]{16,}"),
        (("GOCSPX-",), r"GOCSPX-[A-Za-z0-9_-]{16,}"),
        (("k_live_", "k_test_"), r"[srp]k_(?:live|test)_[0-9A-Za-z]{8,}"),
        (("whsec_",), r"whsec_[0-9A-Za-z]{8,}"),
        (("sk-",), r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{20,}"),
        (("hf_",), r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{20,}"),
        (("npm_",), r"npm_[A-Za-z0-9]{30,}"),
        (("pypi-",), r"pypi-[A-Za-z0-9_-]{30,}"),
        (("dop_v", "doo_v", "dor_v"), r"do[opr]_v1_[0-9a-f]{32,}"),
        (("SG.",), r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
        (("hvs.", "hvb."), r"hv[sb]\.[A-Za-z0-9_-]{20,}"),
        (("eyJ",), r"eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4}"),
    )
)
_EXACT_RULES = (
    Rule(
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----"
            r"(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|.*)",
            re.DOTALL,
        ),
        "<private-key>",
    ),
    Rule(("://",), re.compile(r"(?<=://)[^\s/?#\"'<>:]*:[^\s\"'<>]*@"), "<credentials>@"),
    *_TOKEN_RULES,
)
"""Words are looked for as they are written."""

_VALUE = r"(?P<value>\\?\"(?:[^\"\\]|\\[^\"])*(?:\\?\"|$)|'[^']*(?:'|$)|[^\s,;&\"'<>)\]}]+)"
_NAMES = (
    r"pass(?:word|wd|phrase|code)s?|(?<![a-z])pass|passwort|(?<![a-z])pwd|userpwd"
    r"|secret(?:[_-]?key|[_-]?access[_-]?key)?|token|api[_-]?key|(?:access|private|account)[_-]?key"
    r"|(?:encryption|signing|shared)[_-]?key|credentials?|session[_-]?id|(?<![a-z])sid|cookie"
    r"|connection[_-]?string|signature|(?<![a-z])sig|jwt"
)
_FLAT_RULES = (
    Rule(
        (
            "pass", "pwd", "secret", "token", "apikey", "accesskey", "privatekey", "accountkey",
            "encryptionkey", "signingkey", "sharedkey", "credential", "sessionid", "sid=", "cookie",
            "connectionstring", "signature", "sig=", "jwt",
        ),
        _named(rf"(?P<name>(?:{_NAMES})\\?[\"']?\s?(?:=>|:=|[:=])\s?){_VALUE}"),
        _assigned,
    ),
    Rule(
        ("bearer", "basic", "negotiate"),
        _named(
            r"\b(?P<scheme>bearer|basic|negotiate)(?P<gap>[ :=]+)"
            r"(?!auth|realm|information)[A-Za-z0-9+/_.~-]{8,}=*"
        ),
        r"\g<scheme>\g<gap><secret>",
    ),
    Rule(
        ("authorization",),
        _named(
            r"(?P<name>authorization\\?[\"']?\s?[:=]\s?\\?[\"']?)"
            r"(?!<|(?:bearer|basic|negotiate)[ :=])"
            r"(?P<value>[^\s\"',;<]+(?: [A-Za-z0-9+/_.~=-]{8,})?)"
        ),
        _assigned,
    ),
    Rule(
        ("password", "passwd", "identified by"),
        _named(r"(?P<name>\b(?:identified by|password|passwd) )(?P<value>'[^']*'|\"[^\"]*\")"),
        _assigned,
    ),
    Rule(
        ("pass ", "password ", "passwd ", "token ", "secret ", "apikey ", "pwd "),
        _named(
            r"(?P<name>(?<![\w-])--?"
            r"(?:password|passwd|pass|(?:\w+-)?token|(?:\w+-)?secret|api-key|pwd) )"
            r"(?P<value>[^\s<-]\S*)"
        ),
        _assigned,
    ),
)  # fmt: skip
"""Words are looked for in the text in lower case, without `_` and `-`."""

_PERSON_RULES = (
    Rule(
        ("@",),
        re.compile(
            r"[\w.!#$%&'*+/?^`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z][A-Za-z0-9-]{1,62}"
        ),
        "<email>",
    ),
    Rule(
        ("/home/", "/Users/", "\\Users\\", "/users/", "Documents and Settings\\"),
        _named(
            r"(?P<root>/home/|(?:^|(?<=[\s\"'(=:]))/users/|\b[a-z]:(?:/|\\{1,2})users(?:/|\\{1,2})"
            r"|documents and settings\\{1,2})(?P<value>[^/\\\s:\"'<>|,;()]+)"
        ),
        r"\g<root><user>",
    ),
)
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBERS = ("0" * 13, "0000-0000", "0000 0000", "0000-000000-0", "0000 000000 0")
_IPS = (
    re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"),
    re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])"),
    re.compile(
        r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?::"
        r"(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?(?![\w:])"
    ),
)


def _hint(rules: tuple[Rule, ...]) -> re.Pattern[str]:
    """Return one pattern that finds any word that any of the rules needs."""
    words = sorted({word for rule in rules for word in rule.needs})
    return re.compile("|".join(map(re.escape, words)))


_EXACT_HINT = _hint(_EXACT_RULES)
_FLAT_HINT = _hint(_FLAT_RULES)


_LONG_NUMBER_HINT = re.compile("|".join(_LONG_NUMBERS).encode())
_REMEMBERED = 20_000
_REMEMBERED_LENGTH = 1_024


class Hints(NamedTuple):
    """Which kinds of rules may find something in a text."""

    exact: bool
    named: bool
    person: bool
    number: bool


class Redactor:
    """Redacts texts by one set of options; remembers for a bounded number what may be in them."""

    def __init__(self, *, redact_ips: bool = False) -> None:
        self._redact_ips = redact_ips
        self._hints: dict[bytes, Hints] = {}

    def redact(self, text: str) -> str:
        """Return `text` without secrets; the same text where it holds none."""
        # No word that a rule needs has a digit, so texts that differ in digits alone are alike.
        zeros = text.encode("ascii", "replace").translate(_ZEROS)
        hints = self._hints.get(zeros) or self._look(text, zeros)
        if True in hints:
            text = self._apply(text, zeros, hints)
        if self._redact_ips:
            for pattern in _IPS:
                text = pattern.sub("<ip>", text)
        return text

    def _look(self, text: str, zeros: bytes) -> Hints:
        # Nor does one lie in a word of eight hexadecimal characters, or reach into it: texts that
        # differ in such words are alike too, but for the long numbers that may stand in them.
        number = _LONG_NUMBER_HINT.search(zeros) is not None
        unified = unify_identifiers(zeros)
        alike = self._hints.get(unified)
        if alike is not None:
            hints = alike._replace(number=number)
        else:
            flat = text.lower().replace("_", "").replace("-", "")
            hints = Hints(
                _EXACT_HINT.search(text) is not None,
                _FLAT_HINT.search(flat) is not None,
                any(word in text for rule in _PERSON_RULES for word in rule.needs),
                number,
            )
        if len(zeros) <= _REMEMBERED_LENGTH:
            if len(self._hints) >= _REMEMBERED:
                self._hints.clear()
            self._hints[zeros] = hints
            self._hints.setdefault(
                unified, hints._replace(number=_LONG_NUMBER_HINT.search(unified) is not None)
            )
        return hints

    def _apply(self, text: str, zeros: bytes, hints: Hints) -> str:
        before = text
        if hints.exact:
            text = _apply(_EXACT_RULES, text, text)
        if hints.named:
            text = _apply(_FLAT_RULES, text, text.lower().replace("_", "").replace("-", ""))
        if hints.person:
            text = _apply(_PERSON_RULES, text, text)
        if text is before and not hints.exact and zeros in self._hints and text.isascii():
            # These rules name no digit, so they find nothing in texts with other digits either.
            self._hints[zeros] = Hints(False, False, False, hints.number)
        return _CARD.sub(_card, text) if hints.number else text


def _apply(rules: tuple[Rule, ...], text: str, hay: str) -> str:
    for needs, pattern, replacement in rules:
        for word in needs:
            if word in hay:
                text = pattern.sub(replacement, text)
                break
    return text
