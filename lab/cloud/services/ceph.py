# SPDX-License-Identifier: Apache-2.0

"""Ceph: disks of servers and volumes as RBD images, on one daemon each.

A monitor, a manager (without one the free space is never known) and one OSD in
a sparse file, in the machine's own namespaces; the hosts reach them on the
management network. One copy of each object: this is about who writes, not
about what survives a disk.
"""

import base64
import errno
import json
import pathlib
import secrets
import shutil
import subprocess
import time

from lab.cloud import process
from lab import layout
from lab import wait

DIRECTORY = layout.STATE / 'ceph'
CONFIG = layout.CONFIG / 'ceph/ceph.conf'
#: pools, and the user of each: Nova's disks, Cinder's volumes
DISKS = 'vms'
VOLUMES = 'volumes'
USER = 'openstack'
#: identity of the key in libvirt's secrets
SECRET = '6e6f7661-0000-4000-8000-00000000ceff'

_FSID = '6e6f7661-0000-4000-8000-00000000ceff'
_KEYRING = layout.CONFIG / 'ceph/keyring'
_OSD_BYTES = 8 << 30
_MONITOR = process.Process('ceph-mon')
_MANAGER = process.Process('ceph-mgr')
_OSD = process.Process('ceph-osd')
_LOG = layout.LOGS / 'ceph-setup.log'
_ANSWER_LIMIT_S = 20
# Seconds until Ceph forgets a client that was killed, and some.
_FORGOTTEN_S = 60

_CONF = '''\
[global]
fsid = %(fsid)s
mon_host = v2:%(address)s:%(port)d
keyring = %(keyring)s
run_dir = %(directory)s
admin_socket = %(directory)s/$name.asok
ms_bind_msgr1 = false
public_addr = %(address)s
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false

[mon]
mon_data = %(directory)s/mon
mon_data_avail_warn = 1
mon_data_avail_crit = 1
paxos_propose_interval = 0.05
auth_allow_insecure_global_id_reclaim = false

[mgr]
mgr_data = %(directory)s/mgr
mgr_stats_period = 1
mgr_initial_modules =

[osd]
osd_data = %(directory)s/osd
osd_objectstore = bluestore
bluestore_block_size = %(osd_bytes)d
bluestore_cache_autotune = false
bluestore_cache_size = 67108864
osd_memory_target = 939524096
'''


def processes() -> list[process.Process]:
    """Return the daemons."""
    return [_MONITOR, _MANAGER, _OSD]


def configure() -> None:
    """Write the configuration, and a key for everybody."""
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    CONFIG.write_text(_CONF % {
        'fsid': _FSID, 'address': layout.MACHINE, 'port': layout.CEPH_PORT,
        'keyring': _KEYRING, 'directory': DIRECTORY,
        'osd_bytes': _OSD_BYTES})
    if _KEYRING.exists():
        return
    _KEYRING.touch(mode=0o600)
    _KEYRING.write_text(''.join(
        '[%s]\n\tkey = %s\n%s' % (name, _new_key(), ''.join(
            '\tcaps %s = "%s"\n' % cap for cap in caps.items()))
        for name, caps in {
            'mon.': {'mon': 'allow *'},
            'client.admin': {'mon': 'allow *', 'mgr': 'allow *',
                             'osd': 'allow *'},
            'mgr.a': {'mon': 'allow profile mgr', 'osd': 'allow *'},
            'osd.0': {'mon': 'allow profile osd', 'mgr': 'allow profile osd',
                      'osd': 'allow *'},
            'client.' + USER: {'mon': 'profile rbd', 'mgr': 'profile rbd',
                               'osd': 'profile rbd'},
        }.items()))


def start() -> None:
    """Start the daemons, in this order, and make the pools."""
    if not (DIRECTORY / 'mon/keyring').exists():
        _make_monitor()
    _MONITOR.start(['ceph-mon', '--foreground', '--conf', CONFIG,
                    '--id', 'a'])
    wait.until(lambda: _asks('mon', 'stat'), 'answer of the Ceph monitor', 30,
               _MONITOR.log, alive=_MONITOR.is_alive)
    _MANAGER.start(['ceph-mgr', '--foreground', '--conf', CONFIG,
                    '--id', 'a'])
    if not (DIRECTORY / 'osd/ready').exists():
        _make_osd()
    _OSD.start(['ceph-osd', '--foreground', '--conf', CONFIG, '--id', '0'])
    for pool in (DISKS, VOLUMES):
        _ask('osd', 'pool', 'create', pool)
        _ask('osd', 'pool', 'application', 'enable', pool, 'rbd')


def wait_ready() -> None:
    """Wait until the free space is known: Nova would see 0 bytes before."""
    wait.until(lambda: json.loads(_ask('df', '--format=json'))['stats'][
        'total_avail_bytes'] > 0, 'free space in Ceph', 90, _OSD.log,
        alive=_OSD.is_alive, interval=0.3)


def remove() -> None:
    """Remove the data of daemons that have ended."""
    shutil.rmtree(DIRECTORY, ignore_errors=True)


def key() -> bytes:
    """Return the key of :data:`USER`, as libvirt takes it."""
    lines = _KEYRING.read_text().split('[client.%s]' % USER)[1].splitlines()
    return base64.b64decode(lines[1].partition('= ')[2])


def images(pool: str) -> list[str]:
    """Return the names of the images in a pool.

    :raises subprocess.SubprocessError: Ceph does not answer
    """
    return json.loads(_rbd('ls', '--format=json', pool).stdout)


def watchers(pool: str, image: str) -> list[str] | None:
    """Return the IP addresses of those who have an image open to write.

    :returns: one each; None: there is no such image
    :raises subprocess.SubprocessError: Ceph does not answer
    """
    try:
        answer = _rbd('status', '--format=json', '%s/%s' % (pool, image))
    except subprocess.CalledProcessError as exc:
        if exc.returncode == errno.ENOENT:
            return None
        raise
    return [watcher['address'].partition(':')[0]
            for watcher in json.loads(answer.stdout)['watchers']]


def remove_images(pool: str) -> None:
    """Remove all images of a pool, when nobody has them open any more.

    :raises lab.errors.LabError: somebody still has
    """
    def removed(image: str) -> bool:
        try:
            _rbd('rm', '%s/%s' % (pool, image))
        except subprocess.CalledProcessError as exc:
            return exc.returncode == errno.ENOENT
        return True

    for image in images(pool):
        wait.until(lambda image=image: removed(image),
                   'end of the image ' + image, _FORGOTTEN_S, interval=1)


def _rbd(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(['rbd', '--conf', CONFIG, *command], check=True,
                          text=True, capture_output=True,
                          timeout=wait.scaled(_ANSWER_LIMIT_S))


def _make_monitor() -> None:
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    for name in ('mon', 'mgr', 'osd'):
        (DIRECTORY / name).mkdir(parents=True)
    monmap = DIRECTORY / 'monmap'
    _run('monmaptool', '--create', '--fsid', _FSID, '--addv', 'a',
         '[v2:%s:%d]' % (layout.MACHINE, layout.CEPH_PORT), monmap)
    _run('ceph-mon', '--conf', CONFIG, '--mkfs', '--id', 'a', '--monmap',
         monmap, '--keyring', _KEYRING)


def _make_osd() -> None:
    _ask('osd', 'new', _FSID, '0')
    _run('ceph-osd', '--conf', CONFIG, '--id', '0', '--mkfs', '--osd-uuid',
         _FSID, '--keyring', _KEYRING)


def _asks(*command: str) -> bool:
    return subprocess.run(_command(*command), capture_output=True
                          ).returncode == 0


def _ask(*command: str) -> str:
    return subprocess.run(_command(*command), check=True, text=True,
                          capture_output=True).stdout


def _command(*command: str) -> list[str | pathlib.Path]:
    return ['ceph', '--conf', CONFIG, '--connect-timeout=10', *command]


def _run(*command: str | pathlib.Path) -> None:
    process.run(command, 'set Ceph up', _LOG, 120)


def _new_key() -> str:
    """Return a key as ceph-authtool(8) makes them: type, time, length."""
    secret = secrets.token_bytes(16)
    header = (1).to_bytes(2, 'little') + int(time.time()).to_bytes(
        4, 'little') + bytes(4) + len(secret).to_bytes(2, 'little')
    return base64.b64encode(header + secret).decode()
