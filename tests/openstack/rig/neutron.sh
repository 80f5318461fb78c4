# Neutron: ports, addresses, security groups; ML2 with Linux bridges. Sourced.

configure_neutron() {
  mkdir -p "$data/neutron/lock"
  local firewall=noop enforce=false
  if [ "$hypervisor" = qemu ]; then firewall=iptables enforce=true; fi
  config neutron/neutron.conf <<X
[DEFAULT]
$(basics)
transport_url = $(queue_url)
host = rig
state_path = $data/neutron
bind_host = $(api_host)
bind_port = 9696
api_workers = 1
rpc_workers = 1
rpc_state_report_workers = 0
rpc_response_timeout = 20
auth_strategy = keystone
api_paste_config = /etc/neutron/api-paste.ini
core_plugin = ml2
service_plugins = router
dhcp_agents_per_network = 1
dns_domain = rig.test.
notify_nova_on_port_status_changes = true
notify_nova_on_port_data_changes = true
$(database_section neutron)
[quotas]
quota_port = ${quota[ports]}
quota_security_group = ${quota[security_groups]}
quota_security_group_rule = -1
quota_network = -1
quota_subnet = -1
quota_router = -1
quota_floatingip = -1
[nova]
region_name = $RIG_REGION
$(signs_in_as nova)
[placement]
region_name = $RIG_REGION
$(signs_in_as placement)
[experimental]
linuxbridge = true
[agent]
report_interval = 15
root_helper = sudo neutron-rootwrap /etc/neutron/rootwrap.conf
root_helper_daemon = sudo neutron-rootwrap-daemon /etc/neutron/rootwrap.conf
$(checks_tokens_as neutron)
$(messaging_sections neutron)
X
  config neutron/ml2.ini <<X
[ml2]
type_drivers = flat,local
tenant_network_types = local
mechanism_drivers = linuxbridge
extension_drivers = port_security
[ml2_type_flat]
flat_networks = rig
[securitygroup]
enable_security_group = true
firewall_driver = $firewall
X
  # Not bridge_mappings: Nova plugs into brq<network> whatever a mapping says.
  config neutron/linuxbridge.ini <<X
[linux_bridge]
$([ "$hypervisor" = qemu ] && echo "physical_interface_mappings = rig:$RIG_HOST_LINK-net")
[vxlan]
enable_vxlan = false
[securitygroup]
enable_security_group = $enforce
firewall_driver = $firewall
[agent]
polling_interval = 1
prevent_arp_spoofing = $enforce
X
  config neutron/dhcp.ini <<'X'
[DEFAULT]
interface_driver = linuxbridge
dhcp_driver = neutron.agent.linux.dhcp.Dnsmasq
dnsmasq_local_resolv = false
enable_isolated_metadata = false
X
  local conf=(--config-file "$etc/neutron/neutron.conf")
  define neutron-server neutron_answers neutron-server "${conf[@]}" --config-file "$etc/neutron/ml2.ini"
  define neutron-linuxbridge - neutron-linuxbridge-agent "${conf[@]}" --config-file "$etc/neutron/linuxbridge.ini"
  if [ "$hypervisor" = qemu ]; then
    define neutron-dhcp - neutron-dhcp-agent "${conf[@]}" --config-file "$etc/neutron/dhcp.ini"
  fi
}
# Asked for ports before anything else, a new server fails ("Port has no attribute port_forwardings") until some other
# query has made SQLAlchemy complete its classes. Listing security groups does.
neutron_answers() {
  local token login
  login='{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"neutron","password":"'$RIG_PASSWORD'",
    "domain":{"id":"default"}}}},"scope":{"project":{"name":"service","domain":{"id":"default"}}}}}'
  token=$(inside curl -s -m 5 -o /dev/null -D - -H 'Content-Type: application/json' -d "$login" \
    "http://$(api_host):5000/v3/auth/tokens" | tr -d '\r' | awk 'tolower($1) == "x-subject-token:" {print $2}')
  inside curl -s -f -m 5 -o /dev/null -H "X-Auth-Token: $token" "http://$(api_host):9696/v2.0/security-groups?limit=1" &&
    inside curl -s -f -m 5 -o /dev/null -H "X-Auth-Token: $token" "http://$(api_host):9696/v2.0/ports?limit=1"
}
schema_neutron() {
  inside neutron-db-manage --config-file "$etc/neutron/neutron.conf" --config-file "$etc/neutron/ml2.ini" upgrade heads
}
