# Pieces that configuration files of several services share. Sourced.

# config FILE: standard input becomes $etc/FILE. Nothing under /etc/<service> is changed; services are told where to look.
config() {
  mkdir -p "$(dirname "$etc/$1")"
  cat >"$etc/$1"
}

sql_url() { echo "mysql+pymysql://rig:$RIG_PASSWORD@127.0.0.1:$RIG_MARIADB_PORT/$1?charset=utf8"; }
queue_url() { echo "rabbit://rig:$RIG_PASSWORD@127.0.0.1:$RIG_RABBIT_PORT/"; }

basics() {
  echo "debug = $RIG_DEBUG"
  echo "use_stderr = true"
}
# How a service signs in as USER.
signs_in_as() {
  cat <<X
auth_type = password
auth_url = http://$(api_host):5000
username = $1
password = $RIG_PASSWORD
project_name = service
user_domain_name = Default
project_domain_name = Default
X
}
# How a service checks the tokens of its callers. A call that one service makes for another carries a service token.
checks_tokens_as() {
  echo "[keystone_authtoken]"
  signs_in_as "$1"
  cat <<X
www_authenticate_uri = http://$(api_host):5000
memcached_servers = 127.0.0.1:$RIG_MEMCACHED_PORT
service_token_roles = service
service_token_roles_required = true
X
}
database_section() {
  cat <<X
[database]
connection = $(sql_url "$1")
max_pool_size = 10
max_overflow = 20
X
}
# The queue between a service's own processes.
messaging_sections() {
  cat <<X
[oslo_concurrency]
lock_path = $data/$1/lock
[oslo_messaging_notifications]
driver = noop
[oslo_messaging_rabbit]
heartbeat_in_pthread = false
X
}

# uwsgi's HTTP socket serves one request a connection. Unless it says so, clients that keep connections are now and then
# reset in the middle of nowhere.
wsgi() {
  local port=$1 script=$2
  shift 2
  wsgi_command=(uwsgi_python3 --http-socket "$(api_host):$port" --wsgi-file "$script" --master --lazy-apps
    --processes "$RIG_API_WORKERS" --enable-threads --threads 1 --need-app --die-on-term --no-orphans
    --buffer-size 65535 --listen 128 "$@")
  [ "$RIG_ANNOUNCE_CLOSE" = 0 ] || wsgi_command+=(--add-header Connection:close)
}
