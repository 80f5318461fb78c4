# Every part of the cloud, in the order of starting. Sourced by up, down, exec and service.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo "rig: root is needed" >&2; exit 1; }
# --state comes first, because the settings are read from there.
if [ "${1:-}" = --state ]; then RIG_STATE=$(realpath -m "${2:?--state DIRECTORY}"); shift 2; fi
. "$here/rig/settings.sh"
for part in process packages config base keystone placement glance neutron nova cinder swift hypervisor; do
  . "$here/rig/$part.sh"
done
# What each service is started with; also writes its configuration.
define_services() {
  service_names=()
  mkdir -p "$etc" "$run" "$logs" "$data" "$cache"
  configure_base
  configure_keystone
  configure_placement
  configure_neutron
  configure_hypervisor
  configure_nova
  configure_glance
  configure_cinder
  configure_swift
}
