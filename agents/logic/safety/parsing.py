"""Shell text read as a list of plain commands, or the reason why it cannot be.

Comes in: the text of a command. Goes out: a `Script`, its pipelines of dequoted words.
Promise: what is not literal (variables, substitution, loops, functions, background work, files
written by redirection) or can be read in two ways raises `UnreadableCommandError`; words come out
exactly as the shell would pass them. Nothing is ever executed.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser, Tree

COMMAND_MAX_CHARS = 4000
"""Longer than any command a person would check by eye."""

SYNTAX_MAX_DEPTH = 60
"""Longer chains of commands than this are nothing that a person would check by eye either."""

_PUNCTUATION = frozenset("();<>|&")
_SEPARATORS = frozenset({";", "\n", "&&", "||"})
_SINKS = frozenset({"/dev/null"})
_PROBLEMS = {
    "ansi_c_string": "spells its text in escape codes, so it cannot be read by eye",
    "arithmetic_expansion": "computes part of itself when it runs",
    "brace_expression": "expands braces into other words when it runs",
    "c_style_for_statement": "holds a loop",
    "case_statement": "holds a branch",
    "command_substitution": "runs another command to build its own text",
    "compound_statement": "holds a group of commands in braces",
    "declaration_command": "sets a variable",
    "expansion": "depends on a variable whose value is not known",
    "for_statement": "holds a loop",
    "function_definition": "defines a function",
    "heredoc_redirect": "feeds text to a command through a here-document",
    "herestring_redirect": "feeds text to a command through a here-string",
    "if_statement": "holds a branch",
    "process_substitution": "runs another command to build its own text",
    "simple_expansion": "depends on a variable whose value is not known",
    "subscript": "depends on a variable whose value is not known",
    "unset_command": "changes a variable",
    "variable_assignment": "sets a variable",
    "while_statement": "holds a loop",
}


class UnreadableCommandError(ValueError):
    """The text is no plain sequence of literal commands; the message says why."""


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its words, as the shell would pass them."""

    words: tuple[str, ...]
    assignments: tuple[tuple[str, str], ...] = ()
    reads_input: bool = False
    """True where standard input comes from a pipe or a file."""
    globs: tuple[str, ...] = ()
    """Words with an unquoted pattern: they name files that are known only when it runs."""
    input_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """Pipelines in the order in which they stand."""

    pipelines: tuple[tuple[Command, ...], ...]

    def commands(self) -> Iterator[Command]:
        """Yield each command of each pipeline."""
        for pipeline in self.pipelines:
            yield from pipeline


@lru_cache(maxsize=1)
def _language() -> Language:
    return Language(tree_sitter_bash.language())


def parse_script(text: str) -> Script:
    """Read shell text as pipelines of literal words; raise UnreadableCommandError where it is more.

    The grammar is tree-sitter-bash; its words are compared with those of Python's shlex, since a
    text that two readers split in two ways may be split in a third by the shell.
    """
    _require_plain_characters(text)
    tree: Tree = Parser(_language()).parse(text.encode("ascii"))
    root = tree.root_node
    if root.has_error:
        raise UnreadableCommandError("cannot be parsed as a shell command")
    pipelines: list[tuple[Command, ...]] = []
    _read_statements(root, pipelines)
    if not pipelines:
        raise UnreadableCommandError("holds no command")
    _require_one_reading(text, root)
    return Script(tuple(pipelines))


def _require_plain_characters(text: str) -> None:
    if len(text) > COMMAND_MAX_CHARS:
        raise UnreadableCommandError(f"is longer than {COMMAND_MAX_CHARS} characters")
    for character in text:
        if not (" " <= character <= "~" or character in "\n\t"):
            raise UnreadableCommandError(
                f"holds the character U+{ord(character):04X}, which may look like another one"
            )


def _text(node: Node) -> str:
    return (node.text or b"").decode("ascii")


def _read_statements(node: Node, pipelines: list[tuple[Command, ...]], *, depth: int = 0) -> None:
    """Walk a program, list or subshell and collect its pipelines."""
    if depth > SYNTAX_MAX_DEPTH:
        raise UnreadableCommandError(f"nests syntax more than {SYNTAX_MAX_DEPTH} deep")
    for child in node.children:
        if child.type in {"program", "list", "subshell"}:
            _read_statements(child, pipelines, depth=depth + 1)
        elif child.type in {"command", "redirected_statement", "pipeline", "negated_command"}:
            pipelines.append(tuple(_read_pipeline(child)))
        elif child.type == "comment" or child.type in _SEPARATORS or child.type in {"(", ")"}:
            continue
        elif child.type == "&":
            raise UnreadableCommandError("starts work in the background")
        else:
            raise UnreadableCommandError(_problem(child))


def _problem(node: Node) -> str:
    return _PROBLEMS.get(node.type, f"holds shell syntax that is not allowed ({node.type})")


def _read_pipeline(node: Node, *, reads_input: bool = False) -> Iterator[Command]:
    if node.type == "command":
        yield _read_command(node, reads_input=reads_input)
    elif node.type == "redirected_statement":
        yield from _read_redirected(node, reads_input=reads_input)
    elif node.type in {"pipeline", "negated_command"}:
        is_first = True
        for child in node.children:
            if child.type in {"|", "|&", "!"}:
                continue
            yield from _read_pipeline(child, reads_input=reads_input or not is_first)
            is_first = False
    else:
        raise UnreadableCommandError(_problem(node))


def _read_redirected(node: Node, *, reads_input: bool) -> Iterator[Command]:
    inputs: list[str] = []
    body: Node | None = None
    for child in node.children:
        if child.type == "file_redirect":
            inputs.extend(_read_redirect(child))
        elif body is None and child.type != "heredoc_redirect":
            body = child
        else:
            raise UnreadableCommandError(_problem(child))
    if body is None:
        raise UnreadableCommandError("redirects without a command")
    commands = list(_read_pipeline(body, reads_input=reads_input or bool(inputs)))
    first = commands[0]
    commands[0] = Command(
        first.words, first.assignments, first.reads_input, first.globs, tuple(inputs)
    )
    yield from commands


def _read_redirect(node: Node) -> list[str]:
    """Return the files read; raise where a file or a device would be written."""
    operator, target = "", ""
    for child in node.children:
        if child.type == "file_descriptor":
            continue
        if not child.is_named:
            operator = child.type
        else:
            target = _read_word(child)[0]
    if operator in {">&", "<&"} and target in {"0", "1", "2"}:
        return []
    if operator in {">", ">>", "&>", "&>>", ">|"}:
        if target in _SINKS:
            return []
        raise UnreadableCommandError(f"writes to {target or 'a file'} through a redirection")
    if operator == "<" and target in _SINKS:
        return []
    if operator == "<" and not target.startswith("/dev/"):
        return [target]
    raise UnreadableCommandError("redirects its input or output in a way that is not allowed")


def _read_command(node: Node, *, reads_input: bool) -> Command:
    words: list[str] = []
    assignments: list[tuple[str, str]] = []
    globs: list[str] = []
    for child in node.children:
        if child.type == "variable_assignment":
            assignments.append(_read_assignment(child))
        elif child.type == "command_name":
            inner = child.children[0] if child.children else child
            if inner.type != "word":
                raise UnreadableCommandError("hides the name of the program that it runs")
            word, is_glob = _read_word(inner)
            if is_glob:
                raise UnreadableCommandError("hides the name of the program that it runs")
            words.append(word)
        elif child.type == "file_redirect":
            _read_redirect(child)
        elif child.is_named:
            word, is_glob = _read_word(child)
            globs += [word] if is_glob else []
            words.append(word)
        else:
            raise UnreadableCommandError(_problem(child))
    return Command(tuple(words), tuple(assignments), reads_input, tuple(globs))


def _read_assignment(node: Node) -> tuple[str, str]:
    name, value = "", ""
    for child in node.children:
        if child.type == "variable_name":
            name = _text(child)
        elif child.is_named:
            value = _read_word(child)[0]
        elif child.type != "=":
            raise UnreadableCommandError("appends to a variable")
    return name, value


def _read_word(node: Node) -> tuple[str, bool]:
    """Return a word without its quotes, and whether it is a file pattern."""
    if node.type in {"word", "number"}:
        if node.child_count:
            raise UnreadableCommandError(_problem(node.children[0]))
        return _read_bare(_text(node))
    if node.type == "raw_string":
        return _text(node)[1:-1], False
    if node.type == "string":
        return _read_double_quoted(node), False
    if node.type == "concatenation":
        pieces = [_read_word(child) for child in node.children]
        bare = "".join(_text(child) for child in node.children if child.type in {"word", "number"})
        _require_no_braces(bare)
        return "".join(text for text, _ in pieces), any(is_glob for _, is_glob in pieces)
    raise UnreadableCommandError(_problem(node))


def _require_no_braces(bare: str) -> None:
    if "{" in bare and ("," in bare or ".." in bare):
        raise UnreadableCommandError(_PROBLEMS["brace_expression"])


def _read_bare(text: str) -> tuple[str, bool]:
    _require_no_braces(text)
    letters: list[str] = []
    is_glob = False
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
            escaped = text[position : position + 1]
            if escaped == "\n":
                position += 1
                continue
            if not escaped or escaped.isalnum():
                raise UnreadableCommandError("hides letters behind backslashes")
            letters.append(escaped)
        else:
            is_glob = is_glob or character in "*?["
            letters.append(character)
        position += 1
    return "".join(letters), is_glob


def _read_double_quoted(node: Node) -> str:
    for child in node.children:
        if child.type not in {'"', "string_content"}:
            raise UnreadableCommandError(_problem(child))
    text = _text(node)[1:-1]
    letters: list[str] = []
    position = 0
    while position < len(text):
        if text[position] in "$`":
            raise UnreadableCommandError(_PROBLEMS["expansion"])
        if text[position] == "\\" and text[position + 1 : position + 2] in set('"\\$`\n'):
            position += 1
        letters.append(text[position])
        position += 1
    return "".join(letters)


def _leaves(node: Node) -> Iterator[Node]:
    if node.type in {"word", "number", "raw_string", "string", "concatenation"} or (
        node.type in {"variable_assignment", "file_descriptor"}
    ):
        yield node
        return
    for child in node.children:
        yield from _leaves(child)


def _comparable(word: str) -> str:
    return word.replace("\\", "").replace("\n", "")


def _require_one_reading(text: str, root: Node) -> None:
    """Raise unless shlex splits the text into the same words as the grammar."""
    source = bytearray(text.encode("ascii"))
    for comment in (node for node in _walk(root) if node.type == "comment"):
        source[comment.start_byte : comment.end_byte] = b" " * (
            comment.end_byte - comment.start_byte
        )
    lexer = shlex.shlex(source.decode("ascii"), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        expected = [word for word in map(_comparable, lexer) if not _PUNCTUATION.issuperset(word)]
    except ValueError:
        raise UnreadableCommandError("has quotes that do not end") from None
    read: list[str] = []
    for leaf in _leaves(root):
        if leaf.type == "variable_assignment":
            read.append(_comparable("=".join(_read_assignment(leaf))))
        elif leaf.type == "file_descriptor":
            read.append(_text(leaf))
        else:
            read.append(_comparable(_read_word(leaf)[0]))
    if expected != [word for word in read if not _PUNCTUATION.issuperset(word)]:
        raise UnreadableCommandError("can be read in more than one way")


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)
