"""Programs with sub-commands that the policy knows: platforms, data stores, queues, host services.

Comes in: nothing. Goes out: the table `VERB_PROGRAMS`, by program name.
Promise: as in `command_table`: a verb, or an option before the verb, that is not listed is blocked.
"""

from collections.abc import Mapping

from agents.logic.safety.table import SAFE, Program, program

_KUBECTL = program(
    safe="get describe logs top version explain api-resources api-versions cluster-info diff"
    " events"
    " wait rollout/status rollout/history auth/can-i auth/whoami config/current-context"
    " config/get-contexts config/view certificate/list adm/top",
    approval="rollout/restart rollout/undo rollout/pause rollout/resume scale apply create patch"
    " set"
    " label annotate cordon uncordon drain taint autoscale expose replace cp port-forward run"
    " debug"
    " edit certificate/approve certificate/deny config/use-context",
    blocked="delete attach proxy plugin alpha cluster-info/dump",
    approval_options="--kubeconfig --raw --token",
    blocked_options="--force --delete-emptydir-data --delete-local-data --prune --edit --all",
    values="-n --namespace --context --cluster --user -s --server -l --selector --request-timeout",
    flags="-A --all-namespaces",
)
_CONTAINERS = program(
    safe="ps logs inspect stats top images info version events port diff history system/df"
    " network/ls network/inspect volume/ls volume/inspect container/ls container/inspect"
    " container/logs container/stats image/ls image/inspect node/ls node/inspect service/ls"
    " service/ps service/logs service/inspect context/ls compose/ps compose/logs compose/top"
    " compose/images compose/config compose/ls",
    approval="restart start stop update pull pause unpause kill cp tag push commit save export"
    " container/restart container/start container/stop compose/up compose/restart compose/stop"
    " compose/start compose/pull compose/pause compose/unpause service/update service/scale"
    " service/rollback network/connect network/disconnect node/update",
    blocked="rm rmi run build system/prune volume/rm volume/prune image/prune container/prune"
    " container/rm network/rm network/prune compose/down compose/rm compose/run swarm load import",
    blocked_options="--privileged --volumes",
    values="-f --file -p --project-name --context --log-level",
    flags="--ansi",
)
_DISTRIBUTION = program(
    safe="list search show info policy check-update history/list history/info repolist provides"
    " depends rdepends",
    approval="install update upgrade downgrade reinstall full-upgrade dist-upgrade makecache",
    blocked="remove purge autoremove erase clean autoclean",
    blocked_options="-o --option --allow-unauthenticated --force-yes",
    flags="-y --yes -q --assumeyes",
)
_GIT = program(
    safe="status log show diff rev-parse blame describe ls-files",
    approval="revert fetch pull",
    blocked="push reset clean rm gc filter-branch checkout",
    blocked_options="-c --output --exec-path --upload-pack --ext-diff --textconv --config-env -o"
    " -O",
    values="-C",
    flags="--no-pager",
)
_TERRAFORM = program(
    safe="show validate version providers output state/list state/show workspace/show"
    " workspace/list",
    approval="plan apply import state/mv refresh init workspace/select force-unlock"
    " providers/lock providers/mirror",
    blocked="destroy taint state/rm state/push console",
    blocked_options="-destroy --destroy -auto-approve --auto-approve -replace",
    values="-chdir",
)

VERB_PROGRAMS: Mapping[str, Program] = {
    "kubectl": _KUBECTL,
    "oc": _KUBECTL,
    "docker": _CONTAINERS,
    "podman": _CONTAINERS,
    "nerdctl": _CONTAINERS,
    "docker-compose": program(
        safe="ps logs top images config",
        approval="up restart stop start pull pause unpause",
        blocked="down rm run exec build",
        values="-f --file -p --project-name",
    ),
    "crictl": program(
        safe="ps pods logs inspect inspectp inspecti stats statsp images info version imagefsinfo",
        approval="stop stopp start pull",
        blocked="rm rmp rmi runp run",
        values="-r --runtime-endpoint",
    ),
    "helm": program(
        safe="list ls status history get search version show env diff lint get/values",
        approval="upgrade rollback install repo/update",
        blocked="uninstall delete plugin template",
        blocked_options="--post-renderer --force",
        values="-n --namespace --kube-context",
        flags="-A",
    ),
    "kubeadm": program(
        safe="certs/check-expiration token/list version config/view",
        approval="certs/renew upgrade/plan upgrade/apply token/create",
        blocked="reset init join",
    ),
    "istioctl": program(
        safe="proxy-status ps proxy-config pc analyze version", values="-n --namespace"
    ),
    "linkerd": program(safe="check stat version", values="-n --namespace"),
    "argocd": program(
        safe="app/get app/list app/diff app/history app/logs",
        approval="app/sync app/rollback",
        blocked="app/delete",
    ),
    "flux": program(
        safe="get logs check", approval="reconcile suspend resume", blocked="delete uninstall"
    ),
    "velero": program(safe="get describe backup/get backup/describe", approval="backup/create"),
    "terraform": _TERRAFORM,
    "tofu": _TERRAFORM,
    "git": _GIT,
    "systemctl": program(
        default=SAFE,
        safe="status show cat list-* is-* get-default",
        approval="start stop restart reload try-restart reload-or-restart try-reload-or-restart"
        " daemon-reload daemon-reexec enable disable reset-failed set-property kill mask unmask"
        " reboot edit",
        blocked="poweroff halt kexec rescue emergency isolate import-environment default",
        blocked_options="--force -ff",
        values="-p --property -t --type --state -n --lines -o --output -H --host -M --machine",
        flags="--no-pager -l --full -a --all --failed --user --system -q --quiet --no-legend --now"
        " --no-block --plain",
    ),
    "supervisorctl": program(
        safe="status tail avail pid",
        approval="restart start stop reread update signal",
        blocked="shutdown clear remove",
        values="-c",
    ),
    "pm2": program(
        safe="list ls status show describe logs info",
        approval="restart reload start stop save",
        blocked="delete kill flush",
    ),
    "promtool": program(
        safe="check/config check/rules check/web-config query/instant query/range query/series"
        " query/labels"
    ),
    "amtool": program(
        safe="alert/query silence/query check-config config/show cluster/show",
        approval="silence/add silence/expire alert/add",
    ),
    "crio": program(safe="status/config status/info status/containers"),
    "rpm-ostree": program(safe="status", approval="upgrade rollback", blocked="rebase cleanup"),
    "ovs-vsctl": program(safe="show list list-br list-ports list-ifaces find"),
    "ovs-appctl": program(
        safe="cluster/status connection-status version fdb/show bond/show", values="-t --target"
    ),
    "birdc": program(safe="show", approval="enable disable restart reload configure", flags="-r"),
    "birdc6": program(safe="show", flags="-r"),
    "monit": program(safe="status summary report", approval="restart start stop monitor unmonitor"),
    "timedatectl": program(
        default=SAFE,
        safe="status show timesync-status list-timezones",
        approval="set-ntp set-time set-timezone",
    ),
    "chronyc": program(
        safe="tracking sources sourcestats activity ntpdata serverstats clients",
        approval="makestep burst online offline refresh",
        flags="-n -a",
        blocked_options="-m",
    ),
    "loginctl": program(
        default=SAFE,
        safe="list-* show-* session-status user-status seat-status",
        approval="terminate-* lock-* kill-*",
    ),
    "coredumpctl": program(safe="list info", blocked="dump gdb debug", default=SAFE),
    "systemd-analyze": program(safe="time blame critical-chain verify security dump", default=SAFE),
    "networkctl": program(
        default=SAFE, safe="status list lldp", approval="renew reload reconfigure up down"
    ),
    "scontrol": program(safe="show ping", approval="update reconfigure requeue", flags="-o"),
    "cmctl": program(
        safe="status/certificate check/api", approval="renew approve", values="-n --namespace"
    ),
    "udevadm": program(safe="info", approval="trigger settle control"),
    "nmcli": program(
        default=SAFE,
        safe="device/status device/show dev/status dev/show connection/show con/show c/show d/show"
        " general/status",
        approval="connection/up connection/down connection/reload connection/modify con/up"
        " con/down"
        " con/reload con/mod device/connect device/disconnect device/reapply networking/on",
        blocked="connection/delete con/delete networking/off",
        values="-f --fields",
        flags="-t -p",
    ),
    "resolvectl": program(
        default=SAFE, safe="status query statistics", approval="flush-caches reset-statistics"
    ),
    "tuned-adm": program(safe="active list verify", approval="profile off"),
    "cpupower": program(safe="frequency-info idle-info info", approval="frequency-set"),
    "ufw": program(
        safe="status app/list",
        approval="allow deny limit reject enable reload delete insert",
        blocked="disable reset",
    ),
    "nft": program(
        safe="list",
        approval="add insert replace delete",
        blocked="flush destroy reset",
        blocked_options="-f --file -i --interactive -I -D",
        flags="-a -n -nn -s",
    ),
    "fail2ban-client": program(
        safe="status get ping version banned",
        approval="set unban reload start",
        blocked="stop",
    ),
    "certbot": program(safe="certificates", approval="renew certonly", blocked="revoke delete"),
    "apachectl": program(
        safe="configtest status fullstatus",
        approval="graceful restart start",
        blocked="stop graceful-stop",
        safe_options="-t -S -M -v -V",
        blocked_options="-D -f -c -C -k -E",
    ),
    "apache2ctl": program(
        safe="configtest status fullstatus",
        approval="graceful restart start",
        blocked="stop graceful-stop",
        safe_options="-t -S -M -v -V",
        blocked_options="-D -f -c -C -k -E",
    ),
    "postfix": program(safe="status check", approval="reload start flush", blocked="stop abort"),
    "rndc": program(
        safe="status", approval="reload flush reconfig refresh retransfer", blocked="stop halt"
    ),
    "virsh": program(
        safe="list dominfo domstate domblklist domiflist nodeinfo net-list net-info pool-list"
        " pool-info domstats domblkerror domjobinfo version vol-list dommemstat domblkstat"
        " domifstat",
        approval="start shutdown reboot resume suspend net-start pool-refresh pool-start autostart"
        " migrate snapshot-create-as",
        blocked="destroy undefine net-destroy pool-destroy pool-delete vol-delete reset console",
        values="-c --connect",
        flags="-r --readonly",
    ),
    "nvme": program(
        safe="list smart-log id-ctrl id-ns error-log list-subsys", approval="device-self-test"
    ),
    "ipmitool": program(
        safe="sel/list sel/elist sel/info sdr sensor chassis/status mc/info fru lan/print"
        " power/status"
        " chassis/power/status dcmi/power/reading sel",
        approval="chassis/power/cycle chassis/power/reset chassis/power/on chassis/power/soft"
        " power/cycle power/reset power/on power/soft mc/reset chassis/identify",
        blocked="sel/clear power/off chassis/power/off raw user exec shell sel/delete sel/save"
        " sel/writeraw sel/time sdr/fill sensor/thresh fru/write fru/edit fru/read sdr/dump"
        " sdr/writeraw",
        values="-H -U -I -L",
        flags="-E",
    ),
    "pip": program(safe="list show freeze check", approval="install", blocked="uninstall"),
    "npm": program(safe="ls list outdated audit view"),
    "apt": _DISTRIBUTION,
    "apt-get": _DISTRIBUTION,
    "dnf": _DISTRIBUTION,
    "yum": _DISTRIBUTION,
}
