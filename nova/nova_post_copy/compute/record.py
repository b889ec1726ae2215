# SPDX-License-Identifier: Apache-2.0

"""Durable record of a migration, in a file on its source.

Nova's database says that a server is migrating and where to, but not what
nova-compute needs to finish the migration: after a restart upstream would
abort the migration, or forget where the server is. The file exists from the
request until the migration is reconciled::

    $state_path/post_copy/<uuid of the instance>.json

When memory of the server was lost, the file is moved to
``$state_path/post_copy_lost`` until the leftovers on this host are removed. A
destination has files of the same kind in ``$state_path/post_copy_prepared``
(:mod:`.prepared`).

A file that is damaged is not an error: then the database, Cinder and libvirt
must be enough (:mod:`.rebuilding`). A file that cannot be read now may be
whole: nothing is done, and nothing overwritten, until it can be read.
"""

from collections.abc import Callable
import os
import stat
import tempfile
import threading
import typing

from oslo_log import log as logging
from oslo_utils import fileutils
from oslo_utils import uuidutils

import nova.conf

from nova_post_copy.compute import record_format
from nova_post_copy.compute.record_format import Damaged
from nova_post_copy.compute.record_format import DeleteType  # noqa: F401
from nova_post_copy.compute.record_format import Outcome  # noqa: F401
from nova_post_copy.compute.record_format import Record
from nova_post_copy.compute.record_format import Unreadable

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Folders under $state_path.
CURRENT = 'post_copy'
LOST = 'post_copy_lost'
PREPARED = 'post_copy_prepared'
_SUFFIX = '.json'
# A delete may arrive while the migration is being started, or closed.
_updating = threading.Lock()


def write(record: Record, folder: str = CURRENT) -> None:
    """Write the record atomically: after a crash the old or new one is there.

    :raises OSError: the disk is full, for example
    """
    fileutils.ensure_tree(_directory(folder), mode=0o700)
    file, path = tempfile.mkstemp(dir=_directory(folder))
    with fileutils.remove_path_on_error(path):
        with os.fdopen(file, 'wb') as stream:
            stream.write(record_format.dump(record))
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(path, _path(record.instance_uuid, folder))
    _sync(folder)


def update(instance_uuid: str, **changes: typing.Any) -> Record:
    """Change fields of the record; returns it as it is then.

    :raises FileNotFoundError: there is none (any more)
    :raises OSError: it cannot be written
    :raises Damaged, Unreadable: as :func:`load` does
    """
    with _updating:
        record = load(instance_uuid)
        if record is None:
            raise FileNotFoundError(_path(instance_uuid))
        record = record._replace(**changes)
        write(record)
        return record


def load(instance_uuid: str, folder: str = CURRENT) -> Record | None:
    """Return the record; None if there is none.

    :raises Damaged: its content is not what was written
    :raises Unreadable: nobody can tell what its content is
    """
    path = _path(instance_uuid, folder)
    try:
        with open(path, 'rb') as stream:
            content = stream.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as exc:
        raise Unreadable(_what(path, exc)) from exc
    try:
        return record_format.parse(content, instance_uuid)
    except (Damaged, Unreadable) as exc:
        raise type(exc)(_what(path, exc)) from exc


def _what(path: str, error: Exception) -> str:
    return ('The record of the live migration in %(path)s cannot be read: '
            '%(error)s' % {'path': path, 'error': error})


def exists(instance_uuid: str) -> bool:
    """Tell whether there is a record, readable or not.

    If that cannot be seen there may be one, which is what counts.
    """
    try:
        return stat.S_ISREG(os.stat(_path(instance_uuid)).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        LOG.warning(_what(_path(instance_uuid), exc))
        return True


def all_instances(folder: str = CURRENT) -> list[str]:
    """Return the uuids of the instances that have a record."""
    try:
        names = os.listdir(_directory(folder))
    except FileNotFoundError:
        return []
    except OSError as exc:
        LOG.error('Unfinished live migrations are not reconciled, because '
                  'their records cannot be listed: %s', exc)
        return []
    uuids = (name.removesuffix(_SUFFIX) for name in names
             if name.endswith(_SUFFIX))
    return sorted(uuid for uuid in uuids
                  if uuidutils.is_uuid_like(uuid)
                  and os.path.isfile(_path(uuid, folder)))


def set_aside(instance_uuid: str) -> None:
    """Keep the record of a server whose memory was lost, if there is one."""
    try:
        fileutils.ensure_tree(_directory(LOST), mode=0o700)
        os.rename(_path(instance_uuid), _path(instance_uuid, LOST))
        _sync(LOST)
        _sync(CURRENT)
    except OSError as exc:
        LOG.warning('Remove what the server has left on this host manually: '
                    '%s', exc, instance_uuid=instance_uuid)
        remove(instance_uuid)


def remove(instance_uuid: str, folder: str = CURRENT) -> None:
    """Remove the record, if there is one."""
    try:
        fileutils.delete_if_exists(_path(instance_uuid, folder))
    except OSError as exc:
        # A record that stays is reconciled, and removed, once more.
        LOG.warning('The record of a finished live migration cannot be '
                    'removed: %s', exc)


def close(instance_uuid: str,
          dispose: Callable[[str], None] = remove) -> str | None:
    """Remove the record, unless the server is to be deleted.

    From then on a delete is nobody's but upstream's.

    :param dispose: what to do with the record
    :returns: the type of the delete; then the record stays
    """
    with _updating:
        record = load(instance_uuid)
        if record is not None and record.delete_type is not None:
            return record.delete_type
        dispose(instance_uuid)
        return None


def _directory(folder: str) -> str:
    return os.path.join(CONF.state_path, folder)


def _path(instance_uuid: str, folder: str = CURRENT) -> str:
    return os.path.join(_directory(folder), instance_uuid + _SUFFIX)


def _sync(folder: str) -> None:
    """Let the names in a folder survive a crash of the host."""
    directory = os.open(_directory(folder), os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
