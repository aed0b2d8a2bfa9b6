"""Programs of a host whose options decide what they do.

Comes in: nothing. Goes out: the table `OPTION_PROGRAMS`, by program name.
Promise: an option that a program's entry does not list counts as the program's default verdict, and
as blocked where there is none.
"""

from collections.abc import Mapping

from agents.logic.safety.table import APPROVAL, BLOCKED, SAFE, Program, program

_IPTABLES = program(
    safe_options="-L -S -C --list --list-rules --check",
    approval_options="-A -I -D -R --append --insert --delete --replace",
    blocked_options="-F -X -P -Z -N -E --flush --delete-chain --policy --zero --modprobe",
    flags="-n -v --numeric --verbose --line-numbers -x -w --wait",
    values="-t --table -s -d -p -i -o -j -m --dport --sport --source --destination --comment"
    " --ctstate",
)
_KAFKA = "--bootstrap-server --command-config --topic --group --entity-type --entity-name"
_KAFKA_FLAGS = "--under-replicated-partitions --unavailable-partitions --verbose --all-groups --all"

_VERSION_ONLY = program(safe_options="--version", max_operands=0, excess=BLOCKED)

OPTION_PROGRAMS: Mapping[str, Program] = {
    **dict.fromkeys(("ansible", "iperf3", "pgbadger", "pgbouncer"), _VERSION_ONLY),
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
        values="-p -s -d --proto --src --dst --state --dport --sport --orig-port-dst",
    ),
    "crontab": program(
        safe_options="-l", default=APPROVAL, blocked_options="-r -e -i", values="-u"
    ),
    "date": program(
        default=SAFE,
        approval_options="-s --set",
        blocked_options="-f --file",
        max_operands=0,
        values="-d --date -r --reference",
    ),
    "dcgmi": program(default=APPROVAL),
    "dmesg": program(
        default=SAFE,
        approval_options="-n -D -E --console-off --console-on --console-level",
        blocked_options="-C -c --clear --read-clear",
    ),
    "dmidecode": program(default=SAFE, blocked_options="--dump-bin"),
    "dpkg": program(
        safe_options="-l -L -s -S -V --list --listfiles --status --search --verify --audit -C",
        approval_options="--configure -i --install",
        blocked_options="-r -P --remove --purge --force-all",
        flags="-a",
    ),
    "e2fsck": program(safe_options="-n", flags="-f -v", default=APPROVAL),
    "faillock": program(default=SAFE, approval_options="--reset"),
    "file": program(default=SAFE, blocked_options="-C --compile -m --magic-file"),
    "firewall-cmd": program(
        safe_options="--state --list-all --list-ports --list-services --list-all-zones --get-zones"
        " --get-active-zones --get-default-zone --query-port --query-service --list-rich-rules",
        approval_options="--reload --add-port --add-service --add-rich-rule --add-source"
        " --remove-port --remove-service --remove-rich-rule --remove-source"
        " --runtime-to-permanent",
        blocked_options="--panic-on --complete-reload --delete-zone --reset-to-defaults --direct",
        flags="--permanent",
        values="--zone --timeout",
    ),
    "fsck": program(safe_options="-n -N", flags="-f -V", default=APPROVAL),
    "fuser": program(default=SAFE, approval_options="-k --kill"),
    "gzip": program(safe_options="-l -t -c --list --test --stdout", default=APPROVAL),
    "haproxy": program(safe_options="-c -v -vv", values="-f"),
    "hdparm": program(safe_options="-I -i -C -g"),
    "hostname": program(default=SAFE, approval_options="-b -F --file --boot", max_operands=0),
    "hostnamectl": program(default=SAFE, max_operands=0),
    "httpd": program(safe_options="-t -S -M -v -V"),
    "hwclock": program(safe_options="-r --show --verbose", default=APPROVAL),
    "ifconfig": program(default=SAFE, max_operands=1),
    "ip6tables": _IPTABLES,
    "iptables": _IPTABLES,
    "iptables-save": program(default=SAFE, blocked_options="-f --file -M --modprobe"),
    "iscsiadm": program(
        safe_options="-m --mode",
        approval_options="-u -l -R --login --logout --rescan -o --op",
        values="-m --mode -P --print -T --targetname -p --portal -r --sid -o --op",
    ),
    "java": program(safe_options="-version --version -fullversion", max_operands=0, excess=BLOCKED),
    "jinfo": program(default=SAFE, approval_options="-flag"),
    "jmap": program(default=APPROVAL),
    "journalctl": program(
        default=SAFE,
        approval_options="--rotate --flush --sync --relinquish-var --smart-relinquish-var"
        " --update-catalog --setup-keys --cursor-file --vacuum-size --vacuum-time --vacuum-files",
    ),
    "kafka-acls": program(safe_options="--list", approval_options="--add --remove", values=_KAFKA),
    "kafka-configs": program(
        safe_options="--describe",
        approval_options="--alter",
        values=f"{_KAFKA} --add-config --delete-config",
        flags="--all",
    ),
    "kafka-consumer-groups": program(
        safe_options="--describe --list",
        approval_options="--reset-offsets --execute",
        blocked_options="--delete --delete-offsets",
        values=f"{_KAFKA} --to-offset --to-datetime --shift-by --by-duration --timeout",
        flags=f"{_KAFKA_FLAGS} --state --members --offsets --to-latest --to-earliest --to-current"
        " --dry-run --all-topics",
    ),
    "kafka-leader-election": program(default=APPROVAL),
    "kafka-reassign-partitions": program(
        safe_options="--verify --list --generate",
        approval_options="--execute --cancel",
        values=f"{_KAFKA} --reassignment-json-file --throttle --broker-list"
        " --topics-to-move-json-file",
    ),
    "kafka-topics": program(
        safe_options="--describe --list",
        approval_options="--create --alter",
        blocked_options="--delete",
        values=f"{_KAFKA} --partitions --replication-factor --config",
        flags=f"{_KAFKA_FLAGS} --under-min-isr-partitions --exclude-internal",
    ),
    "kcat": program(
        safe_options="-L -C -Q",
        approval_options="-P",
        values="-b -t -c -o -p -f -m",
        flags="-e -q -u -J",
    ),
    "keytool": program(
        safe_options="-list -printcert -printcrl -help",
        approval_options="-importcert -import -exportcert -certreq -genkeypair",
        blocked_options="-delete",
        values="-keystore -storepass -alias -file -storetype -sslserver",
        flags="-v -rfc -cacerts -noprompt -trustcacerts",
    ),
    "killall": program(default=APPROVAL),
    "ldd": program(default=APPROVAL),
    "logrotate": program(safe_options="-d --debug", default=APPROVAL, blocked_options="-l"),
    "mdadm": program(
        safe_options="--detail -D --examine -E --query -Q",
        approval_options="--add -a --fail -f --remove -r --re-add --assemble -A --readwrite --run"
        " --manage",
        blocked_options="--create -C --stop -S --zero-superblock --build -B --grow -G --program",
        flags="--scan -s -v --verbose",
    ),
    "mount": program(default=APPROVAL, safe_options="-l -V", bare=SAFE, values="-t"),
    "multipath": program(safe_options="-l -ll", approval_options="-r", flags="-v"),
    "mysqlcheck": program(
        safe_options="-c --check",
        default=APPROVAL,
        values="-h --host -u --user -P --port",
        flags="-p --password -A --all-databases",
    ),
    "named-checkzone": program(default=SAFE, blocked_options="-o -D"),
    "nginx": program(safe_options="-t -T -v -V", approval_options="-s", values="-c -s", flags="-q"),
    "nstat": program(default=SAFE, approval_options="-r --reset -n --nooutput"),
    "ntpq": program(default=SAFE, approval_options="-c"),
    "numactl": program(safe_options="-H --hardware -s --show", max_operands=0, excess=BLOCKED),
    "nvidia-smi": program(
        default=SAFE,
        approval_options="-r --gpu-reset -pl -pm -ac -rac -lgc -rgc -c -e --power-limit"
        " --persistence-mode --ecc-config --reset-ecc-errors -f --filename",
        max_operands=0,
        values="-d -i -l --display --id --loop --query-gpu --format",
    ),
    "passwd": program(
        safe_options="-S --status",
        approval_options="-l -u -e --lock --unlock --expire",
        max_operands=1,
    ),
    "pidstat": program(default=SAFE, blocked_options="-e"),
    "ping": program(default=SAFE, approval_options="-f"),
    "ping6": program(default=SAFE, approval_options="-f"),
    "pkill": program(
        default=APPROVAL,
        blocked_options="-u -U -g -G -s -t --euid --uid --pgroup --group --session --terminal",
    ),
    "postconf": program(default=SAFE, approval_options="-e -X -#", blocked_options="-M -F -P"),
    "postqueue": program(safe_options="-p -j", approval_options="-f -i -s"),
    "postsuper": program(approval_options="-r -h -H", blocked_options="-d"),
    "ras-mc-ctl": program(safe_options="--summary --errors --status --error-count --mainboard"),
    "reboot": program(default=APPROVAL, blocked_options="-f --force -p --poweroff --halt"),
    "route": program(default=SAFE, max_operands=0),
    "rpcinfo": program(default=SAFE, approval_options="-d"),
    "rpm": program(
        safe_options="-q -qa -qi -ql -qf -V -Va --query --verify -qp",
        approval_options="-U -i -F --install --upgrade",
        blocked_options="-e --erase --eval -E --pipe --initdb --rebuilddb --nodeps --force",
        flags="-a -l -f -v --last --all --list",
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
        values="-d --device -n -q",
    ),
    "sort": program(
        default=SAFE,
        blocked_options="-o --output --compress-program -T --temporary-directory --files0-from",
    ),
    "ss": program(default=SAFE, approval_options="-K --kill", blocked_options="-D --diag -F"),
    "sshd": program(safe_options="-t -T"),
    "strace": program(
        approval_options="-p",
        max_operands=0,
        excess=BLOCKED,
        values="-p -s",
        flags="-f -c -tt -T -r -y",
    ),
    "swapon": program(safe_options="--show -s --summary", default=APPROVAL, bare=SAFE),
    "systool": program(default=SAFE),
    "tcpdump": program(default=SAFE, approval_options="-w", blocked_options="-z -Z -G -C"),
    "top": program(safe_options="-b", values="-n -o -p -u -d", flags="-c -H -i -w"),
    "ulimit": program(default=SAFE, max_operands=0),
    "uniq": program(default=SAFE, max_operands=1, excess=BLOCKED, values="-f -s -w"),
    "upscmd": program(safe_options="-l", default=APPROVAL),
    "varnishstat": program(safe_options="-1 -l -j -x", values="-n -f"),
    "visudo": program(safe_options="-c --check"),
    "xfs_repair": program(safe_options="-n", default=APPROVAL, blocked_options="-L"),
}
"""Programs whose options decide."""
