# SPDX-License-Identifier: Apache-2.0

"""Durable record of a migration, in a file on its source.

Nova's database says that a server is migrating and where to, but not what
nova-compute needs to finish the migration: after a restart upstream would
abort the migration, or forget where the server is. The file exists from the
request until the migration is reconciled::

    $state_path/post_copy/<uuid of the instance>.json

When memory of the server was lost, the file is moved to
``$state_path/post_copy_lost`` until the leftovers on this host are removed.

A file that is unreadable or corrupt is not an error: then the database and
libvirt must be enough.
"""

import hashlib
import os
import tempfile
import threading
import typing

import jsonschema
from oslo_log import log as logging
from oslo_serialization import jsonutils
from oslo_utils import fileutils
from oslo_utils import uuidutils

import nova.conf
from nova import context as nova_context
from nova import objects
from nova.objects import base

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Version of the file format. A file with another version is unreadable.
VERSION = 1
# Folders under $state_path.
CURRENT = 'post_copy'
LOST = 'post_copy_lost'
_SUFFIX = '.json'
# A delete may arrive while the migration is being started.
_updating = threading.Lock()


class Record(typing.NamedTuple):
    instance_uuid: str
    migration_id: int
    dest: str
    block_migration: bool
    #: ids of the request, so that events join its instance action
    request_id: str
    user_id: str | None
    project_id: str | None
    migrate_data: objects.LibvirtLiveMigrateData
    #: block device mappings as they were on the source
    source_bdms: objects.BlockDeviceMappingList
    #: second address of the destination
    recovery_addr: str | None = None
    started: bool = False       #: the destination has been prepared
    flags: int = 0              #: libvirt's migration flags, once started
    deleting: bool = False      #: delete the server after the migration

    def context(self) -> nova_context.RequestContext:
        """Return an admin context with the ids of the request.

        The token of the user is not stored.
        """
        return nova_context.RequestContext(
            user_id=self.user_id, project_id=self.project_id, is_admin=True,
            request_id=self.request_id, overwrite=False)


# Schema of the file; the versioned objects check themselves.
_SCHEMA = {
    # The newest draft in which 1.0 is not an integer.
    '$schema': 'http://json-schema.org/draft-04/schema#',
    'type': 'object',
    'properties': {
        'version': {'enum': [VERSION]},
        'sha256': {'type': 'string'},
        'record': {
            'type': 'object',
            'properties': {
                'instance_uuid': {'type': 'string', 'format': 'uuid'},
                'migration_id': {'type': 'integer'},
                'dest': {'type': 'string', 'minLength': 1},
                'block_migration': {'type': 'boolean'},
                'request_id': {'type': 'string'},
                'user_id': {'type': ['string', 'null']},
                'project_id': {'type': ['string', 'null']},
                'migrate_data': {'type': 'object'},
                'source_bdms': {'type': 'object'},
                'recovery_addr': {'type': ['string', 'null']},
                'started': {'type': 'boolean'},
                'flags': {'type': 'integer'},
                'deleting': {'type': 'boolean'},
            },
            'required': list(Record._fields),
            'additionalProperties': False,
        },
    },
    'required': ['version', 'sha256', 'record'],
}


def write(record: Record) -> None:
    """Write the record atomically: after a crash the old or new one is there.

    :raises OSError: the disk is full, for example
    """
    fileutils.ensure_tree(_directory(CURRENT), mode=0o700)
    # Serialize and parse, so that the hash is over what load() will read.
    data = jsonutils.loads(jsonutils.dumps(record._asdict() | {
        'migrate_data': _without_secret(
            record.migrate_data).obj_to_primitive(),
        'source_bdms': record.source_bdms.obj_to_primitive()}))
    file, path = tempfile.mkstemp(dir=_directory(CURRENT))
    with fileutils.remove_path_on_error(path):
        with os.fdopen(file, 'wb') as stream:
            stream.write(jsonutils.dump_as_bytes(
                {'version': VERSION, 'sha256': _sha256(data),
                 'record': data}))
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(path, _path(record.instance_uuid))


def update(instance_uuid: str, **changes: typing.Any) -> Record:
    """Change fields of the record; returns it as it is then.

    :raises OSError: the record is gone, or cannot be written
    """
    with _updating:
        record = load(instance_uuid)
        if record is None:
            raise FileNotFoundError(_path(instance_uuid))
        record = record._replace(**changes)
        write(record)
        return record


def load(instance_uuid: str, folder: str = CURRENT) -> Record | None:
    """Return the record; None if there is no readable one."""
    path = _path(instance_uuid, folder)
    try:
        with open(path, 'rb') as stream:
            content = jsonutils.load(stream)
        jsonschema.validate(content, _SCHEMA)
        if content['sha256'] != _sha256(content['record']):
            raise ValueError('the content does not match the checksum')
        record = _from_primitive(content['record'])
        if record.instance_uuid != instance_uuid:
            raise ValueError('the record is of instance %s'
                             % record.instance_uuid)
        return record
    except FileNotFoundError:
        return None
    except Exception as exc:
        LOG.warning('The record of the live migration in %(path)s cannot be '
                    'read: %(error)s', {'path': path, 'error': exc})
        return None


def exists(instance_uuid: str) -> bool:
    """Tell whether there is a record, readable or not."""
    return os.path.isfile(_path(instance_uuid))


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


def _directory(folder: str) -> str:
    return os.path.join(CONF.state_path, folder)


def _path(instance_uuid: str, folder: str = CURRENT) -> str:
    return os.path.join(_directory(folder), instance_uuid + _SUFFIX)


def _sha256(data: dict[str, typing.Any]) -> str:
    return hashlib.sha256(
        jsonutils.dump_as_bytes(data, sort_keys=True)).hexdigest()


def _without_secret(
        migrate_data: objects.LibvirtLiveMigrateData
) -> objects.LibvirtLiveMigrateData:
    """Remove the secret of a vTPM: both hosts already have it."""
    if migrate_data.has_vtpm:
        migrate_data = migrate_data.obj_clone()
        migrate_data.vtpm_secret_value = None
    return migrate_data


def _from_primitive(data: dict[str, typing.Any]) -> Record:
    context = nova_context.get_admin_context()
    record = Record(**data | {
        name: base.NovaObject.obj_from_primitive(data[name], context)
        for name in ('migrate_data', 'source_bdms')})
    if not (isinstance(record.migrate_data, objects.LibvirtLiveMigrateData)
            and isinstance(record.source_bdms,
                           objects.BlockDeviceMappingList)):
        raise TypeError('the record holds objects of other types')
    return record
