// An instance with a database and a user, as most tests of the loop begin.
#pragma once

namespace trove {

inline constexpr const char* kShop = R"(
apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: orders-db}
spec:
  datastore: {type: mariadb}
  flavor: db.tiny
  volume: {size: 2}
---
apiVersion: trove/v1alpha1
kind: Database
metadata: {name: orders}
spec: {instanceRef: {name: orders-db}}
---
apiVersion: trove/v1alpha1
kind: User
metadata: {name: orders-app}
spec:
  instanceRef: {name: orders-db}
  password: {generate: {length: 24}}
  grants: [{privileges: [SELECT], on: "orders.*"}]
)";

}  // namespace trove
