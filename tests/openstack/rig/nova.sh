# Nova: servers, on one host. Sourced.

configure_nova() {
  mkdir -p "$data"/nova/{instances,lock,mnt} "$etc/nova"
  local driver=fake.FakeDriver drive=false power_state=600
  if [ "$hypervisor" = qemu ]; then driver=libvirt.LibvirtDriver drive=true power_state=60; fi
  # Intervals and waits are short, so that tests need not wait for what a big cloud spreads over a minute.
  config nova/nova.conf <<X
[DEFAULT]
$(basics)
transport_url = $(queue_url)
host = rig
my_ip = $(api_host)
state_path = $data/nova
instances_path = $data/nova/instances
compute_driver = $driver
force_config_drive = $drive
config_drive_format = iso9660
cpu_allocation_ratio = 64.0
ram_allocation_ratio = 4.0
disk_allocation_ratio = 100.0
reserved_host_memory_mb = 0
resume_guests_state_on_host_boot = false
allow_resize_to_same_host = true
resize_confirm_window = 0
block_device_allocate_retries = 300
block_device_allocate_retries_interval = 1
vif_plugging_is_fatal = true
vif_plugging_timeout = 120
periodic_fuzzy_delay = 0
sync_power_state_interval = $power_state
max_concurrent_builds = 10
remove_unused_base_images = false
[api]
auth_strategy = keystone
max_limit = 1000
[wsgi]
api_paste_config = /etc/nova/api-paste.ini
[api_database]
connection = $(sql_url nova_api)
$(database_section nova)
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 5
[filter_scheduler]
enabled_filters = ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter
[quota]
instances = ${quota[instances]}
cores = ${quota[cores]}
ram = ${quota[ram]}
key_pairs = -1
server_groups = -1
server_group_members = -1
[vnc]
enabled = false
[spice]
enabled = false
[serial_console]
enabled = false
[workarounds]
skip_cpu_compare_on_dest = true
[glance]
api_servers = http://$(api_host):9292
[placement]
region_name = $RIG_REGION
$(signs_in_as placement)
[neutron]
region_name = $RIG_REGION
$(signs_in_as neutron)
[cinder]
os_region_name = $RIG_REGION
catalog_info = volumev3::publicURL
$(signs_in_as cinder)
[service_user]
send_service_user_token = true
$(signs_in_as nova)
[libvirt]
virt_type = $RIG_VIRT_TYPE
$(if [ "$RIG_VIRT_TYPE" = qemu ]; then printf 'cpu_mode = custom\ncpu_models = %s' "$RIG_CPU_MODEL"; else echo 'cpu_mode = host-model'; fi)
hw_machine_type = x86_64=q35
num_pcie_ports = 16
images_type = qcow2
inject_partition = -2
nfs_mount_point_base = $data/nova/mnt
volume_use_multipath = false
$(checks_tokens_as nova)
$(messaging_sections nova)
X
  ln -sf /etc/nova/api-paste.ini "$etc/nova/api-paste.ini"
  # A compute host that could reach the database refuses to start.
  awk '/^\[/ {keep = $0 !~ /^\[(api_)?database\]$/} keep' "$etc/nova/nova.conf" | config nova-compute/nova.conf

  local conf=(--config-file "$etc/nova/nova.conf")
  wsgi 8774 /usr/bin/nova-api-wsgi
  define nova-api "http://$(api_host):8774/" env OS_NOVA_CONFIG_DIR="$etc/nova" "${wsgi_command[@]}"
  define nova-conductor - nova-conductor "${conf[@]}"
  define nova-scheduler - nova-scheduler "${conf[@]}"
  define nova-compute - nova-compute --config-file "$etc/nova-compute/nova.conf"
}

schema_nova() {
  local manage=(inside nova-manage --config-file "$etc/nova/nova.conf")
  "${manage[@]}" api_db sync && "${manage[@]}" cell_v2 map_cell0 --database_connection "$(sql_url nova_cell0)" || return
  "${manage[@]}" cell_v2 create_cell --name rig
  case $? in 0 | 2) ;; *) return 1 ;; esac # 2: it is there
  "${manage[@]}" db sync
}
