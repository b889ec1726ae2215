# SPDX-License-Identifier: Apache-2.0

"""glance: the images, in a directory."""

from lab.cloud.services import common
from lab import layout

_DIRECTORY = layout.CONFIG / 'glance'
_IMAGES = layout.STATE / 'images'


def configure() -> None:
    stores = {name: _IMAGES / name for name in (
        'lab', 'os_glance_staging_store', 'os_glance_tasks_store')}
    for path in stores.values():
        path.mkdir(parents=True, exist_ok=True)
    common.write_ini(_DIRECTORY / 'glance-api.conf', {
        'DEFAULT': {'enabled_backends': 'lab:file'},
        'glance_store': {'default_backend': 'lab'},
        **{name: {'filesystem_store_datadir': path}
           for name, path in stores.items()},
        'database': common.database('glance'),
        'keystone_authtoken': common.authtoken(),
        'paste_deploy': {
            'flavor': 'keystone',
            'config_file': layout.PREFIX / 'etc/glance/glance-api-paste.ini'},
        **common.oslo('glance'),
    })


def sync() -> list[list]:
    return [[layout.BIN / 'glance-manage', '--config-file',
             _DIRECTORY / 'glance-api.conf', 'db', 'sync']]


def start() -> None:
    common.start_wsgi('glance', 'glance.wsgi.api',
                      {'OS_GLANCE_CONFIG_DIR': str(_DIRECTORY)})


def wait() -> None:
    common.wait_wsgi('glance')
