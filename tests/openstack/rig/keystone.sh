# Keystone: who may what, and where the others are. Sourced.

configure_keystone() {
  mkdir -p "$data"/keystone/{tokens,credentials}
  config keystone/keystone.conf <<X
[DEFAULT]
$(basics)
public_endpoint = http://$(api_host):5000/
$(database_section keystone)
[token]
provider = fernet
expiration = $RIG_TOKEN_SECONDS
[fernet_tokens]
key_repository = $data/keystone/tokens
[fernet_receipts]
key_repository = $data/keystone/tokens
[credential]
key_repository = $data/keystone/credentials
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.pymemcache
memcache_servers = 127.0.0.1:$RIG_MEMCACHED_PORT
[oslo_messaging_notifications]
driver = noop
X
  wsgi 5000 /usr/bin/keystone-wsgi-public
  define keystone "http://$(api_host):5000/v3" env OS_KEYSTONE_CONFIG_FILES="$etc/keystone/keystone.conf" "${wsgi_command[@]}"
}
keystone_manage() { inside keystone-manage --config-file "$etc/keystone/keystone.conf" "$@"; }
schema_keystone() { keystone_manage db_sync; }

start_keystone() {
  # A Fernet key is 32 random bytes as URL-safe base64; a repository holds the next one (0) and the one in use (1).
  local place number
  for place in tokens credentials; do
    chmod 700 "$data/keystone/$place"
    for number in 0 1; do
      [ -s "$data/keystone/$place/$number" ] ||
        head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' >"$data/keystone/$place/$number"
    done
    chmod 600 "$data/keystone/$place"/*
  done
  if [ ! -e "$data/keystone/bootstrapped" ]; then
    local url=http://$(api_host):5000/v3/
    keystone_manage bootstrap --bootstrap-password "$RIG_PASSWORD" --bootstrap-region-id "$RIG_REGION" \
      --bootstrap-public-url "$url" --bootstrap-internal-url "$url" --bootstrap-admin-url "$url" \
      >"$logs/bootstrap.log" 2>&1 || give_up "no first user: $logs/bootstrap.log"
    touch "$data/keystone/bootstrapped"
  fi
  start keystone
  until_ready keystone
}
