// Redis 7 and Memcached 1.6. Redis: what CONFIG SET accepts is live. Memcached reads its options at its start only; names
// are its long options.
#include "specs/kinds/parameter_tables.hpp"

namespace trove::tables {

using enum ParameterType;

const std::vector<Parameter>& redis_parameters() {
  constexpr Change kRestart = Change::restart;
  constexpr int64_t kInt = 2147483647;
  static const std::vector<Parameter> table = {
      {.name = "active-expire-effort", .type = integer, .default_text = "1", .doc = "How hard expired keys are looked for.", .min = 1,
       .max = 10},
      {.name = "activedefrag", .type = boolean, .default_text = "no", .doc = "Defragments memory in the background. Many builds of Redis cannot."},
      {.name = "activerehashing", .type = boolean, .default_text = "yes", .doc = "Rehashes the main table in the background."},
      {.name = "appendfsync", .type = enumeration, .default_text = "everysec",
       .doc = "When the append-only file is on disk. always: every write. everysec: the last second may be lost.",
       .values = {"always", "everysec", "no"}},
      {.name = "appendonly", .type = boolean, .default_text = "no",
       .doc = "Keeps every write in a file. trove turns it on for instances with a volume when it is not set."},
      {.name = "auto-aof-rewrite-min-size", .type = size, .default_text = "64mb",
       .doc = "Smallest append-only file that is rewritten.", .min = 0},
      {.name = "auto-aof-rewrite-percentage", .type = integer, .default_text = "100",
       .doc = "Growth after which the append-only file is rewritten; 0 never.", .min = 0, .max = kInt, .unit_name = "%"},
      {.name = "busy-reply-threshold", .type = integer, .default_text = "5000",
       .doc = "After how long a running script is reported as busy.", .min = 0, .unit_name = "ms"},
      {.name = "client-output-buffer-limit", .type = string,
       .default_text = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
       .doc = "Clients that read too slowly are cut off: class, hard limit, soft limit, seconds."},
      {.name = "client-query-buffer-limit", .type = size, .default_text = "1gb", .doc = "Largest request of a client.", .min = kMib},
      {.name = "databases", .type = integer, .change = kRestart, .default_text = "16", .doc = "How many numbered databases there are.",
       .min = 1, .max = kInt},
      {.name = "hash-max-listpack-entries", .type = integer, .default_text = "512", .doc = "Hashes up to this many fields are stored compactly.",
       .min = 0},
      {.name = "hash-max-listpack-value", .type = size, .default_text = "64", .doc = "Hash values up to this size are stored compactly.",
       .min = 0},
      {.name = "hz", .type = integer, .default_text = "10", .doc = "Background rounds per second.", .min = 1, .max = 500},
      {.name = "io-threads", .type = integer, .change = kRestart, .default_text = "1", .doc = "Threads that write to clients.", .min = 1,
       .max = 128},
      {.name = "latency-monitor-threshold", .type = integer, .default_text = "0", .doc = "Records events slower than this; 0 none.",
       .min = 0, .unit_name = "ms"},
      {.name = "lazyfree-lazy-eviction", .type = boolean, .default_text = "no", .doc = "Frees evicted values in the background."},
      {.name = "lazyfree-lazy-expire", .type = boolean, .default_text = "no", .doc = "Frees expired values in the background."},
      {.name = "lazyfree-lazy-user-del", .type = boolean, .default_text = "no", .doc = "DEL behaves as UNLINK."},
      {.name = "lfu-decay-time", .type = integer, .default_text = "1", .doc = "How fast the frequency of use is forgotten.", .min = 0,
       .max = kInt, .unit_name = "min"},
      {.name = "lfu-log-factor", .type = integer, .default_text = "10", .doc = "How slowly the frequency counter rises.", .min = 0,
       .max = kInt},
      {.name = "list-compress-depth", .type = integer, .default_text = "0", .doc = "Nodes at both ends of a list that are not compressed; 0 off.",
       .min = 0, .max = kInt},
      {.name = "list-max-listpack-size", .type = integer, .default_text = "-2", .doc = "Size of a list's nodes: entries, or -1 to -5 for 4 to 64 kB.",
       .min = -5, .max = kInt},
      {.name = "maxclients", .type = integer, .default_text = "10000", .doc = "Clients at a time.", .min = 1, .max = 4294967295},
      {.name = "maxmemory", .type = size, .default_text = "0",
       .doc = "Memory for data; 0 is no limit. trove sizes it from the flavor when it is not set.", .min = 0},
      {.name = "maxmemory-policy", .type = enumeration, .default_text = "noeviction", .doc = "What goes when maxmemory is reached.",
       .values = {"noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
                  "volatile-ttl"}},
      {.name = "maxmemory-samples", .type = integer, .default_text = "5", .doc = "Keys looked at to find one to evict.", .min = 1,
       .max = kInt},
      {.name = "no-appendfsync-on-rewrite", .type = boolean, .default_text = "no", .doc = "Does not sync while the file is rewritten."},
      {.name = "notify-keyspace-events", .type = string, .doc = "Which changes of keys are published, as letters (KEA)."},
      {.name = "proto-max-bulk-len", .type = size, .default_text = "512mb", .doc = "Largest value.", .min = kMib},
      {.name = "rdbcompression", .type = boolean, .default_text = "yes", .doc = "Compresses snapshots."},
      {.name = "save", .type = string, .doc = "When a snapshot is made: pairs of seconds and changes, as \"900 1 300 10\"."},
      {.name = "set-max-intset-entries", .type = integer, .default_text = "512", .doc = "Sets of integers up to this size are stored compactly.",
       .min = 0},
      {.name = "slowlog-log-slower-than", .type = integer, .default_text = "10000", .doc = "Commands slower than this are kept; -1 none.",
       .min = -1, .unit_name = "us"},
      {.name = "slowlog-max-len", .type = integer, .default_text = "128", .doc = "How many slow commands are kept.", .min = 0},
      {.name = "stop-writes-on-bgsave-error", .type = boolean, .default_text = "yes", .doc = "Refuses writes while snapshots fail."},
      {.name = "tcp-backlog", .type = integer, .change = kRestart, .default_text = "511", .doc = "Connections that may wait to be accepted.",
       .min = 0, .max = kInt},
      {.name = "tcp-keepalive", .type = integer, .default_text = "300", .doc = "Time between probes of idle connections; 0 none.", .min = 0,
       .max = kInt, .unit_name = "s"},
      {.name = "timeout", .type = integer, .default_text = "0", .doc = "Closes idle clients; 0 never.", .min = 0, .max = kInt,
       .unit_name = "s"},
      {.name = "zset-max-listpack-entries", .type = integer, .default_text = "128",
       .doc = "Sorted sets up to this size are stored compactly.", .min = 0},
  };
  return table;
}

std::span<const OwnedParameter> redis_owned() {
  static constexpr OwnedParameter table[] = {
      {"dir", kPlaces}, {"dbfilename", kPlaces}, {"appendfilename", kPlaces}, {"appenddirname", kPlaces}, {"logfile", kPlaces},
      {"pidfile", kPlaces}, {"include", kPlaces}, {"syslog-*", kPlaces}, {"cluster-config-file", kPlaces},
      {"port", kNetwork}, {"bind", kNetwork}, {"bind-source-addr", kNetwork}, {"unixsocket", kNetwork},
      {"unixsocketperm", kNetwork}, {"protected-mode", kNetwork}, {"socket-mark-id", kNetwork},
      {"aclfile", kLogins}, {"requirepass", kLogins}, {"masterauth", kLogins}, {"masteruser", kLogins}, {"user", kLogins},
      {"rename-command", "trove needs the commands under their own names"}, {"acl-pubsub-default", kLogins},
      {"loadmodule", kCode}, {"enable-debug-command", kCode}, {"enable-module-command", kCode},
      {"enable-protected-configs", kCode},
      {"replicaof", kCopies}, {"slaveof", kCopies}, {"replica-*", kCopies}, {"slave-*", kCopies}, {"repl-*", kCopies},
      {"cluster-*", kCopies}, {"min-replicas-*", kCopies}, {"min-slaves-*", kCopies},
      {"tls-*", kTls}, {"daemonize", kProcess}, {"supervised", kProcess}, {"oom-score-adj*", kProcess},
      {"crash-memcheck-enabled", kProcess}, {"set-proc-title", kProcess}, {"proc-title-template", kProcess},
      {"shutdown-*", kProcess}, {"ignore-warnings", kProcess}, {"sanitize-dump-payload", kSafety},
  };
  return table;
}

const std::vector<Parameter>& memcached_parameters() {
  constexpr Change kRestart = Change::restart;
  static const std::vector<Parameter> table = {
      {.name = "conn-limit", .type = integer, .change = kRestart, .default_text = "1024", .doc = "Clients at a time.", .min = 1,
       .max = 1000000, .flag = "-c"},
      {.name = "disable-cas", .type = boolean, .change = kRestart, .default_text = "no", .doc = "Turns compare-and-swap off.", .flag = "-C"},
      {.name = "disable-dumping", .type = boolean, .change = kRestart, .default_text = "no", .doc = "Turns listing of keys off.",
       .flag = "-X"},
      {.name = "disable-evictions", .type = boolean, .change = kRestart, .default_text = "no",
       .doc = "Answers with an error when memory is full, instead of dropping old items.", .flag = "-M"},
      {.name = "disable-flush-all", .type = boolean, .change = kRestart, .default_text = "no", .doc = "Turns flush_all off.",
       .flag = "-F"},
      {.name = "disable-watch", .type = boolean, .change = kRestart, .default_text = "no", .doc = "Turns watch commands off.", .flag = "-W"},
      {.name = "hash_algorithm", .type = enumeration, .change = kRestart, .default_text = "murmur3", .doc = "How keys are hashed.",
       .values = {"jenkins", "murmur3", "xxh3"}, .flag = "-o"},
      {.name = "hashpower", .type = integer, .change = kRestart, .doc = "Size of the hash table at the start, as a power of two.",
       .min = 13, .max = 31, .flag = "-o"},
      {.name = "hot_lru_pct", .type = integer, .change = kRestart, .default_text = "20", .doc = "Share of memory for new items; with warm_lru_pct at most 80.",
       .min = 1, .max = 79, .unit_name = "%", .flag = "-o"},
      {.name = "idle_timeout", .type = integer, .change = kRestart, .default_text = "0", .doc = "Closes idle clients; 0 never.", .min = 0,
       .max = 2147483647, .unit_name = "s", .flag = "-o"},
      {.name = "listen-backlog", .type = integer, .change = kRestart, .default_text = "1024",
       .doc = "Connections that may wait to be accepted.", .min = 1, .max = 65535, .flag = "-b"},
      {.name = "lru_crawler_sleep", .type = integer, .change = kRestart, .default_text = "100", .doc = "Pause of the cleaner between items.",
       .min = 0, .max = 1000000, .unit_name = "us", .flag = "-o"},
      {.name = "max-item-size", .type = size, .change = kRestart, .default_text = "1m", .doc = "Largest item: a multiple of 512k, and at most half of the memory.",
       .min = 512 * kKib, .max = kGib, .flag = "-I"},
      {.name = "max-reqs-per-event", .type = integer, .change = kRestart, .default_text = "20",
       .doc = "Requests of one client before others get their turn.", .min = 1, .max = 1000000, .flag = "-R"},
      {.name = "maxconns_fast", .type = boolean, .change = kRestart, .default_text = "yes",
       .doc = "Tells clients beyond conn-limit so at once.", .flag = "-o"},
      {.name = "memory-limit", .type = size, .change = kRestart, .default_text = "64",
       .doc = "Memory for items. A plain number counts megabytes. trove sizes it from the flavor when it is not set.",
       .min = 8 * kMib, .unit = kMib, .flag = "-m"},
      {.name = "protocol", .type = enumeration, .change = kRestart, .default_text = "auto", .doc = "Which protocol clients may speak.",
       .values = {"ascii", "binary", "auto"}, .flag = "-B"},
      {.name = "read_buf_mem_limit", .type = integer, .change = kRestart, .default_text = "0",
       .doc = "Memory for reading from clients; 0 is no limit.", .min = 0, .max = 1048576, .unit_name = "MB", .flag = "-o"},
      {.name = "slab-growth-factor", .type = number, .change = kRestart, .default_text = "1.25",
       .doc = "How much larger each class of items is than the one before; more than 1.", .min = 1, .max = 10, .above_min = true,
       .flag = "-f"},
      {.name = "slab-min-size", .type = integer, .change = kRestart, .default_text = "48", .doc = "Room of the smallest item.", .min = 1,
       .max = 1048576, .unit_name = "bytes", .flag = "-n"},
      {.name = "slab_automove_freeratio", .type = number, .change = kRestart, .default_text = "0.010",
       .doc = "Share of memory kept free as a buffer.", .min = 0, .max = 1, .flag = "-o"},
      {.name = "temporary_ttl", .type = integer, .change = kRestart, .default_text = "61",
       .doc = "Items that live shorter than this are kept apart.", .min = 0, .max = 2147483647, .unit_name = "s", .flag = "-o"},
      {.name = "threads", .type = integer, .change = kRestart, .default_text = "4", .doc = "Threads that serve clients.", .min = 1,
       .max = 64, .flag = "-t"},
      {.name = "track_sizes", .type = boolean, .change = kRestart, .default_text = "no", .doc = "Counts sizes for `stats sizes`.",
       .flag = "-o"},
      {.name = "warm_lru_pct", .type = integer, .change = kRestart, .default_text = "40", .doc = "Share of memory for items in use; with hot_lru_pct at most 80.",
       .min = 1, .max = 79, .unit_name = "%", .flag = "-o"},
  };
  return table;
}

std::span<const OwnedParameter> memcached_owned() {
  static constexpr OwnedParameter table[] = {
      {"port", kNetwork}, {"udp-port", kNetwork}, {"unix-socket", kNetwork}, {"unix-mask", kNetwork}, {"listen", kNetwork},
      {"enable-shutdown", kProcess}, {"daemon", kProcess}, {"enable-coredumps", kProcess}, {"user", kProcess},
      {"pidfile", kPlaces}, {"verbose", kProcess}, {"help", kProcess}, {"license", kProcess}, {"version", kProcess},
      {"enable-sasl", kLogins}, {"auth-file", kLogins}, {"memory-file", kPlaces}, {"enable-ssl", kTls}, {"ssl_*", kTls},
      {"extended", "write extended options under their own names"}, {"ext_*", kPlaces}, {"napi-ids", kProcess},
      {"lock-memory", kProcess}, {"enable-largepages", kProcess}, {"modern", kProcess}, {"no-modern", kProcess},
      {"sock_cookie_id", kNetwork},
  };
  return table;
}

}  // namespace trove::tables
