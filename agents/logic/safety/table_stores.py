"""Programs of data stores, queues and storage with sub-commands that the policy knows.

Comes in: nothing. Goes out: the table `STORE_PROGRAMS`, by program name.
Promise: as in `command_table`: a verb, or an option before the verb, that is not listed is blocked.
"""

from collections.abc import Mapping

from agents.logic.safety.table import Program, program

STORE_PROGRAMS: Mapping[str, Program] = {
    "zpool": program(
        safe="status list iostat events history get",
        approval="scrub clear online offline replace add attach detach set import",
        blocked="destroy create labelclear remove export split",
    ),
    "zfs": program(
        safe="list get", approval="set snapshot mount unmount", blocked="destroy rollback"
    ),
    "ceph": program(
        safe="status health health/detail osd/tree osd/df osd/stat osd/perf df pg/stat"
        " pg/dump_stuck"
        " mon/stat mds/stat fs/ls fs/status osd/status"
        " quorum_status crash/ls crash/info versions osd/dump pg/query",
        approval="osd/set osd/unset osd/in osd/out osd/reweight health/mute pg/repair"
        " pg/deep-scrub crash/archive",
        blocked="osd/purge osd/destroy osd/rm osd/pool/delete tell config-key",
        safe_options="-s",
    ),
    "rados": program(safe="df lspools", blocked="rm purge rmpool put cleanup", values="-p --pool"),
    "rbd": program(
        safe="ls list info status du children snap/ls snap/list",
        approval="snap/create resize map unmap",
        blocked="rm remove snap/rm snap/purge snap/rollback trash import export-diff",
        values="-p --pool --namespace",
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
        safe="status cluster_status check_* ping memory_breakdown alarms list_*"
        " runtime_thread_stats"
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
    "influx": program(safe="ping version"),
    "consul": program(
        safe="members info operator/raft/list-peers catalog/* kv/get version",
        approval="reload maint kv/put leave force-leave",
        blocked="kv/delete operator/raft/remove-peer exec snapshot lock watch",
    ),
    "vault": program(
        safe="status version operator/raft/list-peers auth/list policy/list audit/list",
        approval="read kv/get operator/unseal operator/step-down lease/renew token/lookup kv/list",
        blocked="write delete kv/delete kv/destroy operator/seal operator/init operator/rekey"
        " secrets",
    ),
    "nomad": program(
        safe="status job/status node/status alloc/status alloc/logs server/members",
        approval="job/restart job/revert job/run alloc/restart node/drain",
        blocked="job/stop system",
    ),
    "nodetool": program(
        safe="status info ring tpstats describecluster compactionstats tablestats cfstats"
        " gossipinfo"
        " netstats proxyhistograms tablehistograms getlogginglevels version failuredetector"
        " getcompactionthroughput getstreamthroughput getendpoints listsnapshots statusgossip"
        " statusbinary statushandoff gcstats toppartitions describering",
        approval="repair flush drain compact cleanup snapshot setcompactionthroughput"
        " setstreamthroughput scrub upgradesstables rebuild garbagecollect refresh pausehandoff"
        " resumehandoff enablebinary disablebinary enablegossip disablegossip enablehandoff stop"
        " disablehandoff enableautocompaction disableautocompaction settimeout setlogginglevel"
        " enableincrementalbackups",
        blocked="decommission removenode assassinate truncatehints clearsnapshot stopdaemon move",
        values="-h --host -p --port -u --username",
    ),
    "pg_ctl": program(
        safe="status",
        approval="reload restart start promote logrotate",
        blocked="stop kill init",
        values="-D --pgdata",
        blocked_options="-o -p",
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
        safe="dfsadmin/-report dfsadmin/-safemode/get dfsadmin/-printTopology fsck"
        " haadmin/-getServiceState"
        " haadmin/-getAllServiceState dfs/-ls dfs/-du dfs/-df dfs/-count dfs/-cat dfs/-tail"
        " dfs/-stat",
        approval="balancer dfsadmin/-safemode/leave dfsadmin/-safemode/enter"
        " dfsadmin/-refreshNodes"
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
    "kafka-metadata-quorum": program(
        safe="describe",
        approval="add-controller remove-controller",
        values="--bootstrap-server --bootstrap-controller --command-config",
    ),
}
