# SPDX-License-Identifier: Apache-2.0

"""MariaDB, and the template of all databases.

Making the schemas takes most of a minute, so their result is kept: a copy of
the data directory, named by what went into it.
"""

import hashlib
import importlib.metadata
import pathlib
import shutil
import subprocess

from lab.cloud import process
from lab import errors
from lab import layout
from lab import wait

DATA = layout.STATE / 'mariadb'
NAMES = ('keystone', 'placement', 'glance', 'neutron', 'nova_api',
         'nova_cell0', 'nova_cell1', 'cinder')
# Whose release decides what a schema looks like.
_PACKAGES = ('keystone', 'openstack-placement', 'glance', 'neutron', 'nova',
             'cinder')

_server = process.Process('mariadb')


def template(*more: str) -> pathlib.Path:
    """Return where the template of this environment is or will be.

    :param more: what else decides about the contents
    """
    parts = ['%s %s' % (name, importlib.metadata.version(name))
             for name in _PACKAGES]
    parts += [subprocess.run(['mariadbd', '--version'], check=True,
                             capture_output=True, text=True).stdout, *more]
    digest = hashlib.sha256('\n'.join(parts).encode()).hexdigest()
    return layout.CACHE / ('databases-' + digest[:16])


def exists() -> bool:
    return (DATA / 'mysql').is_dir()


def restore(path: pathlib.Path) -> bool:
    """Begin with the databases of a template; False: there is none."""
    if not path.is_dir():
        return False
    _copy(path, DATA)
    return True


def save(path: pathlib.Path) -> None:
    """Keep the databases as a template, in place of all older ones."""
    stop()
    for old in path.parent.glob('databases-*'):
        shutil.rmtree(old)
    partial = path.with_name('partial')
    shutil.rmtree(partial, ignore_errors=True)
    _copy(DATA, partial)
    partial.rename(path)    # whole or not at all


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(['cp', '--archive', '--reflink=auto', '--sparse=always',
                    source, target], check=True)


def create() -> None:
    """Make an empty data directory."""
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.parent.mkdir(parents=True, exist_ok=True)
    _server.log.parent.mkdir(parents=True, exist_ok=True)
    with _server.log.open('ab') as log:
        done = subprocess.run(
            ['mariadb-install-db', '--no-defaults', '--user=root',
             '--datadir=%s' % DATA, '--skip-test-db',
             '--auth-root-authentication-method=normal',
             '--innodb-log-file-size=16M', '--skip-name-resolve'],
            stdout=log, stderr=log)
    if done.returncode:
        raise errors.with_log('MariaDB could not make its data directory',
                              _server.log)


def start() -> None:
    # The lab may lose its last second of data: no flush at each commit.
    _server.start([
        'mariadbd', '--no-defaults', '--user=root', '--datadir=%s' % DATA,
        '--socket=%s' % layout.DATABASE_SOCKET, '--skip-networking',
        '--pid-file=%s' % (DATA / 'mariadb.pid'),
        '--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=0',
        '--innodb-log-file-size=16M', '--innodb-buffer-pool-size=128M',
        '--innodb-buffer-pool-dump-at-shutdown=0',
        '--innodb-buffer-pool-load-at-startup=0',
        '--innodb-flush-method=nosync', '--skip-log-bin',
        '--performance-schema=0', '--max-connections=500',
        '--character-set-server=utf8mb3'])


def wait_ready() -> None:
    wait.until(_answers, 'answer of MariaDB', 60, _server.log,
               alive=_server.is_alive, interval=0.05)


def _answers() -> bool:
    import pymysql

    try:
        connect().close()
    except pymysql.err.OperationalError:
        return False
    return True


def connect():
    """Return a PyMySQL connection."""
    import pymysql

    return pymysql.connect(unix_socket=str(layout.DATABASE_SOCKET),
                           user='root', autocommit=True)


def create_databases() -> None:
    connection = connect()
    with connection.cursor() as cursor:
        for name in NAMES:
            cursor.execute('CREATE DATABASE IF NOT EXISTS ' + name)
    connection.close()


def stop() -> None:
    _server.end(grace=30)
