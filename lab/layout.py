# SPDX-License-Identifier: Apache-2.0

"""Where everything of the lab is: paths, addresses, ports, names.

Constants only; every other module of the lab takes them from here.

The addresses are of 198.18.0.0/15, which is set aside for the test of
network devices (RFC 2544): hardly any machine uses them for anything else.
"""

import dataclasses
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What one run of the lab writes: configuration, logs, databases, disks.
STATE = ROOT / '.lab'
CONFIG = STATE / 'etc'
LOGS = STATE / 'log'
# What a later run may use again.
CACHE = ROOT / '.cache' / 'lab'

# What the machine must know about the one lab that it can host, whichever
# checkout started it: who owns it, which processes are its, and what has to
# be put back.
RUN = pathlib.Path('/run/nova-post-copy-lab')

# Where pip has put the services and the files that belong to them.
PREFIX = pathlib.Path(sys.prefix)
BIN = PREFIX / 'bin'

REGION = 'lab'
PASSWORD = 'lab'    # of everyone; nothing listens outside of this machine


# Network namespaces. The first one holds only the bridges, so that the
# machine's own packet filter has no say in what passes between the hosts.
FABRIC = 'npc-fabric'

MACHINE = '198.18.90.1'         # this machine, on the management network
MACHINE_LINK = 'npc-machine'
LOOPBACK = '127.0.0.1'

# The network of the servers' ports, with the machine on it.
TENANT_CIDR = '198.18.92.0/24'
TENANT_MACHINE = '198.18.92.1'
TENANT_LINK = 'npc-tenant'
PHYSICAL_NETWORK = 'tenant'


@dataclasses.dataclass(frozen=True)
class HostLayout:
    """Names and addresses of one compute host."""

    name: str
    number: int

    @property
    def namespace(self) -> str:
        return 'npc-' + self.name

    @property
    def directory(self) -> pathlib.Path:
        return STATE / 'hosts' / self.name

    @property
    def management(self) -> str:
        return '198.18.90.%d' % (10 + self.number)

    @property
    def migration(self) -> str:
        return '198.18.91.%d' % (10 + self.number)

    @property
    def recovery(self) -> str:
        return '198.18.93.%d' % (10 + self.number)

    @property
    def uuid(self) -> str:
        """Identity of the host for libvirt, and of the compute node."""
        return '6e6f7661-0000-4000-8000-%012d' % self.number


HOSTS = (HostLayout('host-a', 1), HostLayout('host-b', 2))

# The same path on both hosts with different contents behind it.
INSTANCES = STATE / 'instances'

DATABASE_SOCKET = RUN / 'mariadb.sock'
CEPH_PORT = 25300
MESSAGE_PORT = 25671
MESSAGE_DISTRIBUTION_PORT = 25672
MESSAGE_NAMES_PORT = 25369      # Erlang's port mapper

# The WSGI services: port, and path of the API behind it.
API_PORTS = {
    'keystone': 25000,
    'placement': 25778,
    'glance': 25292,
    'neutron': 25696,
    'nova-api': 25774,
}
# What else is served in the same way, where it is wanted: volumes, the
# dashboard, and an API of Nova without nova-post-copy.
WSGI_PORTS = API_PORTS | {
    'cinder': 25776,
    'horizon': 25080,
    'nova-api-upstream': 25775,
}
AUTH_URL = 'http://%s:%d/v3' % (LOOPBACK, API_PORTS['keystone'])

MIB = 1024 * 1024
# Of the migration network: about two Gb/s.
MIGRATION_BANDWIDTH_BYTES_PER_S = 200 * MIB
