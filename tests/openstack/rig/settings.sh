# Everything that can be set about the test cloud, in one place. Sourced, never run.
# The environment wins over what an earlier `up` was given, and that over what stands here: RIG_API_WORKERS=1 ./up

: "${RIG_STATE:=/var/lib/trove-openstack}"     # --state DIR: all that the cloud keeps, writes and logs
hypervisor=fake volumes=files
# Quotas of every project; -1 is without end. --quota volumes=3 sets one.
declare -A quota=([instances]=-1 [cores]=-1 [ram]=-1 [volumes]=-1 [gigabytes]=-1 [ports]=-1 [security_groups]=-1)
[ ! -s "$RIG_STATE/made-with" ] || . "$RIG_STATE/made-with"

: "${RIG_PASSWORD:=rig}"                       # of every user of this cloud, its database and its queue
: "${RIG_REGION:=RegionOne}"

# Unusual ports on loopback for what the services lean on, so that other tests can have databases of their own.
: "${RIG_MARIADB_PORT:=13306}"
: "${RIG_RABBIT_PORT:=15673}"
: "${RIG_RABBIT_PEER_PORT:=25673}"
: "${RIG_EPMD_PORT:=14369}"
: "${RIG_MEMCACHED_PORT:=11212}"

: "${RIG_API_WORKERS:=2}"                      # processes of each of Keystone, Nova, Placement, Cinder
: "${RIG_ANNOUNCE_CLOSE:=1}"                   # 0: uwsgi closes connections without saying so, as many clouds do
: "${RIG_TOKEN_SECONDS:=86400}"                # life of a token: 60 makes every test meet an expired one
: "${RIG_ONLINE_EXTEND:=1}"                    # 0: growing a volume in use fails in the driver, as with Debian's NFS
: "${RIG_DEBUG:=false}"

# Networks: <prefix>.0.0/16 is shared; the next /16 belongs to the project of the control plane.
: "${RIG_NET_PREFIX:=10.77}"
: "${RIG_HOST_LINK:=rig0}"                     # qemu: the host's end of the cable into the shared network
: "${RIG_NAMESPACE:=trove-rig}"                # qemu: name for `ip netns`
: "${RIG_VIRT_TYPE:=qemu}"                     # kvm where the machine has a real one
: "${RIG_CPU_MODEL:=qemu64}"
: "${RIG_VOLUMES_GIB:=20}"                     # size of the sparse file system that holds volumes

etc=$RIG_STATE/etc run=$RIG_STATE/run logs=$RIG_STATE/log data=$RIG_STATE/data cache=$RIG_STATE/cache
databases=(keystone glance placement nova_api nova nova_cell0 neutron cinder)

# Kept by `up` for whoever comes later.
remember_settings() {
  local name
  {
    echo "hypervisor=$hypervisor volumes=$volumes"
    declare -p quota
    for name in ${!RIG_*}; do
      case $name in RIG_STATE | RIG_SERVICE) ;; *) printf ': "${%s:=%q}"\n' "$name" "${!name}" ;; esac
    done
  } >"$RIG_STATE/made-with.new" && mv "$RIG_STATE/made-with.new" "$RIG_STATE/made-with"
}
api_host() { if [ "$hypervisor" = qemu ]; then echo "$RIG_NET_PREFIX.0.1"; else echo 127.0.0.1; fi; }

# Debian's services must find Debian's Python and no proxy.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
unset PYTHONPATH PYTHONHOME http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
