# Glance: images as files. Sourced.

configure_glance() {
  mkdir -p "$data"/glance/{images,staging,lock}
  config glance/glance-api.conf <<X
[DEFAULT]
$(basics)
transport_url = $(queue_url)
bind_host = $(api_host)
bind_port = 9292
workers = 1
enabled_backends =
enabled_import_methods = [glance-direct]
node_staging_uri = file://$data/glance/staging
$(database_section glance)
[glance_store]
stores = file
default_store = file
filesystem_store_datadir = $data/glance/images
[paste_deploy]
flavor = keystone
config_file = /etc/glance/glance-api-paste.ini
$(checks_tokens_as glance)
$(messaging_sections glance)
X
  define glance "http://$(api_host):9292/" glance-api --config-file "$etc/glance/glance-api.conf"
}
schema_glance() { inside glance-manage --config-file "$etc/glance/glance-api.conf" db_sync; }
