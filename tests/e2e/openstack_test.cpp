// The same story that tests/openstack/run tells of a real cloud, here of trove-sim-cloud.
#include "../openstack/converge.cpp"
