# SPDX-License-Identifier: Apache-2.0

"""Upstream's last steps of a migration, so that they can be repeated.

Upstream takes each of them once, expects that nobody has reset the state of
the server, and tells from the database which connection of a volume is whose,
which it changes on the way. The record knows that.
"""

from collections.abc import Iterator
import contextlib
import functools
import sys

from oslo_log import log as logging

from nova import context as nova_context
from nova import objects

from nova_post_copy.compute import attachments
from nova_post_copy.compute import bindings
from nova_post_copy.compute import closing
from nova_post_copy.compute import lost as lost_servers
from nova_post_copy.compute import rebuilding
from nova_post_copy.compute import record
from nova_post_copy.compute.record import Outcome
from nova_post_copy.compute import states
from nova_post_copy.compute import volume_connections
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.objects.migration import requested
from nova_post_copy.objects.migration import requested_by
from nova_post_copy.objects.migration import Status

LOG = logging.getLogger(__name__)


class LastSteps:
    """Mixin that comes before upstream's manager in the MRO.

    A type checker does not know what this class goes before.
    """

    host: str
    ending: states.Ending

    def _post_live_migration_update_host(
            self, ctxt, instance, dest, block_migration=False,
            migrate_data=None, source_bdms=None,
            lost: exception.PostCopyFault | None = None) -> None:
        """Update Nova when the guest has left for the destination.

        :param lost: set if memory of the guest was lost, with the reason; the
            newest disk is on the destination
        :raises Exception: a step failed; all steps are repeated later
        """
        if not requested(migrate_data.migration):
            super()._post_live_migration_update_host(  # type: ignore[misc]
                ctxt, instance, dest, block_migration, migrate_data,
                source_bdms)
            return
        with self._states_put_back(ctxt, instance):
            if lost is None:
                self._post_live_migration(  # type: ignore[attr-defined]
                    ctxt, instance, dest, block_migration, migrate_data,
                    self._at_source(ctxt, instance, source_bdms))
            else:
                lost_servers.move_lost(
                    self, ctxt, instance, migrate_data.migration, lost)
        self._close(ctxt, instance,
                    Outcome.ARRIVED if lost is None else Outcome.LOST)

    def _rollback_live_migration(
            self, context, instance, dest, migrate_data=None,
            migration_status=Status.FAILED, source_bdms=None,
            pre_live_migration=False) -> None:
        """Update Nova when the migration failed and the guest is here."""
        roll_back = functools.partial(
            super()._rollback_live_migration,  # type: ignore[misc]
            context, instance, dest, migrate_data)
        if not (requested_by(migrate_data) and record.exists(instance.uuid)):
            roll_back(migration_status, source_bdms, pre_live_migration)
            return
        # Upstream passes FAILED, and records no fault, when the destination
        # could not be prepared; else the virt driver reports the reason.
        unprepared = migration_status == Status.FAILED
        with self._states_put_back(context, instance):
            # Upstream deletes the destination's bindings, also if they are
            # active because the switch had begun.
            bindings.activate(self, context, instance, self.host)
            at_source = self._at_source(context, instance, source_bdms)
            if pre_live_migration:
                # Upstream relies on the destination, which may not know.
                self._remove_remote_volume_connections(
                    context, dest,
                    objects.BlockDeviceMappingList.get_by_instance_uuid(
                        context, instance.uuid), instance)
            roll_back(Status.ERROR if unprepared else migration_status,
                      at_source, pre_live_migration)
        if unprepared:
            instance_fault.add(context, instance, exception.PostCopyRolledBack(
                host=self.host, dest=dest, reason=sys.exc_info()[1]))
        self._close(context, instance, Outcome.ROLLED_BACK)

    def live_migration_abort(self, context, instance, migration_id) -> None:
        with self.ending.steps(instance.uuid):
            super().live_migration_abort(  # type: ignore[misc]
                context, instance, migration_id)

    @contextlib.contextmanager
    def _states_put_back(self, context: nova_context.RequestContext,
                         instance: objects.Instance) -> Iterator[None]:
        """Let upstream's steps find the states that they expect."""
        with self.ending.steps(instance.uuid):
            states.put_back_here(self, context, instance.uuid)
            yield

    def _close(self, context: nova_context.RequestContext,
               instance: objects.Instance, outcome: Outcome) -> None:
        try:
            closing.close(self, context, instance.uuid, outcome)
        except Exception as exc:
            LOG.warning('The live migration is over, but not everything '
                        'agrees with its end yet, and is compared again: %s',
                        exc, instance=instance)

    # The volumes of each host

    def _at_source(
            self, context: nova_context.RequestContext,
            instance: objects.Instance,
            source_bdms: objects.BlockDeviceMappingList | None
    ) -> objects.BlockDeviceMappingList | None:
        """Return the mappings as they were on the source, also to the record.

        A record that was rebuilt meanwhile does not have them.
        """
        kept = rebuilding.kept(context, self.host, instance)
        if kept is None:
            return source_bdms
        if source_bdms is None:
            return volume_connections.source_bdms(self, context, kept)
        if kept.source_bdms is None:
            record.update(instance.uuid, source_bdms=source_bdms)
        return source_bdms

    def _post_live_migration_remove_source_vol_connections(
            self, context, instance, source_bdms) -> None:
        """Delete the source's attachments; if that fails, again at the end."""
        kept = _open_record(instance)
        if kept is not None:
            self._release(context, instance, kept._replace(
                source_bdms=source_bdms))
            source_bdms = [bdm for bdm in source_bdms
                           if bdm.attachment_id is None]
        super(  # type: ignore[misc]
        )._post_live_migration_remove_source_vol_connections(
            context, instance, source_bdms)

    def _release(self, context: nova_context.RequestContext,
                 instance: objects.Instance, kept: record.Record) -> None:
        try:
            attachments.release_source(self, context, instance, kept)
            record.update(instance.uuid, released=True)
        except Exception as exc:
            LOG.warning('The volumes of the server are still attached to '
                        'this host in Cinder, retrying: %s', exc,
                        instance=instance)

    def _remove_remote_volume_connections(
            self, context, dest, bdms, instance) -> None:
        kept = _open_record(instance)
        if kept is not None:
            # All others after the mappings are the source's again, and until
            # the destination has done it.
            prepared = volume_connections.on_destination(
                bdms, kept.source_bdms or [])
            bdms = [bdm for bdm in prepared if bdm.attachment_id is None]
        super()._remove_remote_volume_connections(  # type: ignore[misc]
            context, dest, bdms, instance)

    def _rollback_volume_bdms(self, context, bdms, original_bdms,
                              instance) -> None:
        kept = _open_record(instance)
        if kept is not None:
            attachments.restore(instance, bdms, original_bdms, kept)
            return
        super()._rollback_volume_bdms(  # type: ignore[misc]
            context, bdms, original_bdms, instance)


def _open_record(instance: objects.Instance) -> record.Record | None:
    """Return the record of the migration that is being ended, if it is ours.

    :raises Damaged, Unreadable: which connection is whose is not known
    """
    kept = record.load(instance.uuid)
    return kept if kept is not None and kept.outcome is None else None
