# What the services lean on: MariaDB, RabbitMQ, memcached; and the schemas. Sourced.

sql() { inside mariadb -S "$data/mariadb/socket" -u root "$@"; }

# The data are worth nothing after a crash: every promise of durability is traded for speed.
configure_base() {
  mkdir -p "$data"/{mariadb,rabbitmq}
  config mariadb.cnf <<X
[mysqld]
user = mysql
datadir = $data/mariadb
socket = $data/mariadb/socket
pid-file = $data/mariadb/pid
bind-address = 127.0.0.1
port = $RIG_MARIADB_PORT
skip-log-bin
skip-name-resolve
max_connections = 600
performance_schema = off
character-set-server = utf8mb3
collation-server = utf8mb3_general_ci
innodb_buffer_pool_size = 192M
innodb_log_file_size = 64M
innodb_doublewrite = 0
innodb_flush_log_at_trx_commit = 0
innodb_flush_method = O_DIRECT_NO_FSYNC
X
  config rabbitmq.conf <<X
listeners.tcp.1 = 127.0.0.1:$RIG_RABBIT_PORT
loopback_users = none
default_user = rig
default_pass = $RIG_PASSWORD
log.file = false
log.console = true
log.console.level = warning
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
X
  echo '[{kernel,[{inet_dist_use_interface,{127,0,0,1}}]}].' | config rabbitmq-advanced.config
  echo '[].' | config rabbitmq-plugins

  define mariadb "sql -e 'select 1'" env LD_PRELOAD=libeatmydata.so mariadbd --defaults-file="$etc/mariadb.cnf"
  define memcached "tcp:$RIG_MEMCACHED_PORT" memcached -u memcache -l 127.0.0.1 -p "$RIG_MEMCACHED_PORT" -m 64
  # Erlang would start a port mapper of its own on every interface.
  define epmd "tcp:$RIG_EPMD_PORT" epmd -address 127.0.0.1 -port "$RIG_EPMD_PORT"
  define rabbitmq "tcp:$RIG_RABBIT_PORT" env HOME="$data/rabbitmq" ERL_EPMD_ADDRESS=127.0.0.1 \
    ERL_EPMD_PORT="$RIG_EPMD_PORT" RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_NODENAME=rig@localhost \
    RABBITMQ_DIST_PORT="$RIG_RABBIT_PEER_PORT" RABBITMQ_MNESIA_BASE="$data/rabbitmq/mnesia" RABBITMQ_LOG_BASE="$logs" \
    RABBITMQ_CONFIG_FILE="$etc/rabbitmq" RABBITMQ_ADVANCED_CONFIG_FILE="$etc/rabbitmq-advanced.config" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$etc/rabbitmq-plugins" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none' \
    /usr/lib/rabbitmq/bin/rabbitmq-server
}

start_base() {
  chown mysql: "$data/mariadb"
  if [ ! -d "$data/mariadb/mysql" ]; then
    mariadb-install-db --no-defaults --user=mysql --datadir="$data/mariadb" --skip-test-db \
      --auth-root-authentication-method=socket >"$logs/mariadb-install.log" 2>&1 ||
      give_up "no database system: $logs/mariadb-install.log"
  fi
  local name
  for name in mariadb memcached epmd rabbitmq; do start "$name"; done
  until_ready mariadb
}

# Empty schemas depend on the packages only: made once, then kept as a dump, also over --wipe.
schema_dump() {
  local key
  key=$(dpkg-query -W -f '${Package} ${Version}\n' mariadb-server python3-{keystone,glance,placement,nova,neutron,cinder} |
    cat - <(queue_url; sql_url x) | sha256sum | cut -c 1-12)
  echo "$cache/schemas-$key.sql.gz"
}
create_schemas() {
  [ ! -e "$data/schemas-made" ] || return 0
  local name dump makers=() worker
  dump=$(schema_dump)
  sql -e "create user if not exists 'rig'@'127.0.0.1' identified by '$RIG_PASSWORD';
          grant all on *.* to 'rig'@'127.0.0.1' with grant option" || give_up "no database user"
  for name in "${databases[@]}"; do sql -e "create database if not exists $name" || give_up "no database $name"; done
  if [ -s "$dump" ]; then
    zcat "$dump" | sql || give_up "$dump cannot be loaded; remove it"
  else
    # Nova's migrations take as long as three others together.
    schemas nova & makers+=($!)
    schemas neutron & makers+=($!)
    schemas keystone glance placement cinder & makers+=($!)
    for worker in "${makers[@]}"; do wait "$worker" || give_up "a schema could not be made"; done
    inside mariadb-dump -S "$data/mariadb/socket" -u root --databases "${databases[@]}" | gzip >"$dump.part" &&
      mv "$dump.part" "$dump"
  fi
  touch "$data/schemas-made"
}
schemas() {
  local name
  for name in "$@"; do
    if ! "schema_$name" >"$logs/schema-$name.log" 2>&1; then
      say "schema of $name: $logs/schema-$name.log" >&2
      return 1
    fi
  done
}
