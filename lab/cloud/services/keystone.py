# SPDX-License-Identifier: Apache-2.0

"""keystone: who is who, and where the other services are."""

from cryptography import fernet

from lab.cloud.services import common
from lab import layout

_DIRECTORY = layout.CONFIG / 'keystone'


def configure() -> None:
    keys = _DIRECTORY / 'fernet-keys'
    common.write_ini(_DIRECTORY / 'keystone.conf', {
        'DEFAULT': {'transport_url': common.TRANSPORT_URL},
        'database': common.database('keystone'),
        'token': {'provider': 'fernet'},
        'fernet_tokens': {'key_repository': keys},
        'fernet_receipts': {'key_repository': keys},
        'credential': {'key_repository': keys},
        # Four rounds in place of twelve: everybody's password is known.
        'identity': {'password_hash_rounds': 4},
        **common.oslo('keystone'),
    })
    keys.mkdir(mode=0o700, exist_ok=True)
    for name in ('0', '1'):
        if not (keys / name).exists():
            (keys / name).write_bytes(fernet.Fernet.generate_key())


def sync() -> list[list]:
    manage = [layout.BIN / 'keystone-manage', '--config-file',
              _DIRECTORY / 'keystone.conf']
    port = layout.API_PORTS['keystone']
    return [
        [*manage, 'db_sync'],
        [*manage, 'bootstrap', '--bootstrap-password', layout.PASSWORD,
         '--bootstrap-region-id', layout.REGION,
         '--bootstrap-public-url',
         'http://%s:%d/v3' % (layout.LOOPBACK, port),
         '--bootstrap-internal-url',
         'http://%s:%d/v3' % (layout.MACHINE, port)],
    ]


def start() -> None:
    common.start_wsgi('keystone', 'keystone.wsgi.api',
                      {'OS_KEYSTONE_CONFIG_DIR': str(_DIRECTORY)})


def wait() -> None:
    common.wait_wsgi('keystone')
