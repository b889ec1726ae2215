# SPDX-License-Identifier: Apache-2.0

"""Cinder: API, scheduler and volume service, with its RBD driver."""

import functools

from lab.cloud import process
from lab.cloud.services import ceph
from lab.cloud.services import common
from lab.cloud.services import messages
from lab import layout

_DIRECTORY = layout.CONFIG / 'cinder'
_CONFIG = _DIRECTORY / 'cinder.conf'
_SCHEDULER = process.Process('cinder-scheduler')
_VOLUME = process.Process('cinder-volume')
_BACKEND = 'ceph'


def processes() -> list[process.Process]:
    """Return the services, the API included."""
    return [process.Process('cinder'), _SCHEDULER, _VOLUME]


def configure() -> None:
    privsep = {'helper_command': '%s --config-file %s' % (
        layout.BIN / 'privsep-helper', _CONFIG)}
    common.write_ini(_CONFIG, {
        'DEFAULT': {
            'transport_url': common.TRANSPORT_URL,
            'host': 'controller',
            'state_path': layout.STATE / 'cinder',
            'api_paste_config': layout.PREFIX / 'etc/cinder/api-paste.ini',
            'resource_query_filters_file':
                layout.PREFIX / 'etc/cinder/resource_filters.json',
            'auth_strategy': 'keystone',
            'enabled_backends': _BACKEND,
            'default_volume_type': '__DEFAULT__',
            'glance_catalog_info': 'image:glance:internalURL',
        },
        _BACKEND: {
            'volume_driver': 'cinder.volume.drivers.rbd.RBDDriver',
            'volume_backend_name': _BACKEND,
            'rbd_pool': ceph.VOLUMES,
            'rbd_user': ceph.USER,
            'rbd_ceph_conf': ceph.CONFIG,
            'rbd_secret_uuid': ceph.SECRET,
        },
        'coordination': {
            'backend_url': 'file://%s' % (layout.STATE / 'cinder/locks')},
        'database': common.database('cinder'),
        'keystone_authtoken': common.authtoken(),
        'service_user': common.credentials() | {
            'send_service_user_token': True},
        'nova': common.credentials() | {'interface': 'internal'},
        'cinder_sys_admin': privsep,
        'privsep_osbrick': privsep,
        **common.oslo('cinder'),
    })


def sync() -> list[list]:
    return [[layout.BIN / 'cinder-manage', '--config-file', _CONFIG,
             'db', 'sync']]


def start_api() -> None:
    common.start_wsgi('cinder', 'cinder.wsgi.api', {}, options=(
        '--pyargv', '--config-file %s' % _CONFIG))


def wait_api() -> None:
    common.wait_wsgi('cinder')


def _start(service: process.Process, topic: str) -> None:
    service.start([layout.BIN / service.name, '--config-file', _CONFIG])
    messages.wait_consumer(service, topic)


start_scheduler = functools.partial(_start, _SCHEDULER, 'cinder-scheduler')
start_volume = functools.partial(_start, _VOLUME, 'cinder-volume')
