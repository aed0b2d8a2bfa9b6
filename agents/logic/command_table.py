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
    " traceroute6 true tty type uname unexpand uptime users vgdisplay vgs vmstat w wc whereis which"
    " who whoami zcat zgrep jstack kafka-broker-api-versions kafka-get-offsets kafka-log-dirs"
)
"""Programs that only read, whatever their options."""

CHANGERS: Mapping[str, str] = {
    "chgrp": "changes who may use a file",
    "chrt": "changes how a process is scheduled",
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
    "reboot": "restarts the host",
    "reindexdb": "rebuilds indexes and loads the server",
    "renice": "changes the priority of a process",
    "resize2fs": "grows a filesystem",
    "restorecon": "changes security labels",
    "rmmod": "unloads a kernel module",
    "scancel": "cancels a job",
    "setfacl": "changes who may use a file",
    "setsebool": "changes a security policy",
    "snmpset": "changes a device",
    "strace": "slows the process that it follows",
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
    "taskset": "changes where a process runs",
    "ionice": "changes the disk priority of a process",
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
    "passwd": "changes a password",
    "chpasswd": "changes passwords",
}
"""Programs that are never offered, with the reason that a person reads."""

OPTION_PROGRAMS: Mapping[str, Program] = {
    "arp": program(default=SAFE, approval_options="-d --delete -s --set -f --file", max_operands=1),
    "auditctl": program(safe_options="-l -s", default=APPROVAL, blocked_options="-D"),
    "badblocks": program(default=APPROVAL, blocked_options="-w -n -o"),
    "chage": program(safe_options="-l --list", default=APPROVAL),
    "chattr": program(default=APPROVAL, blocked_options="-R"),
    "chown": program(default=APPROVAL, blocked_options="-R --recursive"),
    "conntrack": program(
        safe_options="-L -S -C -G --dump --stats --count --get",
        approval_options="-D --delete -U -I",
        blocked_options="-F --flush",
    ),
    "crontab": program(safe_options="-l", default=APPROVAL, blocked_options="-r -e -i"),
    "date": program(
        default=SAFE,
        approval_options="-s --set",
        blocked_options="-f --file",
        max_operands=0,
        values="-d --date -r --reference",
    ),
    "dmesg": program(
        default=SAFE,
        approval_options="-n -D -E --console-off --console-on --console-level",
        blocked_options="-C -c --clear --read-clear",
    ),
    "dpkg": program(
        safe_options="-l -L -s -S -V --list --listfiles --status --search --verify --audit -C",
        approval_options="--configure -i --install",
        blocked_options="-r -P --remove --purge --force-all",
    ),
    "e2fsck": program(safe_options="-n", default=APPROVAL, blocked_options="-c"),
    "faillock": program(default=SAFE, approval_options="--reset"),
    "file": program(default=SAFE, blocked_options="-C --compile -m --magic-file"),
    "firewall-cmd": program(
        safe_options="--state --list-all --list-ports --list-services --list-all-zones --get-zones"
        " --get-active-zones --get-default-zone --query-port --query-service --list-rich-rules",
        approval_options="--reload --add-port --add-service --add-rich-rule --add-source"
        " --remove-port --remove-service --remove-rich-rule --remove-source --runtime-to-permanent",
        blocked_options="--panic-on --complete-reload --delete-zone --reset-to-defaults --direct",
    ),
    "fsck": program(safe_options="-n -N", default=APPROVAL),
    "fuser": program(default=SAFE, approval_options="-k --kill"),
    "gzip": program(safe_options="-l -t -c --list --test --stdout", default=APPROVAL),
    "hdparm": program(safe_options="-I -i -C -g"),
    "hostname": program(default=SAFE, approval_options="-b -F --file --boot", max_operands=0),
    "hostnamectl": program(default=SAFE, max_operands=0),
    "hwclock": program(safe_options="-r --show --verbose", default=APPROVAL),
    "ifconfig": program(default=SAFE, max_operands=1),
    "ip6tables": program(default=APPROVAL),
    "iptables": program(
        safe_options="-L -S -C --list --list-rules --check -V",
        approval_options="-A -I -D -R --append --insert --delete --replace",
        blocked_options="-F -X -P -Z -N -E --flush --delete-chain --policy --zero --modprobe",
    ),
    "iptables-save": program(default=SAFE, blocked_options="-f --file -M --modprobe"),
    "jinfo": program(default=SAFE, approval_options="-flag"),
    "jmap": program(default=APPROVAL),
    "journalctl": program(
        default=SAFE,
        approval_options="--rotate --flush --sync --relinquish-var --smart-relinquish-var"
        " --update-catalog --setup-keys --cursor-file --vacuum-size --vacuum-time --vacuum-files",
    ),
    "keytool": program(
        safe_options="-list -printcert -printcrl -help",
        approval_options="-importcert -import -exportcert -certreq -genkeypair",
        blocked_options="-delete -J",
    ),
    "killall": program(default=APPROVAL),
    "logrotate": program(
        safe_options="-d --debug", approval_options="-f --force -v", blocked_options="-l"
    ),
    "mdadm": program(
        safe_options="--detail -D --examine -E --query -Q",
        approval_options="--add -a --fail -f --remove -r --re-add --assemble -A --readwrite --run"
        " --manage",
        blocked_options="--create -C --stop -S --zero-superblock --build -B --grow -G --program",
    ),
    "mount": program(default=APPROVAL, safe_options="-l -V"),
    "multipath": program(safe_options="-l -ll", approval_options="-r", blocked_options="-F -f -w"),
    "mysqlcheck": program(
        default=SAFE, approval_options="-r --repair -o --optimize -a --analyze --auto-repair -g"
    ),
    "nginx": program(safe_options="-t -T -v -V", approval_options="-s", blocked_options="-g -e -p"),
    "numactl": program(safe_options="-H --hardware -s --show", max_operands=0),
    "nvidia-smi": program(
        default=SAFE,
        approval_options="-r --gpu-reset -pl -pm -ac -rac -lgc -rgc -c -e --power-limit"
        " --persistence-mode --ecc-config --reset-ecc-errors -f --filename",
        max_operands=0,
        values="-d -i -l --display --id --loop --query-gpu --format",
    ),
    "ntpq": program(default=SAFE, approval_options="-c"),
    "named-checkzone": program(default=SAFE, blocked_options="-o -D"),
    "pidstat": program(default=SAFE, blocked_options="-e"),
    "dmidecode": program(default=SAFE, blocked_options="--dump-bin"),
    "rpcinfo": program(default=SAFE, approval_options="-d"),
    "ping": program(default=SAFE, approval_options="-f"),
    "ping6": program(default=SAFE, approval_options="-f"),
    "pkill": program(default=APPROVAL),
    "postconf": program(default=SAFE, approval_options="-e -X -#", blocked_options="-M -F -P"),
    "postqueue": program(safe_options="-p -j", approval_options="-f -i -s"),
    "postsuper": program(approval_options="-r -h -H", blocked_options="-d"),
    "ras-mc-ctl": program(safe_options="--summary --errors --status --error-count --mainboard"),
    "route": program(default=SAFE, max_operands=0),
    "rpm": program(
        safe_options="-q -qa -qi -ql -qf -V -Va --query --verify",
        approval_options="-U -i -F --install --upgrade",
        blocked_options="-e --erase --eval -E --pipe --initdb --rebuilddb --nodeps --force",
    ),
    "sar": program(default=SAFE, approval_options="-o"),
    "semanage": program(
        safe_options="-l --list", default=APPROVAL, blocked_options="-D --deleteall"
    ),
    "shutdown": program(
        approval_options="-r --reboot -c", blocked_options="-h -H -P --halt --poweroff"
    ),
    "smartctl": program(
        safe_options="-a -i -H -A -x -l -c --all --info --health --attributes --xall --scan --log",
        approval_options="-t --test -s -S -o -X --smart --abort",
        blocked_options="--set",
    ),
    "sort": program(
        default=SAFE,
        blocked_options="-o --output --compress-program -T --temporary-directory --files0-from",
    ),
    "ss": program(default=SAFE, approval_options="-K --kill", blocked_options="-D --diag -F"),
    "sshd": program(safe_options="-t -T", blocked_options="-D -f -o"),
    "swapon": program(safe_options="--show -s --summary", default=APPROVAL),
    "tcpdump": program(default=SAFE, approval_options="-w", blocked_options="-z -Z -G -C"),
    "top": program(safe_options="-b -bn1"),
    "ulimit": program(default=SAFE, max_operands=0),
    "uniq": program(default=SAFE, max_operands=1, excess=BLOCKED, values="-f -s -w"),
    "visudo": program(safe_options="-c --check", blocked_options="-f --file"),
    "xfs_repair": program(safe_options="-n", default=APPROVAL, blocked_options="-L"),
}
"""Programs whose options decide."""
