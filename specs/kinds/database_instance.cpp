#include "specs/kinds/tables.hpp"

namespace trove::tables {

namespace {
constexpr std::string_view kOtherEngine =
    "an engine cannot become another one in place: make a second instance and move the data";
constexpr std::string_view kOtherVersion =
    "not done in place in this release: make a second instance with the new version and move the data";
constexpr std::string_view kOtherDisk =
    "the data stays on the disk it was first put on: make a second instance and move the data (bootstrapFrom a backup)";
constexpr std::string_view kOtherZone =
    "a server and its volume stay in the zone they were made in: make a second instance there with bootstrapFrom a backup, "
    "and move over to it";
constexpr std::string_view kOtherGroup =
    "a server stays in the server group it was made in, nova moves none: make a second instance there with bootstrapFrom a "
    "backup, and move over to it";
constexpr std::string_view kBootstrapOnce =
    "a backup is only restored while an instance is made: make a second instance with bootstrapFrom";
}  // namespace

Kind database_instance() {
  Kind kind;
  kind.name = "DatabaseInstance";
  kind.plural = "databaseinstances";
  kind.short_name = "inst";
  kind.doc = "A database server: one engine, its data volume and its address. The server may be replaced; volume and "
             "address stay.";
  kind.stateful = true;
  kind.example = R"(apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: orders-db}
spec:
  datastore: {type: mariadb}
  flavor: db.small
  volume: {size: 10}
  access: {allowedCidrs: [10.20.0.0/16]}
)";
  kind.fields = {
      {.path = "datastore",
       .type = FieldType::object,
       .doc = "Which database engine runs.",
       .required = true,
       .change = Change::forbidden,
       .refusal = kOtherEngine},
      {.path = "datastore.type",
       .doc = "The engine. mysql and mariadb are one engine here: MariaDB.",
       .required = true,
       .change = Change::forbidden,
       .values = {"mysql", "mariadb", "postgresql", "redis", "memcached"},
       .refusal = kOtherEngine},
      {.path = "datastore.version",
       .doc =
           "Version the engine must have, as \"10.11\" or \"15\". Without it: the version that the cloud's image has.",
       .change = Change::forbidden,
       .format = Format::version,
       .max = 32,
       .refusal = kOtherVersion},
      {.path = "flavor",
       .doc = "Nova flavor of the server, by name or id. The engine's caches are sized from its memory.",
       .required = true,
       .change = Change::reboot,
       .min = 1,
       .max = 255,
       .see = "inst.spec.maintenance.disruptiveChanges"},
      {.path = "volume",
       .type = FieldType::object,
       .doc =
           "A data volume that is made with the instance. MariaDB and PostgreSQL need this or volumeRef; Redis keeps "
           "its data only in memory without one; Memcached takes none.",
       .change = Change::forbidden,
       .see = "inst.spec.volumeRef",
       .refusal = kOtherDisk,
       .one_of = "volume"},
      {.path = "volume.size",
       .type = FieldType::integer,
       .doc = "Size of the data volume. It may grow while the database runs, and never shrinks.",
       .required = true,
       .change = Change::live,
       .min = 1,
       .max = kMostGib,
       .unit = "GiB",
       .grows_only = true},
      {.path = "volume.type",
       .doc = "Cinder volume type, by name or id. Changing it has Cinder retype the volume while the database runs; where the "
              "types are of different backends all data is copied, which may take long. Without it: the cloud's default at "
              "creation, and no change later.",
       .min = 1,
       .max = 255},
      {.path = "availabilityZone",
       .doc = "Availability zone of the server and of the volume that is made with it, as the cloud calls it. Without it: "
              "what troved was started with, else the cloud's choice.",
       .change = Change::forbidden,
       .min = 1,
       .max = 255,
       .refusal = kOtherZone},
      {.path = "serverGroup",
       .doc = "Nova server group of the server, by name or id: its policy (affinity, anti-affinity, and their soft forms) says "
              "on which hosts the instances that name it run. The group is made by its owner, as by `openstack server group "
              "create --policy anti-affinity NAME`.",
       .change = Change::forbidden,
       .min = 1,
       .max = 255,
       .refusal = kOtherGroup},
      {.path = "volumeRef",
       .type = FieldType::object,
       .doc = "A Volume object to keep the data on, with a life of its own.",
       .change = Change::forbidden,
       .reference = "Volume",
       .see = "vol",
       .refusal = kOtherDisk,
       .one_of = "volume"},
      reference_name("volumeRef.name", "Name of the Volume, in the same project.", Change::forbidden, kOtherDisk),
      {.path = "configurationRef",
       .type = FieldType::object,
       .doc = "The ConfigurationGroup whose parameters the engine runs with. A changed parameter has the change class "
              "that "
              "`explain cfg.ENGINE.PARAMETER` names.",
       .reference = "ConfigurationGroup",
       .see = "cfg.spec.parameters"},
      reference_name("configurationRef.name", "Name of the ConfigurationGroup, in the same project."),
      {.path = "access", .type = FieldType::object, .doc = "Who may connect over the network.", .default_json = "{}"},
      {.path = "access.allowedCidrs",
       .type = FieldType::list,
       .doc = "Networks that may reach the engine's port. An empty list lets nobody in.",
       .default_json = R"(["127.0.0.0/8"])",
       .max = 64},
      {.path = "access.allowedCidrs[]",
       .doc = "An IPv4 or IPv6 network, as 10.20.0.0/16.",
       .format = Format::cidr,
       .max = 64},
      {.path = "access.public",
       .type = FieldType::boolean,
       .doc = "Gives the instance an address that is reached from outside the cloud as well: a floating IP of troved's "
              "--external-network. Who may connect is still up to allowedCidrs.",
       .default_json = "false"},
      {.path = "rootAccess",
       .type = FieldType::boolean,
       .doc = "Makes an administrator's login; its password is in the Secret NAME-root.",
       .default_json = "false"},
      {.path = "deletionProtection",
       .type = FieldType::boolean,
       .doc = "While true, deleting this object is refused.",
       .default_json = "false",
       .change = Change::none},
      {.path = "maintenance",
       .type = FieldType::object,
       .doc = "When changes that interrupt the database may happen.",
       .default_json = "{}",
       .change = Change::none},
      {.path = "maintenance.disruptiveChanges",
       .doc =
           "Immediate: restarts and reboots that a spec change needs happen at once. Manual: they wait until somebody "
           "approves them.",
       .default_json = R"("Manual")",
       .change = Change::none,
       .values = {"Immediate", "Manual"},
       .see = "op"},
      {.path = "bootstrapFrom",
       .type = FieldType::object,
       .doc = "What to fill a new instance with. Only read while the instance is made; may be removed later.",
       .change = Change::forbidden,
       .refusal = kBootstrapOnce,
       .removable = true},
      {.path = "bootstrapFrom.backupRef",
       .type = FieldType::object,
       .doc = "The Backup to restore.",
       .required = true,
       .change = Change::forbidden,
       .reference = "Backup",
       .see = "bk",
       .refusal = kBootstrapOnce},
      reference_name("bootstrapFrom.backupRef.name", "Name of the Backup, in the same project.", Change::forbidden,
                     kBootstrapOnce),
  };
  add_common_block(kind.fields, kRetain);
  return kind;
}

}  // namespace trove::tables
