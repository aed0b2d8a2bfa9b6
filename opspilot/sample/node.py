"""A Kubernetes node: kernel, kubelet, systemd; a disk that dies and a process that eats its memory.

Pure.
"""

from collections.abc import Iterator
from random import Random

from opspilot.sample.clock import MINUTE_MS, START_MS, arrivals, at_minute, every, syslog

Timed = tuple[int, str]

DISK_MINUTES = (41.0, 48.0)
MEMORY_MINUTES = (82.0, 86.0)
HOST = "node-7"
_UPTIME_SECONDS = 482_113
_PODS = ("catalog-index-6c9f", "gateway-58b7", "checkout-7d4c", "mailer-5f6b", "search-8c2a")


def lines(random: Random, end_ms: int) -> Iterator[Timed]:
    """Yield the node's lines, not in order of time."""
    for time_ms in arrivals(random, 8_500, at_minute(0), end_ms):
        pod = f"{random.choice(_PODS)}-{random.getrandbits(20):05x}"
        volume = f"kube-api-access-{random.getrandbits(20):05x}"
        text = (
            f'operation_generator.go:637] "MountVolume.SetUp succeeded for volume \\"{volume}\\"" '
            f'pod="shop/{pod}"'
        )
        yield time_ms, _line(time_ms, "kubelet[1203]", f"I {text}")
    for time_ms in every(random, 15_000, at_minute(0), end_ms):
        pod = random.choice(_PODS)
        text = f'I kubelet_getters.go:187] "Pod status updated" pod="shop/{pod}" status="Running"'
        yield time_ms, _line(time_ms, "kubelet[1203]", text)
    for time_ms in every(random, MINUTE_MS, at_minute(0.4), end_ms):
        process = random.randrange(20_000, 60_000)
        yield (
            time_ms,
            _line(time_ms, f"CRON[{process}]", "(root) CMD (/usr/local/bin/collect-facts --quiet)"),
        )
        session = f"Started session-{process}.scope - Session {process} of User root."
        yield time_ms + 40, _line(time_ms + 40, "systemd[1]", session)
    for time_ms in arrivals(random, 6 * MINUTE_MS, at_minute(1), end_ms):
        offset = random.uniform(-0.0009, 0.0009)
        text = f"System clock was stepped by {offset:.6f} seconds"
        yield time_ms, _line(time_ms, "chronyd[611]", text)
    for time_ms in arrivals(random, 40_000, at_minute(0), end_ms):
        text = f"eth0: renamed from veth{random.getrandbits(28):07x}"
        yield time_ms, _kernel(time_ms, text)
    yield from _dying_disk(random)
    yield from _out_of_memory(random)


def _line(time_ms: int, program: str, text: str) -> str:
    return f"{syslog(time_ms)} {HOST} {program}: {text}"


def _kernel(time_ms: int, text: str) -> str:
    uptime = _UPTIME_SECONDS + (time_ms - START_MS) / 1000
    return _line(time_ms, "kernel", f"[{uptime:.6f}] {text}")


def _dying_disk(random: Random) -> Iterator[Timed]:
    """A disk can no longer read some of its sectors."""
    first, last = map(at_minute, DISK_MINUTES)
    for time_ms in arrivals(random, 9_000, first, last):
        sector = random.randrange(90_000_000, 99_000_000)
        yield (
            time_ms,
            _kernel(time_ms, "ata3.00: exception Emask 0x0 SAct 0x400 SErr 0x0 action 0x0"),
        )
        yield time_ms + 1, _kernel(time_ms + 1, "ata3.00: failed command: READ FPDMA QUEUED")
        yield time_ms + 2, _kernel(time_ms + 2, "ata3.00: error: { UNC } uncorrectable media error")
        text = (
            f"blk_update_request: critical medium error, dev sdb, sector {sector} op 0x0:(READ) "
            "flags 0x80700 phys_seg 4 prio class 2"
        )
        yield time_ms + 4, _kernel(time_ms + 4, text)
        text = f"Buffer I/O error on dev sdb1, logical block {sector // 8}, async page read"
        yield time_ms + 5, _kernel(time_ms + 5, text)


def _out_of_memory(random: Random) -> Iterator[Timed]:
    """The index service takes all memory, again and again; the kernel ends it each time."""
    first, last = map(at_minute, MEMORY_MINUTES)
    for time_ms in every(random, 30_000, first, last):
        process = random.randrange(20_000, 60_000)
        yield (
            time_ms,
            _kernel(
                time_ms, "catalog-index invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0"
            ),
        )
        text = (
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,"
            f"task_memcg=/kubepods/burstable,task=catalog-index,pid={process},uid=1000"
        )
        yield time_ms + 3, _kernel(time_ms + 3, text)
        resident = f"anon-rss:{random.randrange(14_000_000, 15_000_000)}kB, file-rss:0kB"
        text = (
            f"Out of memory: Killed process {process} (catalog-index) total-vm:18874368kB, "
            f"{resident}, oom_score_adj:947"
        )
        yield time_ms + 5, _kernel(time_ms + 5, text)
        pod = f"{_PODS[0]}-{random.getrandbits(20):05x}"
        text = f'W pod_workers.go:1301] "Container was OOMKilled, restarting" pod="shop/{pod}"'
        yield time_ms + 900, _line(time_ms + 900, "kubelet[1203]", text)
