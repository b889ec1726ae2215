# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.


"""keystone: who is who, and where the other services are."""

from cryptography import fernet

from lab import layout
from lab.services import common

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
