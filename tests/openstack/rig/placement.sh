# Placement: what each host has left. Sourced.

configure_placement() {
  mkdir -p "$data/placement/lock"
  config placement/placement.conf <<X
[DEFAULT]
$(basics)
[placement_database]
connection = $(sql_url placement)
[api]
auth_strategy = keystone
[oslo_concurrency]
lock_path = $data/placement/lock
$(checks_tokens_as placement)
X
  wsgi 8778 /usr/bin/placement-api
  define placement "http://$(api_host):8778/" env OS_PLACEMENT_CONFIG_DIR="$etc/placement" "${wsgi_command[@]}"
}
schema_placement() { inside placement-manage --config-file "$etc/placement/placement.conf" db sync; }
