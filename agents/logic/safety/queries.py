"""What the text of a query does: SQL, Redis commands, MongoDB expressions.

Comes in: the statement that a client program is given. Goes out: a verdict.
Promise: statements are read token by token; only listed statements and functions pass as reading;
what destroys data, runs code or cannot be read in one way is blocked.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from agents.logic.safety.table import words
from agents.logic.safety.verdict import SAFE, Verdict, blocked, needs_approval, worst

_SQL_TOKEN = re.compile(
    r"""\s+|'(?:[^'\\]|'')*'|"(?:[^"\\]|"")*"|`[^`\\]*`|@{0,2}[A-Za-z_][A-Za-z0-9_]*"""
    r"""|[0-9]+(?:\.[0-9]+)?|\\[Gg]|::|[-+*/%<>=!~|&^.,:?@()\[\];]"""
)
_SQL_READING = words(
    "select show explain describe desc with values table begin commit rollback use"
)
_SQL_CHANGING = words(
    "insert update alter create grant revoke reindex vacuum analyze analyse checkpoint cluster"
    " kill"
    " optimize flush start stop change merge lock unlock refresh comment repair rename reload"
    " pause"
    " resume disable enable set reset replace check dbcc backup restore"
)
_SQL_DESTROYING = words("drop truncate delete purge shutdown")
_SQL_CODE = words("exec execute outfile dumpfile program xp_cmdshell")
"""Words that run code or write files wherever they stand; other statements must be listed."""
_SQL_BEFORE_PARENTHESIS = words(
    "select from where and or not in exists any all some on using over filter as by values having"
    " when then else case within set limit offset union intersect except join with is like ilike"
    " between interval distinct table into only lateral materialized partition rows order explain"
)
_SQL_FUNCTIONS = words(
    "count sum avg min max age now left right length lower upper coalesce nullif round floor ceil"
    " abs"
    " date_trunc extract to_char to_timestamp concat concat_ws substr substring trim replace"
    " split_part"
    " string_agg array_agg json_agg greatest least row_number rank dense_rank lag lead cardinality"
    " array_length unnest cast convert format ifnull isnull if timestampdiff date_sub date_add"
    " timediff sec_to_time from_unixtime unix_timestamp sysdate curdate curtime datediff dateadd"
    " getdate generate_series current_setting inet_server_addr inet_client_addr version"
    " pg_postmaster_start_time"
    " pg_is_in_recovery pg_blocking_pids pg_size_pretty pg_database_size pg_relation_size"
    " pg_total_relation_size pg_table_size pg_indexes_size pg_wal_lsn_diff pg_current_wal_lsn"
    " pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp"
    " pg_stat_get_activity"
    " pg_get_replication_slots pg_is_wal_replay_paused pg_conf_load_time pg_tablespace_size"
    " pg_ls_waldir"
    " pg_lock_status pg_get_indexdef pg_get_constraintdef pg_get_viewdef obj_description"
    " has_table_privilege"
    " regclass quote_ident txid_current_snapshot mxid_age stddev percentile_cont percentile_disc"
    " mode"
    " object_name db_name object_id sys_extract_utc"
    " numeric decimal varchar char int integer bigint double timestamp date time text row array"
)


def judge_sql(text: str) -> Verdict:
    """Judge one or more SQL statements, whatever the dialect.

    A comment or a backslash inside quotes is refused, since dialects disagree on where it ends.
    """
    tokens: list[str] = []
    position = 0
    while position < len(text):
        if text.startswith(("--", "/*", "#", "$$"), position):
            return blocked("holds a comment or quoting that SQL dialects read in different ways")
        match = _SQL_TOKEN.match(text, position)
        if match is None:
            return blocked("holds SQL that cannot be read")
        position = match.end()
        token = match.group()
        if not token.isspace():
            tokens.append(token)
    return worst(_judge_sql_statement(part) for part in _split_sql(tokens))


def _split_sql(tokens: Sequence[str]) -> list[list[str]]:
    statements: list[list[str]] = [[]]
    for token in tokens:
        if token in {";", "\\G", "\\g"}:
            statements.append([])
        else:
            statements[-1].append(token if token[0] in "'\"`" else token.lower())
    return [statement for statement in statements if statement]


def _judge_sql_statement(tokens: list[str]) -> Verdict:
    head = tokens[0].lstrip("(")
    if not head:
        head = next((token for token in tokens if token != "("), "")
    keywords = {
        token
        for index, token in enumerate(tokens)
        if token[0].isalpha() and (index == 0 or tokens[index - 1] != ".")
    }
    for word in sorted(keywords & (_SQL_DESTROYING | _SQL_CODE)):
        if word in _SQL_DESTROYING:
            return blocked(f"{word.upper()} destroys data")
        if head != "show":
            return blocked(f"{word.upper()} runs code or moves data that the policy cannot see")
    if head == "reset" and keywords & words("master slave replica binary"):
        return blocked("RESET of replication destroys its state")
    if head == "update" and "where" not in keywords:
        return blocked("UPDATE without WHERE changes every row")
    if head == "set":
        is_shared = keywords & words("global persist persist_only password")
        is_shared_name = any(token.startswith(("@@global", "@@persist")) for token in tokens)
        if is_shared or is_shared_name:
            return _judge_sql_change(head, keywords)
        return _judge_sql_functions(tokens)
    if head in _SQL_CHANGING:
        return _judge_sql_change(head, keywords)
    if head not in _SQL_READING:
        return blocked(f"{head.upper() or 'an empty statement'} is not on the allow list for SQL")
    if head in {"show", "use", "begin", "commit", "rollback", "desc", "describe"}:
        return SAFE
    return worst((_judge_sql_writes(keywords), _judge_sql_functions(tokens)))


_SQL_NEW_CODE = words("function procedure trigger extension language event rule aggregate")
_SQL_ESCAPES = words(
    "lo_export lo_import pg_read_file pg_read_binary_file pg_ls_dir pg_stat_file pg_file_write"
    " pg_file_unlink dblink dblink_exec dblink_connect load_file sys_exec sys_eval query_to_xml"
    " database_to_xml schema_to_xml cursor_to_xml shared_preload_libraries local_preload_libraries"
    " session_preload_libraries secure_file_priv general_log_file slow_query_log_file init_connect"
)
"""Names by which a change reaches files, libraries or other servers."""


def _judge_sql_change(head: str, keywords: set[str]) -> Verdict:
    """Judge a statement that changes something in a way that a person may accept."""
    if head == "create" and keywords & _SQL_NEW_CODE:
        return blocked("creates code that runs inside the database")
    escaping = sorted(keywords & _SQL_ESCAPES) + sorted(
        word for word in keywords if word.endswith("_command")
    )
    if escaping:
        return blocked(f"{escaping[0]} reaches files, programs or other servers")
    return needs_approval(f"{head.upper()} changes the database")


def _judge_sql_writes(keywords: set[str]) -> Verdict:
    writing = sorted(keywords & words(_SQL_WRITING))
    if "for" in keywords and "update" in keywords:
        return needs_approval("locks the rows that it reads")
    if writing:
        return needs_approval(f"holds {writing[0].upper()}, which changes data or takes locks")
    return SAFE


_SQL_WRITING = (
    "insert update merge into alter create grant revoke kill backup restore reindex replicate"
)


def _judge_sql_functions(tokens: Sequence[str]) -> Verdict:
    verdicts = []
    for name, following in pairwise(tokens):
        if following != "(" or not (name[0].isalpha() or name[0] in '"`_@'):
            continue
        if name in _SQL_BEFORE_PARENTHESIS or name in _SQL_FUNCTIONS:
            continue
        if name in _SQL_CHANGING_FUNCTIONS:
            verdicts.append(needs_approval(f"{name}() changes the state of the server"))
        else:
            verdicts.append(blocked(f"the function {name}() is not on the allow list for SQL"))
    return worst(verdicts)


_SQL_CHANGING_FUNCTIONS = words(
    "pg_terminate_backend pg_cancel_backend pg_reload_conf pg_switch_wal pg_rotate_logfile"
    " pg_promote"
    " pg_stat_reset pg_stat_statements_reset pg_wal_replay_pause pg_wal_replay_resume"
    " pg_create_restore_point"
    " pg_backup_start pg_backup_stop pg_prewarm set_config pg_advisory_unlock_all"
    " pg_log_backend_memory_contexts"
    " pg_create_physical_replication_slot setval sleep pg_sleep"
)

_REDIS_READING = words(
    "get info ping dbsize scan hscan sscan zscan ttl pttl type strlen llen hlen scard zcard"
    " exists lrange"
    " zrange hget hgetall hkeys smembers lindex time role lastsave echo command xlen xinfo"
    " xpending wait"
    " slowlog/get slowlog/len client/list client/info client/getname client/id config/get"
    " memory/usage"
    " memory/stats memory/doctor latency/latest latency/history latency/doctor latency/graph"
    " cluster/info"
    " cluster/nodes cluster/slots cluster/shards cluster/myid cluster/keyslot acl/list acl/whoami"
    " acl/log"
    " sentinel/masters sentinel/master sentinel/replicas sentinel/slaves sentinel/sentinels"
    " sentinel/ckquorum"
    " sentinel/get-master-addr-by-name object/encoding object/idletime object/freq module/list"
)
_REDIS_CHANGING = words(
    "keys monitor set expire persist bgsave bgrewriteaof save config/set config/rewrite"
    " config/resetstat"
    " client/kill client/pause client/unpause client/no-evict slowlog/reset latency/reset"
    " memory/purge"
    " cluster/failover cluster/replicate cluster/meet cluster/saveconfig sentinel/failover"
    " sentinel/reset"
    " sentinel/set failover acl/setuser publish psubscribe subscribe"
)


def judge_redis(command: Sequence[str]) -> Verdict:
    """Judge one Redis command, split into words."""
    verb = command[0].lower()
    path = f"{verb}/{command[1].lower()}" if len(command) > 1 else verb
    if path in {"config/set"} and not _REDIS_FILE_SETTINGS.isdisjoint(
        word.lower() for word in command[2:]
    ):
        return blocked("CONFIG SET of a file or module lets Redis write anywhere")
    if verb in {"replicaof", "slaveof"}:
        if [word.lower() for word in command[1:]] == ["no", "one"]:
            return needs_approval("turns a replica into a primary")
        return blocked("makes the server drop its data and copy another's")
    for name in (path, verb):
        if name in _REDIS_READING:
            return SAFE
        if name in _REDIS_CHANGING:
            return needs_approval(f"{name.replace('/', ' ').upper()} changes or burdens the server")
    return blocked(f"the Redis command {path.replace('/', ' ').upper()} is not on the allow list")


_REDIS_FILE_SETTINGS = words(
    "dir dbfilename logfile appenddirname appendfilename loadmodule unixsocket aclfile"
)

_MONGO_TOKEN = re.compile(
    r"""\s+|'[^'\\]*'|"[^"\\]*"|\$?[A-Za-z_][A-Za-z0-9_]*|[0-9]+(?:\.[0-9]+)?|[-.,:(){}\[\];]"""
)
_MONGO_READING = words(
    "rs.status rs.conf rs.config rs.printReplicationInfo rs.printSecondaryReplicationInfo"
    " rs.hello rs.isMaster"
    " db.serverStatus db.stats db.currentOp db.hello db.isMaster db.hostInfo db.version"
    " db.getMongo"
    " db.printReplicationInfo db.printSecondaryReplicationInfo db.getReplicationInfo"
    " db.getProfilingStatus"
    " db.getCollectionNames db.getCollectionInfos sh.status sh.getBalancerState"
    " sh.isBalancerRunning"
    " db.serverCmdLineOpts db.serverBuildInfo db.listCommands db.getName"
    " sh.balancerCollectionStatus"
)
_MONGO_CHANGING = words(
    "rs.stepDown rs.freeze rs.syncFrom rs.add rs.reconfig rs.remove rs.addArb db.killOp"
    " db.setProfilingLevel"
    " db.fsyncLock db.fsyncUnlock sh.startBalancer sh.stopBalancer sh.enableBalancing"
    " sh.disableBalancing"
)
_MONGO_METHODS = words(
    "stats find findOne count countDocuments estimatedDocumentCount getIndexes explain limit sort"
    " pretty"
    " toArray validate totalSize storageSize dataSize totalIndexSize latencyStats"
    " getShardDistribution"
    " getDB getSiblingDB getCollection"
)
_MONGO_CHANGING_METHODS = words("createIndex hideIndex unhideIndex compact reIndex")
_MONGO_COMMANDS = words(
    "serverStatus replSetGetStatus replSetGetConfig getParameter listDatabases currentOp ping"
    " hostInfo"
    " connPoolStats top getLog buildInfo dbStats collStats hello isMaster getCmdLineOpts"
    " listCollections"
)
_MONGO_CHANGING_COMMANDS = words(
    "setParameter replSetStepDown replSetFreeze killOp compact logRotate"
    " setFeatureCompatibilityVersion"
    " fsync balancerStart balancerStop"
)


def judge_mongo(text: str) -> Verdict:
    """Judge a MongoDB shell expression: chains of listed calls with literal arguments only."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _MONGO_TOKEN.match(text, position)
        if match is None:
            return blocked("holds a MongoDB expression that is more than a call with literals")
        position = match.end()
        if not match.group().isspace():
            tokens.append(match.group())
    verdicts = [
        _judge_mongo_call(tokens, index) for index, token in enumerate(tokens) if token == "("
    ]
    for before, token in pairwise(tokens):
        if token == "[" and before not in {"(", ",", ":", "["}:
            return blocked("names a member by a computed name")
    if {"function", "$where", "$function", "$out", "$merge", "$accumulator"} & {
        token.strip("\"'") for token in tokens
    }:
        return blocked("runs code or writes inside a query")
    if not verdicts:
        return blocked("calls nothing that the policy knows")
    return worst(verdicts)


def _judge_mongo_call(tokens: Sequence[str], index: int) -> Verdict:
    name = tokens[index - 1] if index else ""
    owner = tokens[index - 3] if index >= 3 and tokens[index - 2] == "." else ""
    path = f"{owner}.{name}"
    if path in {"db.adminCommand", "db.runCommand"}:
        command = tokens[index + 2].strip("\"'") if len(tokens) > index + 2 else ""
        if tokens[index + 1] == "{" and command in _MONGO_COMMANDS:
            return SAFE
        if tokens[index + 1] == "{" and command in _MONGO_CHANGING_COMMANDS:
            return needs_approval(f"the MongoDB command {command} changes the server")
        return blocked(f"the MongoDB command {command or '(none)'} is not on the allow list")
    if path in _MONGO_READING or (owner not in {"rs", "db", "sh", ""} and name in _MONGO_METHODS):
        return SAFE
    if owner == ")" and name in _MONGO_METHODS:
        return SAFE
    if path in _MONGO_CHANGING or (
        owner not in {"rs", "db", "sh", ""} and name in _MONGO_CHANGING_METHODS
    ):
        return needs_approval(f"{path}() changes the server")
    if name in {"getSiblingDB", "getCollection"} and owner == "db":
        return SAFE
    return blocked(f"the MongoDB call {path}() is not on the allow list")
