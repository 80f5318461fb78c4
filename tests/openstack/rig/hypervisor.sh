# qemu needs a place of its own: namespaces for network and mounts, and libvirt inside. Sourced.
#
# The namespace has loopback and one cable into the shared network, so nothing in it can reach the world, and the
# firewall rules of security groups are not the machine's. The fake hypervisor needs none of it.

make_place() {
  [ "$hypervisor" = qemu ] || return 0
  running hold && return
  mkdir -p "$etc/libvirt" /run/libvirt /run/netns
  cp -an /etc/libvirt/. "$etc/libvirt/" 2>/dev/null
  rm -rf "$etc/libvirt/qemu/networks/autostart" "$etc"/libvirt/qemu/*.xml
  config libvirt/libvirtd.conf <<'X'
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
X
  config libvirt/qemu.conf <<'X'
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
max_core = 0
X
  rm -f "$run/place-made"
  # /sys is of the network namespace that mounted it; the others would be shared with a libvirt of the machine's.
  spawn hold unshare --net --mount --propagation slave sh -euc "
    mount -t sysfs sysfs /sys
    mount -t tmpfs tmpfs /run/libvirt
    mount -t tmpfs tmpfs /run/netns
    mount --bind '$etc/libvirt' /etc/libvirt
    ip link set lo up
    ip link add $RIG_HOST_LINK type veth peer name $RIG_HOST_LINK-net
    ip address add $(api_host)/16 dev $RIG_HOST_LINK
    ip link set $RIG_HOST_LINK up
    ip link set $RIG_HOST_LINK-net up
    sysctl -qw net.ipv4.ip_forward=0
    touch '$run/place-made'
    exec sleep infinity"
  until_true 10 "the namespaces" test -e "$run/place-made" || give_up "no namespaces: $logs/hold.log"
  ip netns attach "$RIG_NAMESPACE" "$(leader_of hold)" 2>/dev/null
}
configure_hypervisor() {
  [ "$hypervisor" = qemu ] || return 0
  define libvirtd "inside virsh -q list" libvirtd
}
# Guests first: they are libvirt's children, not the services'.
end_guests() {
  local guest pid_file pid
  if running libvirtd; then
    inside virsh -q list --name 2>/dev/null | while read -r guest; do
      [ -z "$guest" ] || inside virsh -q destroy "$guest" >/dev/null 2>&1
    done
  fi
  # dnsmasq is nobody's child; it wrote its pid, and a stranger with that number has another command line.
  for pid_file in "$data"/neutron/dhcp/*/pid "$data"/neutron/external/pids/*; do
    pid=$(cat "$pid_file" 2>/dev/null) || continue
    if grep -qasF "$data/neutron" "/proc/$pid/cmdline"; then kill "$pid" 2>/dev/null; fi
  done
}
leave_place() {
  [ "$hypervisor" = qemu ] || return 0
  ip netns delete "$RIG_NAMESPACE" 2>/dev/null
  end_members hold KILL
  rm -f "$run/hold.pid"
}
