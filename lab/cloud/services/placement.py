# SPDX-License-Identifier: Apache-2.0

"""placement: which host has what, and who has taken it."""

from lab.cloud.services import common
from lab import layout

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
