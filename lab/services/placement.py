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


"""placement: which host has what, and who has taken it."""

from lab import layout
from lab.services import common

_DIRECTORY = layout.CONFIG / 'placement'


def configure() -> None:
    common.write_ini(_DIRECTORY / 'placement.conf', {
        'placement_database': common.database('placement'),
        'api': {'auth_strategy': 'keystone'},
        'keystone_authtoken': common.authtoken(),
        **common.oslo('placement'),
    })


def sync() -> list[list]:
    return [[layout.BIN / 'placement-manage', '--config-dir', _DIRECTORY,
             'db', 'sync']]


def start() -> None:
    common.start_wsgi('placement', 'placement.wsgi.api',
                      {'OS_PLACEMENT_CONFIG_DIR': str(_DIRECTORY)})


def wait() -> None:
    common.wait_wsgi('placement')
