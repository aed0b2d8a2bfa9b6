"""What the small languages inside a command do: awk programs, sed scripts, find expressions.

Comes in: the text given to the tool. Goes out: a verdict.
Promise: a program that could run another command, or write a file, is blocked.
"""

import re

from agents.logic.safety.table import words
from agents.logic.safety.verdict import SAFE, Verdict, blocked

_AWK_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(?P<regex>/(?:[^/\\\n\[]|\\.|\[[^\]\n]*\])+/)"""
    r"""|(?P<operator>\|\||&&|>=|<=|==|!=|!~|\+\+|--|[-+*/%^]=|>>|[-+*/%^!<>~?:;,(){}\[\]$=|])"""
)
_AWK_FUNCTIONS = words(
    "print printf length substr index split sub gsub match sprintf tolower toupper int sin cos"
    " exp log"
    " sqrt rand srand strftime systime mktime asort asorti gensub strtonum"
)
_AWK_KEYWORDS = words(
    "BEGIN END if else while for in do break continue next exit delete getline function func return"
)

_AWK_BEFORE_REGEX = frozenset({"", "(", ",", "{", "!", "~", "!~", ";", "&&", "||"})
"""After any other token a slash divides, and what follows it is code."""


def judge_awk(program: str) -> Verdict:
    """Judge an awk program: only expressions, `print` to standard output and listed functions."""
    position, previous, is_printing, depth = 0, "", False, 0
    while position < len(program):
        match = _AWK_TOKEN.match(program, position)
        token = match.group() if match else program[position]
        kind = match.lastgroup if match else None
        if kind == "regex" and previous not in _AWK_BEFORE_REGEX:
            match, kind, token = None, "operator", "/"
        if match is None and token != "/":
            return blocked("holds an awk program that cannot be read")
        position = match.end() if match else position + 1
        if kind == "space":
            is_printing = is_printing and "\n" not in token
            continue
        if kind == "name":
            if token in {"getline", "system", "close", "fflush", "function", "func"}:
                return blocked(f"uses {token} in awk, which may run commands or files")
            if (
                program[position : position + 1] == "("
                and token not in _AWK_FUNCTIONS | _AWK_KEYWORDS
            ):
                return blocked(f"calls the unknown awk function {token}")
            is_printing = is_printing or token in {"print", "printf"}
        if token == "|":
            return blocked("pipes from awk into another command")
        depth += (token in {"(", "["}) - (token in {")", "]"})
        if token in {">", ">>"} and is_printing and depth == 0:
            return blocked("writes a file from awk")
        if token in {";", "}"}:
            is_printing = False
        previous = token
    return SAFE


_SED_ADDRESS = r"(?:\d+|\$|/(?:[^/\\\n]|\\.)+/)"
_SED_COMMAND = re.compile(
    rf"\s*(?:{_SED_ADDRESS}(?:,(?:{_SED_ADDRESS}|\+\d+))?)?\s*!?\s*"
    r"(?:[pdq=]|s(?P<mark>[/|,#:])(?:(?!(?P=mark))[^\\\n]|\\.)*(?P=mark)"
    r"(?:(?!(?P=mark))[^\\\n]|\\.)*(?P=mark)[gpiI0-9]*)\s*(?:;|\Z)"
)


def judge_sed(script: str) -> Verdict:
    """Judge a sed script: only printing, deleting and substituting lines of its output."""
    position = 0
    while position < len(script):
        match = _SED_COMMAND.match(script, position)
        if match is None or match.end() == position:
            return blocked("holds a sed script that is more than printing and substituting")
        position = match.end()
    return SAFE


_FIND_TESTS = words(
    "-name -iname -path -ipath -regex -iregex -wholename -type -size -mtime -mmin -atime -amin"
    " -ctime -cmin -newer"
    " -user -group -perm -maxdepth -mindepth -links -inum -empty -readable -writable -executable"
    " -xdev -mount"
    " -depth -not -o -a -or -and -print -print0 -ls -printf -prune -quit -follow -daystart -L -H"
    " -P -nouser"
    " -nogroup -regextype -newermt -true -false"
)


def judge_find(arguments: tuple[str, ...]) -> Verdict:
    """Judge a find expression: only listed tests and printing actions."""
    for word in arguments:
        if (
            word.startswith("-")
            and len(word) > 1
            and not word[1].isdigit()
            and word not in _FIND_TESTS
        ):
            return blocked(f"find {word} deletes, writes or runs something, or is not known")
    return SAFE
