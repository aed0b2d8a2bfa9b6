"""Log files as they lie on a disk: opened in whatever encoding, lines in order of event time.

Comes in: FILE or SERVICE=FILE, as a person names them. Goes out: lines with service and instance.
Promise: a file that cannot be a log is refused in one sentence before anything is sent.
"""

import codecs
import gzip
import heapq
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from math import inf
from pathlib import Path
from typing import BinaryIO

from schemas.services import SERVICE_PATTERN, ServiceName
from streams.errors import InputError
from streams.ingest.eventtime import stamp_ms
from streams.shape.shaper import Shaper

PROBE_BYTES = 65_536
MAX_LINE_BYTES = 2 << 20
"""What is longer is cut here; ingest cuts again at its own limit, and counts the line as cut."""
BINARY_SHARE = 0.1
STAMP_PROBE_LINES = 1_000
FUTURE_TOLERANCE_MS = 300_000
"""As the default of OPSPILOT_INGEST__FUTURE_TOLERANCE_MS."""
_UTF16_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\b\x1b")


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file and whose lines it holds."""

    path: Path
    service: str
    """`environment/namespace/service`"""

    @property
    def key(self) -> str:
        """The key of its raw records: service and instance, so that its lines stay in order."""
        return f"{self.service}/{self.path.name}"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line on its way to Kafka."""

    file: LogFile
    text: str
    read_bytes: int
    """How many bytes of the file it took, its end included."""
    event_ms: int | None
    """Its own stamp; None where it has none and none was asked for."""


def parse_sources(words: Sequence[str], service: str | None = None) -> list[LogFile]:
    """Read `FILE` or `SERVICE=FILE`; raises InputError for one that is missing, empty or binary.

    The service is `service` where given, else the word before `=`, else the file's stem.
    """
    files = [_parse(word, service) for word in words]
    keys = [file.key for file in files]
    for file in files:
        if keys.count(file.key) > 1:
            raise InputError(
                f"two files named {file.path.name} of service {file.service} would be mixed: "
                "give them different services, as in web1=a/app.log web2=b/app.log"
            )
        check_readable(file.path)
    return files


def _parse(word: str, service: str | None) -> LogFile:
    path, name = Path(word), None
    if "=" in word and not _exists(path):
        name, _, rest = word.partition("=")
        path = Path(rest)
    return LogFile(path, parse_service(service or name or path.name.split(".", 1)[0]))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # a name that is too long, say; what is wrong is told when it is opened


def parse_service(name: str) -> str:
    """Return `environment/namespace/service`; raises InputError where `name` cannot be one."""
    parts = [part for part in name.split("/") if part.strip()]
    identity = str(ServiceName.parse("/".join(parts)))
    if not parts or len(parts) > 3 or re.match(SERVICE_PATTERN, identity) is None:
        raise InputError(
            f"service {name!r} is not NAME, NAMESPACE/NAME or ENVIRONMENT/NAMESPACE/NAME"
        )
    return identity


def check_readable(path: Path) -> None:
    """Raise InputError unless `path` is a file that holds text."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: name the log files in it, such as {path}/*.log")
        if path.exists() and not path.is_file():
            # It is read twice, and what a pipe gave once it does not give again.
            raise InputError(f"{path} is a pipe or a device: write it to a file and name that")
        with _open(path) as stream:
            head = stream.read(PROBE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} does not exist: check the path") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be unpacked ({error}): is it whole?") from None
    if not head.strip():
        raise InputError(f"{path} is empty: there is nothing to read in it")
    if _utf16(head) is None and _is_binary(head):
        encoding = _unmarked_utf16(head)
        hint = f", or convert it (iconv -f {encoding} -t UTF-8)" if encoding else ""
        raise InputError(f"{path} is binary, not a log of text lines: name a text file{hint}")


def _is_binary(head: bytes) -> bool:
    if b"\0" in head:
        return True
    controls = sum(1 for byte in head if byte < 32 and byte not in _TEXT_CONTROLS)
    return controls > BINARY_SHARE * len(head)


def _unmarked_utf16(head: bytes) -> str | None:
    """Name the encoding of ASCII text in UTF-16 without its mark: every other byte is NUL."""
    if not any(head[1::2]):
        return "UTF-16LE"
    return None if any(head[::2]) else "UTF-16BE"


def _utf16(head: bytes) -> str | None:
    return _UTF16_MARKS.get(head[:2])


def _open(path: Path) -> BinaryIO:
    """Open a file, unpacked where it is gzip."""
    raw = path.open("rb")
    packed = raw.peek(2)[:2] == b"\x1f\x8b"
    if not packed:
        return raw
    raw.close()
    return gzip.open(path, "rb")  # type: ignore[return-value]


def size_bytes(file: LogFile) -> int:
    """Return how much there is to read, for a progress bar; a guess for packed files."""
    size = file.path.stat().st_size
    return size * 8 if file.path.suffix == ".gz" else size


def read_lines(file: LogFile, *, append_ms: int | None = None) -> Iterator[LogLine]:
    """Yield the lines; with `append_ms`, each with the event time that its own stamp says."""
    try:
        with _open(file.path) as stream:
            encoding = _utf16(stream.read(2))
            stream.seek(0)
            yield from _lines(file, stream, encoding, append_ms)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{file.path} cannot be read to its end: {error}") from None


def whole_lines(path: Path) -> list[bytes]:
    """Return every line, blank ones too, as UTF-8 without its line end; unpacked where gzip.

    Raises InputError, in one sentence, for a file that is missing, unreadable, empty or binary.
    Bytes that are no UTF-8 stay as they are.
    """
    check_readable(path)
    try:
        with _open(path) as stream:
            content = stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read to its end: {error}") from None
    if (encoding := _utf16(content[:2])) is not None:
        content = content.decode(encoding, "replace").removeprefix("\ufeff").encode()
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix(b"\r") for line in lines]


def _lines(
    file: LogFile, stream: BinaryIO, encoding: str | None, append_ms: int | None
) -> Iterator[LogLine]:
    if encoding is not None:
        raw_lines: Iterator[bytes] = (
            line.encode() for line in codecs.getreader(encoding)(stream, "replace")
        )
    else:
        raw_lines = _bounded(stream)
    shaper = Shaper()
    for raw in raw_lines:
        line = raw.rstrip(b"\r\n")
        if not line.strip():
            continue
        event_ms = None if append_ms is None else event_time_ms(shaper, line, append_ms)
        yield LogLine(file, _text(line), len(raw), event_ms)


def _bounded(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines of at most MAX_LINE_BYTES; the rest of a longer one is read and dropped."""
    while line := stream.readline(MAX_LINE_BYTES):
        yield line
        while len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES)


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        # Every byte has a meaning in Latin-1, so nothing of the line is lost.
        return line.decode("latin-1")


def event_time_ms(shaper: Shaper, line: bytes, append_ms: int) -> int | None:
    """Return when the line says that it happened, as ingest reads it; None where it is silent."""
    info = shaper.line(line)
    if info.stamp_span is None or info.stamp_format is None:
        return None
    start, end = info.stamp_span
    return stamp_ms(line[start:end].decode("latin-1"), info.stamp_format, append_ms)


def has_stamps(file: LogFile, append_ms: int) -> bool:
    """Tell whether any of the first lines says when it happened."""
    first = islice(read_lines(file, append_ms=append_ms), STAMP_PROBE_LINES)
    return any(line.event_ms is not None for line in first)


def _believed_ms(line: LogLine, append_ms: int) -> int | None:
    """Return a line's own time, unless ingest would not believe it either."""
    if line.event_ms is None or line.event_ms > append_ms + FUTURE_TOLERANCE_MS:
        return None
    return line.event_ms


def in_time_order(files: Sequence[LogFile], append_ms: int) -> Iterator[LogLine]:
    """Merge files by event time, each file's own order kept, holding a few lines of each at most.

    Whatever shares a raw partition thus reaches it as it happened. A line without a stamp, or with
    one from the future, follows the line before it; what stands before a file's first stamp goes
    with that, and a file that has none near its beginning comes last: its lines happen when sent.
    """

    def keyed(index: int, file: LogFile) -> Iterator[tuple[float, int, int, LogLine]]:
        lines = read_lines(file, append_ms=append_ms)
        first, latest = [], inf
        for line in islice(lines, STAMP_PROBE_LINES):
            first.append(line)
            if (found := _believed_ms(line, append_ms)) is not None:
                latest = found
                break
        for number, line in enumerate(chain(first, lines)):
            # A stamp that runs backwards must not overtake the lines before it.
            latest = max(latest, _believed_ms(line, append_ms) or 0)
            yield latest, index, number, line

    for *_order, line in heapq.merge(*(keyed(i, f) for i, f in enumerate(files))):
        yield line
