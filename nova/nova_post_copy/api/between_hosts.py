# SPDX-License-Identifier: Apache-2.0

"""What the API does with each request for a server that is between two hosts.

Upstream decides by the task state of the server, which anybody with a script
can reset while libvirt continues to move the server. Here the migration
decides. The requests of all controllers, at all microversions, pass through
the methods of ``nova.compute.api.API``; the table :data:`RULES` has a line for
each one that gets a server. Requests for servers without an unfinished
migration with ``post_copy: true`` are answered by upstream alone.
"""

from collections.abc import Callable
import enum
import functools
import typing

from webob import exc

from nova.compute import api as compute
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy import exception
from nova_post_copy.objects import migration as migration_obj
from nova_post_copy.objects.migration import Status
from nova_post_copy.objects import service

_Method = typing.TypeVar('_Method', bound=Callable[..., typing.Any])


class Refused(enum.Enum):
    """When a request is refused."""

    #: as upstream answers
    NEVER = enum.auto()
    #: until the migration is over, in whatever phase it is
    UNFINISHED = enum.auto()
    #: while the server may be on two hosts
    BETWEEN_HOSTS = enum.auto()
    #: then, if the nova-compute that would carry the request out is down
    BETWEEN_HOSTS_AND_DOWN = enum.auto()
    #: likewise, and while a conductor chooses the destination
    ACCEPTED_TOO = enum.auto()


class Rule(typing.NamedTuple):
    refused: Refused
    why: str                #: what the request does to a copy of the server


_STARTS = Rule(Refused.UNFINISHED, 'starts or stops a copy')
_STALE = Rule(Refused.UNFINISHED, 'acts on the copy that may be stale')
_MOVES = Rule(Refused.UNFINISHED, 'moves a copy that may be stale')
_DEVICES = Rule(Refused.UNFINISHED, 'changes the devices of one copy only')
_EVACUATES = Rule(Refused.BETWEEN_HOSTS, 'starts a second copy')
_DELETES = Rule(
    Refused.BETWEEN_HOSTS_AND_DOWN,
    'is carried out when the migration is over; without nova-compute, '
    'upstream frees ports and volumes of a server that runs')
_SOFT_DELETES = Rule(
    Refused.ACCEPTED_TOO,
    'is carried out like a delete; but a conductor that finds no destination '
    'makes the server ACTIVE again, as if nobody had deleted it')
_READS = Rule(Refused.NEVER, 'reads')
_RECORD = Rule(Refused.NEVER, 'changes only what the database says')
_NETWORK = Rule(Refused.NEVER, 'changes ports in neutron, not the guest')
_MIGRATION = Rule(Refused.NEVER, 'acts on the migration itself')
_TELLS = Rule(Refused.NEVER, 'tells hosts what has happened')

#: Each method of ``nova.compute.api.API`` that gets a server.
RULES = {
    'start': _STARTS,
    'stop': _STARTS,
    'force_stop': _STARTS,
    'reboot': _STARTS,
    'pause': _STARTS,
    'unpause': _STARTS,
    'suspend': _STARTS,
    'resume': _STARTS,
    'rescue': _STARTS,
    'unrescue': _STARTS,
    'restore': _STARTS,
    'rebuild': _STARTS,
    'resize': _MOVES,
    'confirm_resize': _MOVES,
    'revert_resize': _MOVES,
    'shelve': _MOVES,
    'shelve_offload': _MOVES,
    'unshelve': _MOVES,
    'live_migrate': _MOVES,
    'evacuate': _EVACUATES,
    'delete': _DELETES,
    'force_delete': _DELETES,
    'soft_delete': _SOFT_DELETES,
    'backup': _STALE,
    'snapshot': _STALE,
    'snapshot_volume_backed': _STALE,
    'volume_snapshot_create': _STALE,
    'volume_snapshot_delete': _STALE,
    'trigger_crash_dump': _STALE,
    'set_admin_password': _STALE,
    'get_vnc_console': _STALE,
    'get_spice_console': _STALE,
    'get_serial_console': _STALE,
    'get_mks_console': _STALE,
    'attach_volume': _DEVICES,
    'detach_volume': _DEVICES,
    'swap_volume': _DEVICES,
    'attach_interface': _DEVICES,
    'detach_interface': _DEVICES,
    'allow_share': _DEVICES,
    'deny_share': _DEVICES,
    'live_migrate_abort': _MIGRATION,
    'live_migrate_force_complete': _MIGRATION,
    'external_instance_event': _TELLS,
    'add_fixed_ip': _NETWORK,
    'remove_fixed_ip': _NETWORK,
    'inject_network_info': _NETWORK,
    'lock': _RECORD,
    'unlock': _RECORD,
    'update_instance': _RECORD,
    'update_instance_metadata': _RECORD,
    'delete_instance_metadata': _RECORD,
    'get': _READS,
    'get_console_output': _READS,
    'get_diagnostics': _READS,
    'get_instance_diagnostics': _READS,
    'get_instance_host_status': _READS,
    'get_instance_metadata': _READS,
    'get_instances_host_statuses': _READS,
    'get_migration_by_id_and_instance': _READS,
    'get_migrations_in_progress_by_instance': _READS,
    'is_expected_locked_by': _READS,
    'ensure_compute_version_for_resource_request': _READS,
}

#: These get a volume in place of its server, and are Cinder's. Its client, and
#: upstream's controller, know 400 for a server in the wrong state.
_BY_VOLUME = ('volume_snapshot_create', 'volume_snapshot_delete')


def guard(upstream: _Method) -> _Method:
    """Wrap a method of ``nova.compute.api.API`` by its rule.

    The wrapped method raises what each controller of upstream's lets through:

    :raises webob.exc.HTTPConflict: a migration forbids the request, or
        another request changed the server at the same moment
    :raises webob.exc.HTTPBadRequest: likewise, to Cinder
    """
    refused = RULES[upstream.__name__].refused
    if refused is Refused.NEVER:
        return upstream
    if upstream.__name__ in _BY_VOLUME:
        return _guard_volume(upstream)

    @functools.wraps(upstream)
    def method(self, context, instance, *args, **kwargs):
        refusal = _refusal(self, context, instance, upstream.__name__)
        if refusal is not None:
            raise exc.HTTPConflict(explanation=refusal.format_message())
        try:
            return upstream(self, context, instance, *args, **kwargs)
        except nova_exception.UnexpectedTaskStateError as error:
            raise exc.HTTPConflict(explanation=(
                exception.PostCopyOtherRequest(
                    method=upstream.__name__, instance_uuid=instance.uuid,
                    reason=error.format_message()).format_message()))

    return typing.cast(_Method, method)


def _guard_volume(upstream: _Method) -> _Method:
    @functools.wraps(upstream)
    def method(self, context, volume_id, *args, **kwargs):
        bdm = self._get_bdm_by_volume_id(
            context, volume_id, expected_attrs=['instance'])
        refusal = _refusal(self, context, bdm.instance, upstream.__name__)
        if refusal is not None:
            raise exc.HTTPBadRequest(explanation=refusal.format_message())
        return upstream(self, context, volume_id, *args, **kwargs)

    return typing.cast(_Method, method)


def _refusal(api: compute.API, context, instance: objects.Instance,
             method: str) -> nova_exception.NovaException | None:
    """Return why a request is refused now; None: it is not."""
    if instance.host is None:
        # Such as a server that is being built, whose context has no cell yet.
        return None
    refused = RULES[method].refused
    between = migration_obj.between_hosts(context, instance.uuid)
    if refused is Refused.UNFINISHED:
        migration = between or _before_libvirt(context, instance)
        return migration and _unfinished(instance, migration, method)
    if between is None:
        if refused is not Refused.ACCEPTED_TOO:
            return None
        accepted = _before_libvirt(context, instance)
        return (_unfinished(instance, accepted, method)
                if accepted and accepted.status == Status.ACCEPTED else None)
    if refused is Refused.BETWEEN_HOSTS:
        return _evacuation(instance, between)
    if service.compute_is_up(context, instance.host):
        return None
    return exception.PostCopyDeleteRefused(
        instance_uuid=instance.uuid, migration_id=between.id,
        status=between.status)


def _before_libvirt(context, instance: objects.Instance
                    ) -> objects.Migration | None:
    """Return the migration of a server that is still on its source.

    Once the server was evacuated from there, that migration is history.
    """
    return migration_obj.unfinished(
        context, instance.uuid, source=instance.host)


def check_no_other(context, instance: objects.Instance) -> None:
    """Refuse a live migration of ours beside any other of the server.

    Two are queued one behind the other on the source. The second would be
    prepared for a server that the first one has taken away by then.

    :raises webob.exc.HTTPConflict: another one is not over
    """
    other = migration_obj.other_unfinished(
        context, instance.uuid, instance.host)
    if other is None:
        return
    stale = _('If nothing of it runs any more, because nova-compute was '
              'restarted in the middle of it, leave out post_copy: Nova then '
              'takes no notice of it.')
    raise exc.HTTPConflict(explanation=_unfinished(
        instance, other, 'live_migrate', stale).format_message())


def _unfinished(instance: objects.Instance, migration: objects.Migration,
                method: str, more_advice: str = ''
                ) -> nova_exception.NovaException:
    if migration.status == Status.INTERRUPTED_POST_COPY:
        advice = _('It resumes when its hosts reach each other again. Repeat '
                   'the request when it has ended.')
    elif migration.status == Status.RUNNING_POST_COPY:
        advice = _('It can no longer be aborted. Repeat the request when it '
                   'has ended.')
    elif migration.status == Status.ACCEPTED:
        advice = _('Its destination is being chosen. Repeat the request in a '
                   'moment.')
    else:
        advice = _('Abort it, or wait for its end, and repeat the request.')
    return exception.PostCopyUnfinished(
        method=method, instance_uuid=instance.uuid, status=migration.status,
        migration_id=migration.id,
        advice=' '.join(filter(None, [advice, more_advice])))


def _evacuation(instance: objects.Instance,
                migration: objects.Migration) -> nova_exception.NovaException:
    hosts = {'host': migration.source_compute, 'dest': migration.dest_compute}
    where = (_('runs on %(dest)s, with part of its memory still on %(host)s')
             if migration.status in migration_obj.SWITCHED else
             _('runs on %(host)s or already on %(dest)s'))
    return exception.PostCopyEvacuateRefused(
        instance_uuid=instance.uuid, status=migration.status,
        migration_id=migration.id, where=where % hosts, **hosts)
