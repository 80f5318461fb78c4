# Debian's packages of the services. Installed with nothing started and nothing asked. Sourced.

wanted_packages() {
  echo mariadb-server rabbitmq-server memcached eatmydata uwsgi-core uwsgi-plugin-python3
  echo python3-pymysql python3-pymemcache keystone glance-api placement-api
  echo nova-api nova-conductor nova-scheduler nova-compute
  echo neutron-server neutron-linuxbridge-agent neutron-dhcp-agent
  echo cinder-api cinder-scheduler cinder-volume
  echo swift-proxy swift-account swift-container swift-object python3-openstackclient
  echo sudo curl jq iproute2 iptables ebtables ipset e2fsprogs util-linux procps openssh-client
  if [ "$hypervisor" = qemu ]; then
    echo nova-compute-qemu libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils genisoimage dosfstools
  fi
}

policy=/usr/sbin/policy-rc.d
restore_policy() {
  if [ -e "$policy.before-rig" ]; then mv -f "$policy.before-rig" "$policy"
  elif grep -qs 'made by tests/openstack/up' "$policy"; then rm -f "$policy"; fi
}

install_packages() {
  local package missing=()
  restore_policy # an earlier run may have been killed half way
  for package in $(wanted_packages); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${#missing[@]} packages and what they need"
  # Maintainer scripts ask this file whether they may start a service: 101 is no.
  trap restore_policy EXIT
  trap 'exit 130' INT TERM
  [ -e "$policy" ] && mv "$policy" "$policy.before-rig"
  printf '#!/bin/sh\n# made by tests/openstack/up, which removes it\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  # Without this they would create databases for services that will never use them.
  echo 'dbconfig-common dbconfig-common/dbconfig-install boolean false' | debconf-set-selections
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold)
  {
    "${apt[@]}" update || say "the package lists are not fresh"
    "${apt[@]}" install --no-install-recommends "${missing[@]}"
  } >"$logs/packages.log" 2>&1 || { tail -n 5 "$logs/packages.log" >&2; give_up "apt-get failed: $logs/packages.log"; }
  restore_policy
  trap - EXIT INT TERM
}
