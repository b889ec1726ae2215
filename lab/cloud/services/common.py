# SPDX-License-Identifier: Apache-2.0

"""What the configuration of all services has in common."""

from collections.abc import Mapping, Sequence
import pathlib
import socket
import sys

from lab.cloud import process
from lab import layout
from lab import wait

USER = 'service'        # the account that the services use with each other

TRANSPORT_URL = 'rabbit://guest:guest@%s:%d/' % (
    layout.MACHINE, layout.MESSAGE_PORT)

# The hosts reach the APIs on the management network; see also content.py.
INTERNAL_AUTH_URL = 'http://%s:%d/v3' % (
    layout.MACHINE, layout.API_PORTS['keystone'])

Sections = Mapping[str, Mapping[str, object]]


def write_ini(path: pathlib.Path, sections: Sections) -> None:
    """Write an oslo.config file; a list becomes a repeated option."""
    lines = []
    for section, options in sections.items():
        lines.append('[%s]' % section)
        for name, value in options.items():
            values = value if isinstance(value, list) else [value]
            lines += ['%s = %s' % (name, value) for value in values]
        lines.append('')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines))


def database(name: str) -> dict[str, object]:
    """Return the options of a database section."""
    return {'connection': 'mysql+pymysql://root@localhost/%s?unix_socket=%s'
            % (name, layout.DATABASE_SOCKET),
            # Six threads and a few loops; MariaDB starts with fewer.
            'max_pool_size': 5}


def credentials() -> dict[str, object]:
    """Return the options by which a service is a client of another."""
    return {
        'auth_type': 'password',
        'auth_url': INTERNAL_AUTH_URL,
        'username': USER,
        'password': layout.PASSWORD,
        'user_domain_name': 'Default',
        'project_name': USER,
        'project_domain_name': 'Default',
        'region_name': layout.REGION,
        'valid_interfaces': 'internal',
    }


def authtoken() -> dict[str, object]:
    """Return the options by which an API checks its callers' tokens."""
    options = credentials()
    for name in ('region_name', 'valid_interfaces'):
        del options[name]
    return options | {'www_authenticate_uri': INTERNAL_AUTH_URL,
                      'interface': 'internal',
                      'service_token_roles_required': True}


def oslo(name: str) -> dict[str, Mapping[str, object]]:
    """Return the sections that every service with oslo libraries has."""
    return {
        'oslo_concurrency': {'lock_path': layout.STATE / 'lock' / name},
        'oslo_messaging_rabbit': {'rabbit_transient_quorum_queue': False,
                                  'heartbeat_timeout_threshold': 60},
    }


def start_wsgi(name: str, module: str, env: Mapping[str, str],
               options: Sequence[str] = ()) -> None:
    """Serve a WSGI API as production does, with one worker.

    Without "Connection: close", clients that keep a connection alive now and
    then find it reset.
    """
    addresses = ['%s:%d' % (address, layout.WSGI_PORTS[name])
                 for address in (layout.LOOPBACK, layout.MACHINE)]
    process.Process(name).start(
        [layout.BIN / 'uwsgi', '--module', module + ':application',
         *(option for address in addresses
           for option in ('--http-socket', address)),
         '--processes', '1', '--threads', '6', '--enable-threads',
         '--lazy-apps', '--need-app', '--die-on-term',
         '--http-chunked-input', '--add-header', 'Connection: close',
         '--buffer-size', '65535', '--home', sys.prefix, *options],
        env=dict(env))


def wait_wsgi(name: str, limit: float = 90) -> None:
    """Wait until an API has loaded and accepts connections.

    uWSGI listens before the application is there, and with --lazy-apps only
    its answer tells: so ask for one.
    """
    service = process.Process(name)
    address = (layout.LOOPBACK, layout.WSGI_PORTS[name])

    def answers() -> bool:
        with socket.create_connection(address, timeout=limit) as connection:
            connection.sendall(b'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n')
            return connection.recv(16).startswith(b'HTTP/1.')

    wait.until(answers, 'answer of ' + name, limit, service.log,
               alive=service.is_alive)
