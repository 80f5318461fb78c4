# Swift: one copy of each object in a directory. Sourced.

configure_swift() {
  local etc_swift=$etc/swift kind port
  mkdir -p "$etc_swift" "$data/swift/disk"
  config swift/swift.conf <<'X'
[swift-hash]
swift_hash_path_prefix = trove
swift_hash_path_suffix = rig
[storage-policy:0]
name = one-copy
default = yes
X
  config swift/memcache.conf <<X
[memcache]
memcache_servers = 127.0.0.1:$RIG_MEMCACHED_PORT
X
  # tempurl before the tokens are asked for: a signed URL needs none.
  {
    cat <<X
[DEFAULT]
bind_ip = $(api_host)
bind_port = 8080
workers = 1
user = root
swift_dir = $etc_swift
log_udp_host = 127.0.0.1
log_udp_port = 9
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl authtoken keystoneauth copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
$(checks_tokens_as swift | tail -n +2)
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
reseller_admin_role = ResellerAdmin
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$RIG_MEMCACHED_PORT
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
X
    for kind in catch_errors gatekeeper healthcheck listing_formats bulk tempurl copy container_quotas account_quotas slo dlo symlink; do
      printf '[filter:%s]\nuse = egg:swift#%s\n' "${kind/_quotas/-quotas}" "$kind"
    done
  } | config swift/proxy-server.conf
  for kind in object:6200 container:6201 account:6202; do
    port=${kind#*:} kind=${kind%:*}
    config "swift/$kind-server.conf" <<X
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
workers = 0
user = root
swift_dir = $etc_swift
devices = $data/swift
mount_check = false
log_udp_host = 127.0.0.1
log_udp_port = 9
[pipeline:main]
pipeline = $kind-server
[app:$kind-server]
use = egg:swift#$kind
[$kind-replicator]
[$kind-auditor]
X
    if [ ! -s "$etc_swift/$kind.ring.gz" ]; then
      (
        cd "$etc_swift" && rm -f "$kind.builder" && swift-ring-builder "$kind.builder" create 4 1 0 &&
          swift-ring-builder "$kind.builder" add "r1z1-127.0.0.1:$port/disk" 1 && swift-ring-builder "$kind.builder" rebalance
      ) >"$logs/swift-ring-$kind.log" 2>&1 || give_up "no ring: $logs/swift-ring-$kind.log"
    fi
    define "swift-$kind" "tcp:$port" "swift-$kind-server" "$etc_swift/$kind-server.conf"
  done
  define swift-proxy "http://$(api_host):8080/healthcheck" swift-proxy-server "$etc_swift/proxy-server.conf"
}
