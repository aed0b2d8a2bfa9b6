"""Programs with sub-commands that the policy knows: platforms, data stores, queues, host services.

Comes in: nothing. Goes out: the table `VERB_PROGRAMS`, by program name.
Promise: as in `command_table`: a verb, or an option before the verb, that is not listed is blocked.
"""

from collections.abc import Mapping

from agents.logic.command_table import APPROVAL, SAFE, Program, program

_KUBECTL = program(
    safe="get describe logs top version explain api-resources api-versions cluster-info diff events"
    " wait rollout/status rollout/history auth/can-i auth/whoami config/current-context"
    " config/get-contexts config/view certificate/list adm/top",
    approval="rollout/restart rollout/undo rollout/pause rollout/resume scale apply create patch set"
    " label annotate cordon uncordon drain taint autoscale expose replace cp port-forward run debug"
    " certificate/approve certificate/deny config/use-context",
    blocked="delete edit attach proxy plugin alpha cluster-info/dump",
    approval_options="--kubeconfig --as --as-group --raw --token",
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
    safe="list search show info policy check-update history repolist provides depends rdepends",
    approval="install update upgrade downgrade reinstall full-upgrade dist-upgrade makecache",
    blocked="remove purge autoremove erase clean autoclean",
    blocked_options="-o --option --allow-unauthenticated --force-yes",
    flags="-y --yes -q --assumeyes",
)
_GIT = program(
    safe="status log show diff rev-parse blame describe ls-files ls-remote",
    approval="revert fetch pull",
    blocked="push reset clean rm gc filter-branch checkout",
    blocked_options="-c --output --exec-path --upload-pack --ext-diff --textconv --config-env -o -O",
    values="-C",
    flags="--no-pager",
)
_TERRAFORM = program(
    safe="show validate version providers output state/list state/show workspace/show workspace/list",
    approval="plan apply import state/mv refresh init workspace/select force-unlock",
    blocked="destroy taint state/rm state/push console",
    blocked_options="-destroy --destroy -auto-approve --auto-approve -replace",
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
        " reboot",
        blocked="poweroff halt kexec rescue emergency isolate edit import-environment default",
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
    ),
    "loginctl": program(
        default=SAFE,
        safe="list-* show-* session-status user-status seat-status",
        approval="terminate-* lock-* kill-*",
    ),
    "coredumpctl": program(safe="list info", blocked="dump gdb debug", default=SAFE),
    "systemd-analyze": program(safe="time blame critical-chain verify security dump", default=SAFE),
    "udevadm": program(safe="info", approval="trigger settle control"),
    "nmcli": program(
        default=SAFE,
        safe="device/status device/show dev/status dev/show connection/show con/show c/show d/show"
        " general/status general g device/wifi",
        approval="connection/up connection/down connection/reload connection/modify con/up con/down"
        " con/reload con/mod device/connect device/disconnect device/reapply networking/on",
        blocked="connection/delete con/delete networking/off",
        values="-f --fields",
        flags="-t -p",
    ),
    "resolvectl": program(
        default=SAFE, safe="status query statistics dns", approval="flush-caches reset-statistics"
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
    "httpd": program(safe_options="-t -S -M -v -V", blocked_options="-D -f -c -C -k -E"),
    "haproxy": program(safe_options="-c -v -vv", blocked_options="-D -W -db -sf -st"),
    "postfix": program(safe="status check", approval="reload start flush", blocked="stop abort"),
    "rndc": program(
        safe="status", approval="reload flush reconfig refresh retransfer", blocked="stop halt"
    ),
    "virsh": program(
        safe="list dominfo domstate domblklist domiflist nodeinfo net-list net-info pool-list"
        " pool-info domstats domblkerror domjobinfo version vol-list dommemstat",
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
        safe="sel/list sel/elist sel/info sdr sensor chassis/status mc/info fru lan/print power/status"
        " chassis/power/status dcmi/power/reading sel",
        approval="chassis/power/cycle chassis/power/reset chassis/power/on chassis/power/soft"
        " power/cycle power/reset power/on power/soft mc/reset chassis/identify",
        blocked="sel/clear power/off chassis/power/off raw user exec shell sel/delete sel/save"
        " sel/writeraw sel/time sdr/fill sensor/thresh fru/write fru/edit",
        values="-H -U -I -L",
        flags="-E",
    ),
    "zpool": program(
        safe="status list iostat events history get",
        approval="scrub clear online offline replace add attach detach set import",
        blocked="destroy create labelclear remove export split",
    ),
    "zfs": program(
        safe="list get", approval="set snapshot mount unmount", blocked="destroy rollback"
    ),
    "ceph": program(
        safe="status health health/detail osd/tree osd/df osd/stat osd/perf df pg/stat pg/dump_stuck"
        " mon/stat quorum_status crash/ls crash/info versions osd/dump pg/query",
        approval="osd/set osd/unset osd/in osd/out osd/reweight pg/repair pg/deep-scrub crash/archive",
        blocked="osd/purge osd/destroy osd/rm osd/pool/delete tell config-key",
        safe_options="-s",
    ),
    "gluster": program(
        safe="volume/status volume/info volume/heal/info peer/status pool/list",
        approval="volume/heal volume/start",
        blocked="volume/stop volume/delete peer/detach",
    ),
    "rabbitmqctl": program(
        safe="status cluster_status list_* report environment ping node_health_check",
        approval="set_policy clear_policy set_vm_memory_high_watermark close_connection"
        " close_all_connections start_app stop_app sync_queue add_* set_* enable_feature_flag"
        " forget_cluster_node await_startup await_online_nodes",
        blocked="eval reset force_reset force_boot purge_queue delete_* stop shutdown exec",
        values="-n --node -p --vhost",
        flags="-q --quiet",
    ),
    "rabbitmq-diagnostics": program(
        safe="status cluster_status check_* ping memory_breakdown alarms list_* runtime_thread_stats"
        " check_running listeners disk_space log_tail",
        values="-n --node",
        flags="-q --quiet",
    ),
    "rabbitmq-queues": program(
        safe="check_* quorum_status", approval="rebalance grow", values="-n --node"
    ),
    "etcdctl": program(
        safe="get version endpoint/health endpoint/status endpoint/hashkv member/list alarm/list"
        " snapshot/status",
        approval="snapshot/save defrag compact compaction alarm/disarm member/add member/update"
        " member/promote member/remove move-leader put check/perf",
        blocked="del snapshot/restore lock elect user role auth watch",
        blocked_options="-i --interactive",
        values="--endpoints --cacert --cert --key --dial-timeout --command-timeout -w --write-out",
        flags="--cluster",
    ),
    "zkServer": program(safe="status", approval="start restart", blocked="stop"),
    "consul": program(
        safe="members info operator/raft/list-peers catalog/* kv/get version",
        approval="reload maint kv/put leave force-leave",
        blocked="kv/delete operator/raft/remove-peer exec snapshot lock watch",
    ),
    "vault": program(
        safe="status version operator/raft/list-peers auth/list policy/list audit/list",
        approval="read kv/get operator/unseal operator/step-down lease/renew token/lookup kv/list",
        blocked="write delete kv/delete kv/destroy operator/seal operator/init operator/rekey secrets",
    ),
    "nomad": program(
        safe="status job/status node/status alloc/status alloc/logs server/members",
        approval="job/restart job/revert job/run alloc/restart node/drain",
        blocked="job/stop system",
    ),
    "nodetool": program(
        safe="status info ring tpstats describecluster compactionstats tablestats cfstats gossipinfo"
        " netstats proxyhistograms tablehistograms getlogginglevels version failuredetector"
        " getcompactionthroughput getstreamthroughput getendpoints listsnapshots statusgossip"
        " statusbinary statushandoff gcstats toppartitions describering",
        approval="repair flush drain compact cleanup snapshot enable* disable* setcompactionthroughput"
        " setstreamthroughput scrub upgradesstables rebuild garbagecollect refresh pausehandoff"
        " resumehandoff enablebinary disablebinary enablegossip disablegossip enablehandoff stop"
        " disablehandoff enableautocompaction disableautocompaction settimeout setlogginglevel"
        " enableincrementalbackups",
        blocked="decommission removenode assassinate truncatehints clearsnapshot stopdaemon move",
        values="-h --host -p --port -u --username",
    ),
    "mysqladmin": program(
        safe="status ping processlist extended-status variables version",
        approval="kill flush-hosts flush-logs flush-status flush-tables flush-threads flush-privileges"
        " refresh reload start-replica stop-replica",
        blocked="drop create shutdown password debug",
        values="-h --host -P --port -u --user -i --sleep -c --count",
        flags="-v -r --relative",
    ),
    "pg_ctl": program(
        safe="status",
        approval="reload restart start promote logrotate",
        blocked="stop kill init",
        values="-D --pgdata",
        blocked_options="-o -p -m --mode",
    ),
    "patronictl": program(
        safe="list topology history show-config version",
        approval="switchover failover restart reload pause resume flush reinit",
        blocked="edit-config remove query",
        values="-c --config-file",
        blocked_options="--force",
    ),
    "repmgr": program(
        safe="cluster/show cluster/matrix node/status node/check",
        approval="standby/switchover standby/promote standby/follow node/rejoin",
        blocked="standby/clone primary/unregister",
        values="-f",
    ),
    "hdfs": program(
        safe="dfsadmin/-report dfsadmin/-safemode/get dfsadmin/-printTopology fsck haadmin/-getServiceState"
        " haadmin/-getAllServiceState dfs/-ls dfs/-du dfs/-df dfs/-count dfs/-cat dfs/-tail dfs/-stat",
        approval="balancer dfsadmin/-safemode/leave dfsadmin/-safemode/enter dfsadmin/-refreshNodes"
        " haadmin/-failover dfs/-setrep dfsadmin/-saveNamespace",
        blocked="dfs/-rm dfs/-expunge namenode datanode",
        blocked_options="-delete -move -rm --forcemanual -forcefence",
    ),
    "yarn": program(
        safe="application/-list application/-status node/-list node/-status logs top app/-list"
        " queue/-status applicationattempt/-list",
        approval="application/-kill application/-movetoqueue rmadmin/-refreshQueues"
        " rmadmin/-refreshNodes app/-kill",
        blocked="jar resourcemanager nodemanager",
    ),
    "celery": program(
        safe="inspect status report", approval="control", blocked="purge", values="-A --app"
    ),
    "pip": program(safe="list show freeze check", approval="install", blocked="uninstall"),
    "npm": program(safe="ls list outdated audit view"),
    "apt": _DISTRIBUTION,
    "apt-get": _DISTRIBUTION,
    "dnf": _DISTRIBUTION,
    "yum": _DISTRIBUTION,
    "kafka-topics": program(
        safe_options="--describe --list",
        approval_options="--create --alter",
        blocked_options="--delete",
    ),
    "kafka-consumer-groups": program(
        safe_options="--describe --list --state --members",
        approval_options="--reset-offsets",
        blocked_options="--delete --delete-offsets",
    ),
    "kafka-configs": program(safe_options="--describe", approval_options="--alter"),
    "kafka-acls": program(
        safe_options="--list", approval_options="--add", blocked_options="--remove"
    ),
    "kafka-leader-election": program(default=APPROVAL),
    "kafka-reassign-partitions": program(
        safe_options="--verify --list --generate", approval_options="--execute --cancel"
    ),
    "kafka-metadata-quorum": program(
        safe="describe",
        approval="add-controller remove-controller",
        values="--bootstrap-server --bootstrap-controller --command-config",
    ),
}
