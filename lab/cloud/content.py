# SPDX-License-Identifier: Apache-2.0

"""What the cloud contains once it is up: accounts, endpoints, flavors, image.

Everything by the services' REST APIs; each function may be called again and
adds what is not there.
"""

import pathlib
import shlex

from keystoneauth1.identity import v3
from keystoneauth1 import session as keystone_session

from lab.cloud.services import common
from lab import guest
from lab import layout

_SERVICES = {
    # name: (type, path of its API)
    'placement': ('placement', ''),
    'glance': ('image', ''),
    'neutron': ('network', ''),
    'nova-api': ('compute', '/v2.1'),
}
_VOLUMES = {'cinder': ('block-storage', '/v3')}

# For the busy guest, for one that has little to copy, and for one with Linux.
FLAVORS = (
    {'name': 'lab.small', 'ram': 512, 'vcpus': 1, 'disk': 0},
    {'name': 'lab.tiny', 'ram': 128, 'vcpus': 1, 'disk': 0},
    {'name': 'lab.linux', 'ram': 256, 'vcpus': 1, 'disk': 0},
)


def session(project: str = 'demo', user: str = 'admin',
            auth_url: str = layout.AUTH_URL) -> keystone_session.Session:
    """Return a session of a user in a project."""
    return keystone_session.Session(auth=v3.Password(
        auth_url=auth_url, username=user, password=layout.PASSWORD,
        project_name=project, user_domain_id='default',
        project_domain_id='default'))


def openrc() -> str:
    """Return the lines that make a shell's clients use the lab."""
    variables = {
        'OS_AUTH_URL': layout.AUTH_URL,
        'OS_IDENTITY_API_VERSION': '3',
        'OS_USERNAME': 'admin',
        'OS_PASSWORD': layout.PASSWORD,
        'OS_PROJECT_NAME': 'demo',
        'OS_USER_DOMAIN_NAME': 'Default',
        'OS_PROJECT_DOMAIN_NAME': 'Default',
        'OS_REGION_NAME': layout.REGION,
        'PATH': '%s:$PATH' % layout.BIN,
    }
    return ''.join('export %s=%s\n' % (
        name, value if '$' in value else shlex.quote(value))
        for name, value in variables.items())


def catalogue(volumes: bool) -> None:
    """Create the accounts of services and users, and the endpoints.

    Before any service asks for an endpoint: Nova remembers for ever that
    placement is not in the catalogue.

    :param volumes: with Cinder
    """
    admin = session('admin')
    url = 'http://%s:%d/v3' % (layout.LOOPBACK, layout.API_PORTS['keystone'])

    def get(path: str) -> dict:
        return admin.get(url + path).json()

    def post(path: str, kind: str, **fields: str) -> str:
        body = admin.post(url + path, json={kind: fields}).json()
        return body[kind]['id']

    if any(service['type'] == 'compute'
           for service in get('/services')['services']):
        return
    roles = {role['name']: role['id'] for role in get('/roles')['roles']}
    users = {user['name']: user['id'] for user in get('/users')['users']}
    for name in (common.USER, 'demo'):
        users[name] = post('/users', 'user', name=name, domain_id='default',
                           password=layout.PASSWORD)
    for project, grants in (
            (common.USER, ((common.USER, 'admin'), (common.USER, 'service'))),
            ('demo', (('admin', 'admin'), ('demo', 'member')))):
        project_id = post('/projects', 'project', name=project,
                          domain_id='default')
        for user, role in grants:
            admin.put('%s/projects/%s/users/%s/roles/%s' % (
                url, project_id, users[user], roles[role]))
    services = _SERVICES | (_VOLUMES if volumes else {})
    for name, (kind, path) in services.items():
        service = post('/services', 'service', type=kind, name=name)
        for interface, address in (('public', layout.LOOPBACK),
                                   ('internal', layout.MACHINE)):
            post('/endpoints', 'endpoint', service_id=service,
                 interface=interface, region_id=layout.REGION,
                 url='http://%s:%d%s' % (
                     address, layout.WSGI_PORTS[name], path))


def flavors(nova) -> None:
    """Create the flavors.

    :param nova: a novaclient
    """
    exist = {flavor.name for flavor in nova.flavors.list()}
    for flavor in FLAVORS:
        if flavor['name'] not in exist:
            nova.flavors.create(**flavor)


def guest_image(admin: keystone_session.Session) -> None:
    """Upload the guest of :mod:`lab.guest` as the image ``guest``."""
    path = layout.STATE / 'guest.raw'
    guest.build_image(path)
    upload_image(admin, 'guest', path, {})


def tenant_network(admin: keystone_session.Session) -> None:
    """Create the network ``tenant``, which this machine is on, too."""
    service = {'service_type': 'network', 'region_name': layout.REGION}
    if admin.get('/v2.0/networks?name=tenant',
                 endpoint_filter=service).json()['networks']:
        return
    network = admin.post('/v2.0/networks', endpoint_filter=service, json={
        'network': {'name': 'tenant', 'shared': True,
                    'provider:network_type': 'flat',
                    'provider:physical_network': layout.PHYSICAL_NETWORK},
    }).json()['network']
    admin.post('/v2.0/subnets', endpoint_filter=service, json={
        'subnet': {'network_id': network['id'], 'ip_version': 4,
                   'cidr': layout.TENANT_CIDR, 'enable_dhcp': False,
                   'gateway_ip': layout.TENANT_MACHINE}})


def upload_image(admin: keystone_session.Session, name: str,
                 path: str | pathlib.Path,
                 properties: dict[str, str]) -> str:
    """Replace the image of this name and return its id.

    :param properties: on top of, or in place of, what makes it a raw disk
    """
    service = {'service_type': 'image', 'region_name': layout.REGION}
    old = admin.get('/v2/images?name=' + name,
                    endpoint_filter=service).json()['images']
    for image in old:
        admin.delete('/v2/images/' + image['id'], endpoint_filter=service)
    image_id = admin.post(
        '/v2/images', endpoint_filter=service,
        json={'name': name, 'disk_format': 'raw', 'container_format': 'bare',
              'visibility': 'public'} | properties).json()['id']
    with open(path, 'rb') as stream:
        admin.put('/v2/images/%s/file' % image_id, endpoint_filter=service,
                  data=stream,
                  headers={'Content-Type': 'application/octet-stream'})
    return image_id
