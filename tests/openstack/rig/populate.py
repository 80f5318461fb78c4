"""What the test cloud holds before the first test, made over its own APIs; run again, it adds what is missing.

populate.py identities|resources --hypervisor fake|qemu --host ADDRESS --state DIRECTORY
"""
import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

PASSWORD = os.environ['RIG_PASSWORD']
REGION = os.environ['RIG_REGION']
NET_PREFIX = os.environ['RIG_NET_PREFIX']

# user: (its own project, roles there). `trove` is what a control plane gets: a plain member of one project.
TENANTS = {'trove': ('databases', ['member']), 'demo': ('demo', ['member']), 'alt': ('alt', ['member'])}
SERVICES = ['glance', 'placement', 'nova', 'neutron', 'cinder', 'swift']
ENDPOINTS = [('compute', 'nova', ':8774/v2.1'), ('image', 'glance', ':9292'), ('network', 'neutron', ':9696'),
             ('placement', 'placement', ':8778'), ('volumev3', 'cinderv3', ':8776/v3/%(project_id)s'),
             ('block-storage', 'cinder', ':8776/v3/%(project_id)s'),
             ('object-store', 'swift', ':8080/v1/AUTH_%(project_id)s')]
# name, MiB, GB, CPUs. Nova gives them ids, so that a client which confuses name and id fails here.
FLAVORS = [('db.nano', 256, 1, 1), ('db.tiny', 512, 1, 1), ('db.small', 1024, 4, 1), ('db.medium', 2048, 4, 2),
           ('db.large', 4096, 8, 2)]


class Api:
    """One user's view of the cloud."""

    def __init__(self, host, user, project):
        self.host, self.user, self.project = host, user, project
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.token = None
        domain = {'name': 'Default'}
        answer, headers = self.send('POST', ':5000/v3/auth/tokens', {'auth': {
            'identity': {'methods': ['password'],
                         'password': {'user': {'name': user, 'password': PASSWORD, 'domain': domain}}},
            'scope': {'project': {'name': project, 'domain': domain}}}})
        self.token = headers['X-Subject-Token']
        self.project_id = answer['token']['project']['id']
        self.user_id = answer['token']['user']['id']

    def send(self, method, where, body=None, raw=None, kind='application/json'):
        headers = {'Content-Type': kind, 'Accept': 'application/json'}
        if self.token:
            headers['X-Auth-Token'] = self.token
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request('http://' + self.host + where, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=60) as answer:
                text = answer.read()
                return (json.loads(text) if text.strip() else {}), answer.headers
        except urllib.error.HTTPError as error:
            raise RuntimeError('%s %s: %d %s' % (method, where, error.code, error.read()[:500])) from None

    def get(self, where):
        return self.send('GET', where)[0]

    def ensure(self, where, one, name, body, many=None):
        """The thing of that name, made when there is none. `where` is its collection."""
        for thing in self.get(where)[many or one + 's']:
            if thing['name'] == name:
                return thing
        return self.send('POST', where, {one: dict(body, name=name)})[0][one]


def identities(args):
    admin = Api(args.host, 'admin', 'admin')
    k = ':5000/v3/'
    roles = {name: admin.ensure(k + 'roles', 'role', name, {})['id']
             for name in ('admin', 'member', 'service', 'ResellerAdmin')}
    projects = {name: admin.ensure(k + 'projects', 'project', name, {'domain_id': 'default'})['id']
                for name in ['service'] + [project for project, _ in TENANTS.values()]}

    def user(name, project, its_roles):
        who = admin.ensure(k + 'users', 'user', name, {'domain_id': 'default', 'password': PASSWORD})['id']
        for role in its_roles:
            admin.send('PUT', '%sprojects/%s/users/%s/roles/%s' % (k, projects[project], who, roles[role]))

    for name in SERVICES:
        user(name, 'service', ['admin', 'service'])
    for name, (project, its_roles) in TENANTS.items():
        user(name, project, its_roles)
    there = {(e['service_id'], e['interface']) for e in admin.get(k + 'endpoints')['endpoints']}
    for kind, name, url in ENDPOINTS:
        service = admin.ensure(k + 'services', 'service', name, {'type': kind})['id']
        for interface in ('public', 'internal', 'admin'):
            if (service, interface) not in there:
                admin.send('POST', k + 'endpoints', {'endpoint': {
                    'service_id': service, 'interface': interface, 'region_id': REGION,
                    'url': 'http://' + args.host + url}})
    write_credentials(args)


def write_credentials(args):
    """clouds.yaml and openrc files; `trove-appcred` is an application credential instead of a password."""
    entries = {'admin': ('admin', 'admin')}
    entries.update({name: (name, project) for name, (project, _) in TENANTS.items()})
    url = 'http://%s:5000/v3' % args.host
    lines = ['clouds:']
    for name, (user, project) in entries.items():
        auth = dict(auth_url=url, username=user, password=PASSWORD, project_name=project, user_domain_name='Default',
                    project_domain_name='Default')
        lines += cloud_entry(name, auth)
        with private(os.path.join(args.state, 'openrc-' + name)) as file:
            for key, value in dict(auth, region_name=REGION, interface='public', identity_api_version='3').items():
                file.write('export OS_%s=%s\n' % (key.upper(), value))
    # Its secret can be read once, so it is made anew each time.
    trove = Api(args.host, 'trove', 'databases')
    where = ':5000/v3/users/%s/application_credentials' % trove.user_id
    for old in trove.get(where)['application_credentials']:
        if old['name'] == 'rig':
            trove.send('DELETE', where + '/' + old['id'])
    made = trove.send('POST', where, {'application_credential': {'name': 'rig'}})[0]['application_credential']
    lines += cloud_entry('trove-appcred', dict(auth_url=url, application_credential_id=made['id'],
                                               application_credential_secret=made['secret']),
                         'v3applicationcredential')
    with private(os.path.join(args.state, 'clouds.yaml')) as file:
        file.write('\n'.join(lines) + '\n')


def cloud_entry(name, auth, kind=None):
    lines = ['  %s:' % name, '    region_name: %s' % REGION, '    interface: public', '    identity_api_version: 3']
    if kind:
        lines.append('    auth_type: ' + kind)
    return lines + ['    auth:'] + ['      %s: "%s"' % pair for pair in auth.items()]


@contextlib.contextmanager
def private(path):
    with open(os.open(path + '.new', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as file:
        yield file
    os.rename(path + '.new', path)


def until(what, seconds, holds):
    began, why = time.monotonic(), ''
    while time.monotonic() - began < seconds:
        try:
            if holds():
                return
            why = 'not yet'
        except (RuntimeError, OSError) as error:
            why = str(error)
        time.sleep(0.3)
    sys.exit('populate: not there after %d s: %s (%s)' % (seconds, what, why))


def until_healthy(admin, qemu):
    cinder = ':8776/v3/' + admin.project_id

    def alive(where, rows, key, wanted):
        return lambda: wanted <= {row['binary'] for row in admin.get(where)[rows] if row[key] in (True, 'up')}

    agents = {'neutron-linuxbridge-agent'} | ({'neutron-dhcp-agent'} if qemu else set())
    until('Neutron\'s agents', 120, alive(':9696/v2.0/agents', 'agents', 'alive', agents))
    until('Cinder\'s services', 120,
          alive(cinder + '/os-services', 'services', 'state', {'cinder-scheduler', 'cinder-volume'}))
    until('Nova\'s services', 120, alive(':8774/v2.1/os-services', 'services', 'state',
                                         {'nova-conductor', 'nova-scheduler', 'nova-compute'}))
    until('the host in Placement', 120, lambda: admin.get(':8778/resource_providers')['resource_providers'])
    until('the host in its cell', 120, lambda: admin.get(':8774/v2.1/os-hypervisors')['hypervisors'])


def network(admin, name, owner_id, prefix, shared, flat):
    body = {'tenant_id': owner_id, 'shared': shared, 'provider:network_type': 'flat' if flat else 'local'}
    if flat:
        body['provider:physical_network'] = 'rig'
    made = admin.ensure(':9696/v2.0/networks', 'network', name, body)
    if not made['subnets']:
        admin.send('POST', ':9696/v2.0/subnets', {'subnet': {
            'network_id': made['id'], 'tenant_id': owner_id, 'name': name + '-v4', 'ip_version': 4,
            'cidr': prefix + '.0.0/16', 'gateway_ip': prefix + '.0.1', 'enable_dhcp': flat,
            'allocation_pools': [{'start': prefix + '.1.1', 'end': prefix + '.250.254'}]}})
    return made


def outside(admin, owner_id, shared):
    """rig-ext, where floating IPs come from. No agent routes anything; Neutron's own record is all that is asked for."""
    body = {'router:external': True, 'provider:network_type': 'local'}
    made = admin.ensure(':9696/v2.0/networks', 'network', 'rig-ext', body)
    if not made['subnets']:
        admin.send('POST', ':9696/v2.0/subnets', {'subnet': {
            'network_id': made['id'], 'name': 'rig-ext-v4', 'ip_version': 4, 'cidr': '203.0.113.0/24', 'enable_dhcp': False}})
    router = admin.ensure(':9696/v2.0/routers', 'router', 'rig-router', {
        'tenant_id': owner_id, 'external_gateway_info': {'network_id': made['id']}})
    where = ':9696/v2.0/ports?device_owner=network:router_interface&device_id=' + router['id']
    if not admin.get(where)['ports']:
        subnet = admin.get(':9696/v2.0/subnets?network_id=' + shared['id'])['subnets'][0]['id']
        admin.send('PUT', ':9696/v2.0/routers/%s/add_router_interface' % router['id'], {'subnet_id': subnet})


def resources(args):
    qemu = args.hypervisor == 'qemu'
    admin = Api(args.host, 'admin', 'admin')
    until_healthy(admin, qemu)
    project = {p['name']: p['id'] for p in admin.get(':5000/v3/projects')['projects']}

    for name, ram, disk, vcpus in FLAVORS:
        admin.ensure(':8774/v2.1/flavors', 'flavor', name, {'ram': ram, 'disk': disk, 'vcpus': vcpus})
    # What the fake hypervisor boots: nothing, a MiB of it.
    # An upload that was cut short left a queued one.
    images = admin.get(':9292/v2/images?name=empty')['images']
    for broken in [i for i in images if i['status'] != 'active']:
        admin.send('DELETE', ':9292/v2/images/' + broken['id'])
    if not any(i['status'] == 'active' for i in images):
        image = admin.send('POST', ':9292/v2/images', {'name': 'empty', 'disk_format': 'raw', 'container_format': 'bare',
                                                       'visibility': 'public'})[0]
        admin.send('PUT', ':9292/v2/images/%s/file' % image['id'], raw=bytes(1 << 20), kind='application/octet-stream')
    # A fixed MAC address is the right of a network's owner: the shared one belongs to the control plane's project.
    first, second = NET_PREFIX.split('.')
    shared = network(admin, 'rig-net', project['databases'], NET_PREFIX, True, qemu)
    if not qemu:  # there the host itself has the network's first address
        outside(admin, project['databases'], shared)
    network(admin, 'demo-net', project['demo'], '%s.%d' % (first, int(second) + 1), False, False)
    cinder = ':8776/v3/' + admin.project_id
    # Two of one backend: a volume goes from one to the other without being copied.
    for name in ('standard', 'other'):
        admin.ensure(cinder + '/types', 'volume_type', name, {'extra_specs': {'volume_backend_name': 'rig'}})
    key = os.path.join(args.state, 'id_rig')
    if not os.path.exists(key):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'rig', '-f', key], check=True)
    for user, (its_project, _) in TENANTS.items():
        tenant = Api(args.host, user, its_project)
        where = ':8774/v2.1/os-keypairs'
        if not any(k['keypair']['name'] == 'rig' for k in tenant.get(where)['keypairs']):
            with open(key + '.pub') as file:
                tenant.send('POST', where, {'keypair': {'name': 'rig', 'public_key': file.read().strip()}})
    # There is one host: of two servers in it the second finds none.
    Api(args.host, 'trove', TENANTS['trove'][0]).ensure(
        ':8774/v2.1/os-server-groups', 'server_group', 'rig-apart', {'policies': ['anti-affinity']})
    if qemu:
        # A guest that asks before this is answered much later.
        dhcp = ':9696/v2.0/ports?device_owner=network:dhcp&network_id=' + shared['id']
        until('DHCP of rig-net', 180, lambda: any(p['status'] == 'ACTIVE' for p in admin.get(dhcp)['ports']))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=['identities', 'resources'])
    parser.add_argument('--hypervisor', choices=['fake', 'qemu'], required=True)
    parser.add_argument('--host', required=True)
    parser.add_argument('--state', required=True)
    args = parser.parse_args()
    {'identities': identities, 'resources': resources}[args.what](args)


main()
