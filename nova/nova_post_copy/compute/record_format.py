# SPDX-License-Identifier: Apache-2.0

"""Content of the durable record, and its form in the file."""

import enum
import hashlib
import typing

import jsonschema
from oslo_serialization import jsonutils
from oslo_versionedobjects import exception as object_exception

from nova import context as nova_context
from nova import objects
from nova.objects import base

# Version of the file format. Version 1 had the field "deleting", a boolean.
VERSION = 2


class Unreadable(Exception):
    """The file cannot be read now: an I/O error, permissions, a newer version.

    It may be whole, so nothing may take its place.
    """


class Damaged(Exception):
    """The file has other content than was written."""


class DeleteType(enum.StrEnum):
    """What was asked for while the server migrated; Nova's words."""

    DELETE = 'delete'
    SOFT_DELETE = 'soft_delete'


class Outcome(enum.StrEnum):
    """How the migration ended; Nova's own last steps are done."""

    ARRIVED = 'arrived'             #: the server is on the destination
    ROLLED_BACK = 'rolled back'     #: the server is on the source
    LOST = 'lost'                   #: on the destination, without its memory


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
    #: block device mappings as they were on the source; None: not known yet
    source_bdms: objects.BlockDeviceMappingList | None
    #: second address of the destination
    recovery_addr: str | None = None
    #: why no broken stream to the destination may be resumed
    resume_refusal: str | None = None
    started: bool = False       #: the destination has been prepared
    flags: int = 0              #: libvirt's migration flags, once started
    #: delete the server when the migration is over
    delete_type: str | None = None
    #: the source's attachments are deleted in Cinder
    released: bool = False
    #: those of the destination, once the mappings are the source's again
    dest_bdms: objects.BlockDeviceMappingList | None = None
    #: the destination has disconnected them
    disconnected: bool = False
    #: set when only outside facts are left to be compared
    outcome: str | None = None

    def context(self) -> nova_context.RequestContext:
        """Return an admin context with the ids of the request.

        The token of the user is not stored.
        """
        return nova_context.RequestContext(
            user_id=self.user_id, project_id=self.project_id, is_admin=True,
            request_id=self.request_id, overwrite=False)


_FIELDS: dict[str, typing.Any] = {
    'instance_uuid': {'type': 'string', 'format': 'uuid'},
    'migration_id': {'type': 'integer'},
    'dest': {'type': 'string', 'minLength': 1},
    'block_migration': {'type': 'boolean'},
    'request_id': {'type': 'string'},
    'user_id': {'type': ['string', 'null']},
    'project_id': {'type': ['string', 'null']},
    'migrate_data': {'type': 'object'},
    'source_bdms': {'type': ['object', 'null']},
    'recovery_addr': {'type': ['string', 'null']},
    'started': {'type': 'boolean'},
    'flags': {'type': 'integer'},
}


def _schema(version: int, **fields: typing.Any) -> dict[str, typing.Any]:
    """Return the schema of a file; the versioned objects check themselves."""
    return {
        # The newest draft in which 1.0 is not an integer.
        '$schema': 'http://json-schema.org/draft-04/schema#',
        'type': 'object',
        'properties': {
            'version': {'enum': [version]},
            'sha256': {'type': 'string'},
            'record': {
                'type': 'object',
                'properties': _FIELDS | fields,
                'required': [*_FIELDS, *fields],
                'additionalProperties': False,
            },
        },
        'required': ['version', 'sha256', 'record'],
    }


_SCHEMAS = {
    1: _schema(1, deleting={'type': 'boolean'}),
    2: _schema(2, delete_type={'enum': [None, *DeleteType]},
               resume_refusal={'type': ['string', 'null']},
               released={'type': 'boolean'},
               dest_bdms={'type': ['object', 'null']},
               disconnected={'type': 'boolean'},
               outcome={'enum': [None, *Outcome]}),
}


def dump(record: Record) -> bytes:
    """Return the content of the file."""
    # Serialize and parse, so that the hash is over what parse() will read.
    data = jsonutils.loads(jsonutils.dumps(record._asdict() | {
        'migrate_data': _without_secret(
            record.migrate_data).obj_to_primitive()} | {
        name: None if bdms is None else bdms.obj_to_primitive()
        for name, bdms in (('source_bdms', record.source_bdms),
                           ('dest_bdms', record.dest_bdms))}))
    return jsonutils.dump_as_bytes(
        {'version': VERSION, 'sha256': _sha256(data), 'record': data})


def parse(content: bytes, instance_uuid: str) -> Record:
    """Return the record in a file of this version or of an earlier one.

    :raises Unreadable: it is of a later version
    :raises Damaged: it is not what was written for this instance
    """
    try:
        record = _parse(content)
        if record.instance_uuid != instance_uuid:
            raise ValueError('the record is of instance %s'
                             % record.instance_uuid)
        return record
    except object_exception.IncompatibleObjectVersion as exc:
        raise Unreadable(str(exc)) from exc
    except Unreadable:
        raise
    except Exception as exc:
        raise Damaged(str(exc)) from exc


def _parse(content: bytes) -> Record:
    envelope = jsonutils.loads(content)
    version = envelope['version']
    if envelope['sha256'] != _sha256(envelope['record']):
        raise ValueError('the content does not match the checksum')
    if type(version) is int and version > VERSION:
        raise Unreadable('its version, %d, is newer than this nova-post-copy'
                         % version)
    jsonschema.validate(envelope, _SCHEMAS[version])
    data = dict(envelope['record'])
    if version == 1:
        data['delete_type'] = (
            DeleteType.DELETE if data.pop('deleting') else None)
    return _from_primitive(data)


def _from_primitive(data: dict[str, typing.Any]) -> Record:
    context = nova_context.get_admin_context()
    record = Record(**data | {
        name: data[name] and base.NovaObject.obj_from_primitive(
            data[name], context)
        for name in ('migrate_data', 'source_bdms', 'dest_bdms')
        if name in data})
    if not (isinstance(record.migrate_data, objects.LibvirtLiveMigrateData)
            and all(isinstance(each, objects.BlockDeviceMappingList | None)
                    for each in (record.source_bdms, record.dest_bdms))):
        raise TypeError('the record holds objects of other types')
    return record


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
