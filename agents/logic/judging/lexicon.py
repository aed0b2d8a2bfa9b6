"""A thesaurus of operations: words that mean the same for a judgement, as classes.

Comes in: a lower-case word. Goes out: the names of the classes that it belongs to.
Promise: general words of the trade and product names only; what a class implies is learnt, never
written here. A word ending in `*` stands for every word that starts so.
"""

from functools import lru_cache

_CLASSES: dict[str, str] = {
    # What happened.
    "FAIL": "fail failed fails failing failure failures unable cannot cant couldnt unsuccessful "
    "unsuccessfully error errors err erroneous nok notok broken bad wrong wont didnt doesnt",
    "CRASH": "crash* panic* abort aborted aborting segfault* segv sigsegv sigabrt sigbus coredump "
    "oops killed died dies dying fatal emergency unhandled uncaught traceback assert* bugcheck",
    "EXCEPTION": "exception* throwable stacktrace traceback raise raised threw thrown throwing",
    "REFUSE": "refuse* reject* econnrefused nack nak",
    "DENY": "deny denied denies forbid* disallow* prohibit* unauthori* eacces eperm blocked "
    "blacklist* blocklist* banned unpermitted permissive",
    "DROP": "drop dropped drops dropping discard* lost losing shed shedding evict* truncat* "
    "skipped",
    "TIMEOUT": "timeout* timedout etimedout timed expired expiry deadline overdue unresponsive "
    "responding hung hang hangs stuck stall* stalled inactivity",
    "RESET": "reset* econnreset aborted epipe broken eof disconnect* closed hangup terminated",
    "UNREACH": "unreachable noroute ehostunreach enetunreach unreach* unavailable down offline "
    "absent notconnected isolated partitioned",
    "MISSING": "missing notfound enoent nonexistent undefined unknown unresolved absent invalid "
    "unrecognized unrecognised nosuch illegal malformed unsupported incompatible mismatch*",
    "CORRUPT": "corrupt* checksum crc inconsisten* damaged torn mismatched bitrot garbled",
    "EXHAUST": "exhaust* exceed* full overflow* limit limits quota maximum max ceiling "
    "enospc emfile enfile saturat* overrun* threshold watermark toomany depleted shortage starv*",
    "SLOW": "slow slowly slower slowness latenc* lag lagging lagged behind delay* sluggish "
    "contention congest* backlog* throttl* backpressure degraded degradation bottleneck overload* "
    "longer durationlong durationverylong starvation",
    "RETRY": "retry retries retried retrying reconnect* reattempt* attempt attempts giving "
    "redeliver* requeue* resend* backoff crashloop* failover* fallback",
    "PARSE": "parse parsing parser syntax malformed deseriali* unmarshal* decode decoding encoding "
    "token unexpected invalid json xml yaml schema format unterminated marshal*",
    "CONFIG": "config* setting settings option options parameter* property properties directive "
    "environment misconfigur* flag argument arguments",
    "FILE": "file files directory dir path folder enoent filename template library module modules "
    "class package symlink dll",
    "CODE": "null nil undefined nullpointer* npe index bounds typeerror valueerror keyerror "
    "attributeerror method function exception assertion illegal argument operation nomethod*",
    "JOB": "job jobs task tasks pipeline build cron* batch workflow schedule* playbook dag step "
    "container* pod pods replicaset deployment rollout",
    "EXIT": "exit* exited status code terminated backoff restart* crashloop* respawn*",
    "DEPRECATED": "deprecat* obsolete legacy insecure discouraged unsupported",
    "RECOVER": "recover* restored resumed succeeded success* completed healthy ok cleared normal "
    "established online ready joined finished accepted done corrected",
    "ROUTINE": "starting started start stopping stopped opened closing session connected listening "
    "initializ* initialis* loaded loading created registered received sending completed processed "
    "request served heartbeat scheduled",
    # About what.
    "CONN": "connect* conn connection* socket* tcp udp peer remote endpoint handshake channel "
    "transport upstream downstream rpc grpc stream listener bind",
    "NETDEV": "interface* link port ports eth nic vlan bond lacp lag switch* router uplink trunk "
    "carrier duplex bridge ifindex ifname wlan wifi arp mtu",
    "ROUTING": "bgp ospf isis eigrp rip route* routing neighbor* neighbour* adjacency peer* prefix "
    "vrrp hsrp stp spanning mpls ldp bfd pim igmp gateway",
    "DNS": "dns resolve* resolution resolver nxdomain servfail hostname getaddrinfo lookup named "
    "bind unbound zone zones soa eai",
    "DHCP": "dhcp* lease leases dhcpdiscover dhcpoffer dhcpack bootp",
    "NTP": "ntp* chrony* clock clocks skew drift stratum timesync*",
    "PROXY": "proxy* haproxy envoy traefik squid loadbalancer backend backends upstream* ingress",
    "HTTPSERVER": "http5xx http* nginx apache* httpd iis request requests response url uri gateway "
    "webserver tomcat jetty gunicorn uwsgi",
    "AUTH": "auth* login logins logon signin password passwords passwd credential* kerberos "
    "pam ldap* sso saml oauth* oidc mfa otp preauth sasl userauth logged",
    "PRINCIPAL": "user users account* principal* root admin* username client uid role roles sudo "
    "su identity subject tenant serviceaccount",
    "PERM": "permission* privilege* access authori* rbac acl acls policy policies scope grant* "
    "entitle* rights allowed",
    "CERT": "certificate* cert certs x509 ca chain selfsigned crl ocsp issuer truststore keystore "
    "notafter untrusted pkix pem",
    "TLS": "tls ssl* https handshake cipher* sni",
    "TOKEN": "token* jwt bearer apikey secret secrets key keys signature* hmac nonce claim claims",
    "ATTACK": "attack* exploit* intrusion* brute bruteforce breakin scan* scanner injection sqli "
    "xss traversal malware virus trojan ransomware rootkit suspicious malicious spoof* flood* "
    "ddos tamper* phish* cve shellcode botnet hack* webshell quarantine* threat* fail2ban "
    "snort suricata modsecurity waf ids ips honeypot break possible breach",
    "FIREWALL": "firewall* iptables nftables ufw pf selinux apparmor avc seccomp denied drop "
    "blocked asa acl sandbox",
    "DBMS": "db postgres* psql pgsql pg wiredtiger myisam hba sstable memtable "
    "mysql* mariadb innodb oracle ora mssql sqlserver sqlstate "
    "mongo* mongod redis cassandra scylla* couchdb couchbase elasticsearch opensearch sqlite "
    "db2 sybase tidb tikv cockroach* etcd neo4j influx* clickhouse dynamo* rds aurora hbase "
    "memcached rocksdb leveldb patroni pgbouncer galera wsrep percona vitess foundationdb "
    "keydb valkey riak arangodb timescale* greenplum vertica firebird solr dgraph rethinkdb druid",
    "SQL": "sql query queries select insert update delete table tables column columns relation "
    "schema constraint foreign unique duplicate primary index cursor statement transaction* "
    "rollback commit prepared database databases tablespace sequence keyspace collection oplog "
    "row rows tuple violates jdbc odbc hikari* datasource",
    "REPL": "replica* replication slave standby primary secondary secondaries master wal binlog "
    "oplog relay gtid quorum leader election raft shard shards split brain rebalance isr "
    "followers follower snapshot",
    "DBLOCK": "deadlock* lock locks locked locking latch serialize serialization isolation",
    "RECOVERY": "redo undo journal recovery checkpoint* wal aof rdb compaction vacuum wraparound "
    "fsync segment",
    "POOL": "pool pools slots slot clients connections maxclients pooled threadpool executor",
    "QUEUE": "queue* backlog buffer buffers topic partition broker consumer* producer* kafka "
    "rabbitmq amqp activemq pulsar nats mailbox inflight",
    "DISK": "disk* drive* hdd ssd nvme* scsi ata sata raid mdadm lun sector* volume smart smartd "
    "dasd storage medium media array platter sda sdb spindle iscsi multipath* blk "
    "reallocated filesystem ext xfs btrfs zfs zpool",
    "SPACE": "space enospc capacity partition inode inodes mount* usage percenthigh tablespace "
    "diskpressure df quota left",
    "SENSOR": "temperature* thermal temp fan fans voltage power psu pem supply sensor sensors "
    "overheat* celsius rpm cooling ipmi ups battery chassis bmc idrac ilo watt* amps",
    "CHIP": "ecc edac mce machine parity dimm memory dram correctable uncorrectable cpu socket "
    "processor core pcie aer gpu xid nvlink fpga asic linecard fpc board firmware bios acpi "
    "hardware ddr torus tlb cache register hca infiniband nvrm node card chip microcode",
    "MEMORY": "memory mem heap oom outofmemory* swap rss malloc allocat* page pages gc garbage "
    "oomkilled metaspace cgroup leak buffer",
    "CPU": "cpu load throttl* iowait runqueue soft lockup softlockup hardlockup rcu thread* "
    "scheduler percenthigh utilization utilisation steal",
    "GC": "gc garbage pause collector cms parnew psyounggen concurrent safepoint stw degenerated "
    "evacuation promotion tospace",
    "HANDLES": "descriptor* handles emfile enfile nofile fd fds processes maxproc fork inotify",
    "RATE": "rate throttl* limit* quota http429 toomanyrequests exceeded burst qps rps concurren*",
    "KERNEL": "kernel linux vmlinuz initrd systemd udev dmesg modprobe driver irq syscall trap",
    "VIRT": "vm vms hypervisor qemu kvm libvirt* vmware esxi xen hyperv guest instance nova "
    "virtual vcenter vmotion",
    "MAIL": "smtp mail* postfix dovecot exim imap pop3 relay recipient sender mx spam mailbox rcpt",
    "JAVA": "java javax org springframework jvm servlet hibernate jdbc lang util io net",
    "PEERTIME": "peer sync synchron* unsynchron*",
    "SERVICE": "service services daemon unit server app application worker process supervisor",
    "NODE": "node nodes host hosts member members cluster instance region datacenter rack",
    # How bad.
    "WORST": "panic fatal emerg* critical catastrophic corrupt* unrecoverable uncorrectable "
    "irrecoverable halted refusing dataloss lost quorum leaderless severe compromised",
    "MILD": "warning warn notice minor deprecated ignoring ignored benign harmless corrected "
    "correctable informational advisory skipping default defaults recommended should consider "
    "retrying optional",
    "REPEATED": "repeated repeatedmany many multiple again still consecutive always every "
    "continuously times",
    "FIRST": "once single one temporarily temporary transient intermittent brief",
}

_MIN_PREFIX = 2


@lru_cache(maxsize=1)
def _index() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Turn the classes around: whole words and prefixes, each to its classes."""
    whole: dict[str, list[str]] = {}
    prefixes: dict[str, list[str]] = {}
    for name, words in _CLASSES.items():
        for word in words.split():
            target, key = (prefixes, word[:-1]) if word.endswith("*") else (whole, word)
            if name not in target.setdefault(key, []):
                target[key].append(name)
    return (
        {word: tuple(names) for word, names in whole.items()},
        {word: tuple(names) for word, names in prefixes.items()},
    )


@lru_cache(maxsize=65_536)
def classes_of(word: str) -> tuple[str, ...]:
    """Return the classes of a lower-case word, none twice; empty when it belongs to none."""
    whole, prefixes = _index()
    found = list(whole.get(word, ()))
    for end in range(_MIN_PREFIX, len(word) + 1):
        for name in prefixes.get(word[:end], ()):
            if name not in found:
                found.append(name)
    return tuple(found)
