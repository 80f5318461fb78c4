# Cinder: volumes as sparse files, which both hypervisors can use. Sourced.
#
# Its NFS driver without NFS: the "share" is a directory of this machine, and /sbin/mount.nfs (rig/mount.nfs, there while
# the cloud is up) binds it where Cinder and Nova want it. The directory is a file system of its own, because Nova asks
# os.path.ismount(), which says no to a bind mount within one.

configure_cinder() {
  mkdir -p "$data"/cinder/{lock,mnt}
  config cinder/cinder.conf <<X
[DEFAULT]
$(basics)
transport_url = $(queue_url)
host = rig
my_ip = $(api_host)
state_path = $data/cinder
auth_strategy = keystone
api_paste_config = /etc/cinder/api-paste.ini
rootwrap_config = /etc/cinder/rootwrap.conf
enabled_backends = rig
default_volume_type = standard
glance_api_servers = http://$(api_host):9292
backend_stats_polling_interval = 30
quota_volumes = ${quota[volumes]}
quota_gigabytes = ${quota[gigabytes]}
quota_snapshots = -1
quota_backups = -1
quota_backup_gigabytes = -1
$(database_section cinder)
[rig]
volume_backend_name = rig
$(volume_driver)
[nova]
region_name = $RIG_REGION
interface = public
token_auth_url = http://$(api_host):5000
$(signs_in_as nova)
[service_user]
send_service_user_token = true
$(signs_in_as cinder)
$(checks_tokens_as cinder)
$(messaging_sections cinder)
X
  echo "127.0.0.1:$data/volumes" | config cinder/shares
  local conf=(--config-file "$etc/cinder/cinder.conf")
  wsgi 8776 /usr/bin/cinder-wsgi --pyargv "--config-file=$etc/cinder/cinder.conf"
  define cinder-api "http://$(api_host):8776/" "${wsgi_command[@]}"
  define cinder-scheduler - cinder-scheduler "${conf[@]}"
  define cinder-volume - env PYTHONPATH="$here/rig" PYTHONDONTWRITEBYTECODE=1 cinder-volume "${conf[@]}"
}
# Snapshots need nas_secure_file_operations off; as everything runs as root, that costs no sudo.
volume_driver() {
  if [ "$volumes" = fake ]; then
    echo volume_driver = cinder.tests.fake_driver.FakeLoggingVolumeDriver
    return
  fi
  local class=growing_driver.GrowingFiles
  [ "$RIG_ONLINE_EXTEND" = 1 ] || class=cinder.volume.drivers.nfs.NfsDriver
  cat <<X
volume_driver = $class
nfs_shares_config = $etc/cinder/shares
nfs_mount_point_base = $data/cinder/mnt
nfs_mount_attempts = 1
nfs_sparsed_volumes = true
nfs_qcow2_volumes = false
nfs_snapshot_support = true
nas_secure_file_operations = false
nas_secure_file_permissions = false
reserved_percentage = 0
max_over_subscription_ratio = 1000
X
}
schema_cinder() { inside cinder-manage --config-file "$etc/cinder/cinder.conf" db sync; }

mount_volumes() {
  [ "$volumes" = files ] || return 0
  if [ -e /sbin/mount.nfs ] && ! cmp -s "$here/rig/mount.nfs" /sbin/mount.nfs; then
    give_up "/sbin/mount.nfs belongs to something else: take --volumes fake"
  fi
  install -m 755 "$here/rig/mount.nfs" /sbin/mount.nfs
  mkdir -p "$data/volumes"
  mountpoint -q "$data/volumes" && return
  if [ ! -s "$data/volumes.ext4" ]; then
    truncate -s "${RIG_VOLUMES_GIB}G" "$data/volumes.ext4"
    mkfs.ext4 -q -F -m 0 "$data/volumes.ext4" || give_up "no file system for volumes"
  fi
  mount -o loop "$data/volumes.ext4" "$data/volumes" || give_up "no loop device for volumes: take --volumes fake"
  rm -rf "$data/volumes/lost+found"
}
# Another cloud of this machine mounts its volumes with it, too.
helper_is_needed() {
  [ -n "$(grep -hzsE '^RIG_SERVICE=.*/(cinder-volume|nova-compute)$' /proc/[0-9]*/environ | tr '\0' '\n' |
    grep -vxF -e "RIG_SERVICE=$RIG_STATE/cinder-volume" -e "RIG_SERVICE=$RIG_STATE/nova-compute")" ]
}
unmount_all() {
  local where
  awk -v under="$data/" 'index($2, under) == 1 {print $2}' /proc/mounts | sort -r | while read -r where; do
    umount "$where" 2>/dev/null || umount -l "$where"
  done
  if cmp -s "$here/rig/mount.nfs" /sbin/mount.nfs && ! helper_is_needed; then rm -f /sbin/mount.nfs; fi
}
