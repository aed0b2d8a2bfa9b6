"""What may not stand in a sentence for people: commands, and the instructions themselves.

Comes in: cleaned text, the evidence. Goes out: whether the text carries one.
Promise: pure; prose that only names a program passes; what destroys, hides itself or stands in the
evidence as a command counts. A sentence is not executed, so this is a second net: the first is that
commands have a field of their own, which the command policy judges.
"""

import re
from itertools import pairwise

from agents.logic.answers.evidence import EvidenceText
from agents.logic.safety.programs import SPECIAL
from agents.logic.safety.table import CHANGERS, FORBIDDEN, READERS
from agents.logic.safety.table_options import OPTION_PROGRAMS
from agents.logic.safety.table_services import VERB_PROGRAMS
from agents.logic.safety.table_stores import STORE_PROGRAMS

RECITED_WORDS = 8
"""So many words of the instructions in a row are no accident."""
_PROGRAMS = frozenset(
    {
        *FORBIDDEN, *CHANGERS, *READERS, *SPECIAL, *VERB_PROGRAMS, *OPTION_PROGRAMS,
        *STORE_PROGRAMS, "sudo", "bash", "sh", "zsh", "ssh", "env", "nohup", "xargs", "doas",
        "powershell", "pwsh", "cmd", "python", "perl", "ruby", "node", "nc", "eval", "exec",
    }
)  # fmt: skip
_DANGEROUS = re.compile(
    r"\brm\s+-\w*[rf]|\bmkfs\b|\bdd\s+(?:if|of)=|/dev/(?:sd|nvme|tcp|udp)|:\(\)\s*\{"
    r"|\b(?:curl|wget|fetch)\b[^.;]{0,200}\|\s*\w*sh\b|\|\s*(?:sudo\s+)?(?:ba|z|da|k)?sh\b"
    r"|\bbase64\s+(?:-d|-D|--decode)|\$\(|\$\{|&&|\|\||[<>]\(|\bchmod\s+(?:-R\s+)?[0-7]*777"
    r"|\b(?:drop|truncate)\s+(?:table|database|schema|index|user|keyspace)\b|\bdelete\s+from\b"
    r"|\bflush(?:all|db)\b|\b(?:kubectl|oc)\s+(?:\S+\s+){0,4}?delete\b|\bterraform\s+destroy\b"
    r"|\bhelm\s+(?:uninstall|delete)\b|\biptables\s+(?:-\w\s+\S+\s+)?-F\b|\bnc\s+-\w*e"
    r"|\bsetenforce\s+0|\b(?:docker|podman)\s+(?:system\s+prune|rm\s)|\bpasswd\s+-d\b"
    r"|\bhistory\s+-c\b|\bcrontab\s+-r\b|\buserdel\b|\bauthorized_keys\b|\binvoke-expression\b|\biex\b",
    re.I,
)
_ENCODED = re.compile(r"(?=[A-Za-z0-9+/]*\d)(?=[A-Za-z0-9+/]*[A-Z])[A-Za-z0-9+/]{32,}={0,2}")
_ARGUMENT = re.compile(r"-|/|[\w.-]+=|.*[|;&$<>*]")
"""How a word begins that makes the program before it a command rather than a noun."""


def carries_command(text: str, evidence: EvidenceText) -> bool:
    """Tell whether a sentence holds a harmful command, or one that stands in the evidence."""
    if _DANGEROUS.search(text) or _ENCODED.search(text):
        return True
    words = text.split()
    for word, following in pairwise(words):
        name = word.strip("'\"`(:,").rpartition("/")[2].lower()
        if name not in _PROGRAMS:
            continue
        if _ARGUMENT.match(following) and (
            name in FORBIDDEN or evidence.holds(f"{name} {following.rstrip('.,;:)')}")
        ):
            return True
        if name in VERB_PROGRAMS and evidence.holds(f"{name} {following.rstrip('.,;:)')}"):
            return True
    return False


def recites(text: str, instructions: str) -> bool:
    """Tell whether a text repeats `RECITED_WORDS` words in a row of the instructions."""
    said, known = _plain_words(text), f" {' '.join(_plain_words(instructions))} "
    runs = (said[at : at + RECITED_WORDS] for at in range(len(said) - RECITED_WORDS + 1))
    return any(f" {' '.join(run)} " in known for run in runs)


def _plain_words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
