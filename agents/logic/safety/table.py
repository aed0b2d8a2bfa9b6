"""Programs of a host that the policy knows: what their options and sub-commands do.

Comes in: nothing. Goes out: tables of words, compared whole and never searched inside a text.
Promise: what stands in no table is unknown to the policy, and so blocked.
A verb of several words is written with slashes (`rollout/status`); `list-*` stands for every verb
whose first part before `-`, `_` or `.` is `list`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.remediation import CommandVerdict

SAFE, APPROVAL, BLOCKED = CommandVerdict.SAFE, CommandVerdict.NEEDS_APPROVAL, CommandVerdict.BLOCKED


@dataclass(frozen=True, slots=True)
class Program:
    """What the words of one program mean; `default` is the verdict where none of them says more."""

    verbs: Mapping[str, CommandVerdict]
    options: Mapping[str, CommandVerdict]
    values: frozenset[str]
    """Options before the verb that take the next word."""
    flags: frozenset[str]
    """Options before the verb that stand alone."""
    default: CommandVerdict | None = None
    bare: CommandVerdict | None = None
    """The verdict where the program stands alone; `default` where this is None."""
    max_operands: int | None = None
    excess: CommandVerdict = APPROVAL
    """The verdict where more operands stand than reading needs."""


def words(text: str) -> frozenset[str]:
    """Split a table's text at white space."""
    return frozenset(text.split())


def program(
    *,
    safe: str = "",
    approval: str = "",
    blocked: str = "",
    safe_options: str = "",
    approval_options: str = "",
    blocked_options: str = "",
    values: str = "",
    flags: str = "",
    default: CommandVerdict | None = None,
    bare: CommandVerdict | None = None,
    max_operands: int | None = None,
    excess: CommandVerdict = APPROVAL,
) -> Program:
    """Build a table entry from texts of words; a word in two texts keeps the worse verdict."""
    tiers = ((SAFE, safe), (APPROVAL, approval), (BLOCKED, blocked))
    option_tiers = ((SAFE, safe_options), (APPROVAL, approval_options), (BLOCKED, blocked_options))
    return Program(
        verbs={word: verdict for verdict, text in tiers for word in text.split()},
        options={word: verdict for verdict, text in option_tiers for word in text.split()},
        values=words(values),
        flags=words(flags),
        default=default,
        bare=bare,
        max_operands=max_operands,
        excess=excess,
    )


READERS = words(
    "aa-status apt-cache arch aureport ausearch basename blkid cat cksum cmp column comm cut df"
    " diff dig dirname dpkg-query du echo edac-util egrep expand expr false fgrep findmnt"
    " fmt fold free getcap getconf getenforce getent getfacl getfattr getsebool grep groups head"
    " host id iostat jps jq jstat klist kvno last lastb ldapsearch ldapwhoami locale logname ls"
    " lsattr lsblk lscpu lsmem lsmod lsns lsof lspci lsscsi lsusb lvdisplay lvs mailq md5sum"
    " modinfo mountpoint mpstat mtr named-checkconf namei netstat nfsstat nl nproc"
    " nslookup numastat od paste pathchk pg_controldata pg_isready pg_lsclusters pgrep pidof"
    " pmap printf ps pstree pvdisplay pvs pwd readlink realpath rev sensors seq"
    " sestatus sha1sum sha256sum sha512sum showmount sinfo slabtop sleep snmpget snmpwalk squeue"
    " stat strings sum sync systemd-cgls systemd-cgtop tac tail test tr tracepath traceroute"
    " traceroute6 true tty type uname unexpand uptime users vgdisplay vgs vmstat w wc whereis"
    " which"
    " xfs_info mysqldumpslow"
    " who whoami zcat zgrep jstack ibstat ibstatus upsc kafka-broker-api-versions"
    " kafka-get-offsets kafka-log-dirs"
)
"""Programs that only read, whatever their options."""

CHANGERS: Mapping[str, str] = {
    "chgrp": "changes who may use a file",
    "cp": "writes files",
    "createdb": "creates a database",
    "createuser": "creates a database user",
    "depmod": "changes kernel module data",
    "fallocate": "reserves disk space",
    "fstrim": "discards unused blocks",
    "gcore": "writes a memory dump and pauses the process",
    "kinit": "obtains a ticket",
    "ln": "writes a link",
    "logger": "writes to the log",
    "lvcreate": "creates a volume",
    "lvextend": "grows a volume",
    "mkdir": "creates a folder",
    "modprobe": "loads or unloads a kernel module",
    "mv": "moves files",
    "ntpdate": "sets the clock",
    "pg_basebackup": "copies a whole database and loads the server",
    "pg_dump": "copies data out of a database and loads the server",
    "mysqldump": "copies data out of a database and loads the server",
    "pvresize": "grows a volume",
    "reindexdb": "rebuilds indexes and loads the server",
    "renice": "changes the priority of a process",
    "resize2fs": "grows a filesystem",
    "restorecon": "changes security labels",
    "rmmod": "unloads a kernel module",
    "scancel": "cancels a job",
    "setfacl": "changes who may use a file",
    "setsebool": "changes a security policy",
    "snmpset": "changes a device",
    "swapoff": "moves all swapped memory back to RAM",
    "touch": "writes a file",
    "umount": "unmounts a filesystem",
    "update-ca-certificates": "rebuilds the trusted certificates",
    "update-ca-trust": "rebuilds the trusted certificates",
    "useradd": "creates a user",
    "usermod": "changes a user",
    "vacuumdb": "cleans tables and loads the server",
    "vgextend": "grows a volume group",
    "xfs_growfs": "grows a filesystem",
    "partprobe": "reads partition tables again",
}
"""Programs that change state in a way that can be undone or that a person may accept."""

FORBIDDEN: Mapping[str, str] = {
    "dd": "overwrites devices or files byte by byte",
    "eval": "runs text as a command",
    "exec": "replaces the shell",
    "source": "runs a file",
    ".": "runs a file",
    "alias": "gives a command another meaning",
    "trap": "runs text later",
    "export": "changes the environment of later commands",
    "rm": "deletes files that cannot be brought back",
    "rmdir": "deletes folders",
    "unlink": "deletes files that cannot be brought back",
    "shred": "destroys data",
    "truncate": "destroys the content of a file",
    "wipefs": "destroys a filesystem",
    "fdisk": "changes partition tables",
    "sfdisk": "changes partition tables",
    "sgdisk": "changes partition tables",
    "parted": "changes partition tables",
    "mkswap": "overwrites a device",
    "blkdiscard": "destroys the content of a device",
    "cryptsetup": "may destroy an encrypted device",
    "lvremove": "destroys a volume",
    "vgremove": "destroys a volume group",
    "pvremove": "destroys a volume",
    "pvcreate": "overwrites a device",
    "lvreduce": "may cut off data",
    "dropdb": "deletes a database",
    "dropuser": "deletes a database user",
    "userdel": "deletes a user",
    "groupdel": "deletes a group",
    "halt": "switches the host off",
    "poweroff": "switches the host off",
    "init": "changes the run level of the host",
    "telinit": "changes the run level of the host",
    "tee": "writes files",
    "parallel": "runs commands that are known only when it runs",
    "script": "opens a shell",
    "su": "opens a shell as another user",
    "vi": "opens an editor",
    "vim": "opens an editor",
    "nano": "opens an editor",
    "emacs": "opens an editor",
    "less": "opens a pager that can run commands",
    "more": "opens a pager that can run commands",
    "man": "opens a pager that can run commands",
    "screen": "opens a shell",
    "tmux": "opens a shell",
    "telnet": "opens a connection where anything may be typed",
    "ftp": "opens a connection where anything may be typed",
    "socat": "relays data between arbitrary ends",
    "at": "runs text later",
    "batch": "runs text later",
    "base64": "encodes or decodes text, which hides what a command does",
    "base32": "encodes or decodes text, which hides what a command does",
    "xxd": "encodes or decodes text, which hides what a command does",
    "uudecode": "decodes text, which hides what a command does",
    "python": "runs a program text",
    "python2": "runs a program text",
    "perl": "runs a program text",
    "ruby": "runs a program text",
    "node": "runs a program text",
    "php": "runs a program text",
    "lua": "runs a program text",
    "Rscript": "runs a program text",
    "osascript": "runs a program text",
    "pwsh": "runs a program text",
    "powershell": "runs a program text",
    "tclsh": "runs a program text",
    "gdb": "can change a running process",
    "busybox": "hides which program it runs",
    "crash": "opens a debugger",
    "chroot": "runs a command in another root",
    "unshare": "runs a command in another namespace",
    "nsenter": "runs a command in another namespace",
    "setsid": "starts work in the background",
    "disown": "starts work in the background",
    "chpasswd": "changes passwords",
}
"""Programs that are never offered, with the reason that a person reads."""
