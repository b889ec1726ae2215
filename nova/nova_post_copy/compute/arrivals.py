# SPDX-License-Identifier: Apache-2.0

"""Refuse what could start or end a copy, as a source and as a destination.

Whatever a request said: this host knows what runs here, and which migration
of its own is not over. A refusal before the migration is a sentence that the
user reads; one during a rollback protects the only copy.
"""

from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import prepared
from nova_post_copy.compute import record
from nova_post_copy import exception
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import live_migrations
from nova_post_copy.objects.migration import newest
from nova_post_copy.objects.migration import requested


class Arrivals:
    """Mixin that comes before upstream's manager in the MRO.

    A type checker does not know what this class goes before.
    """

    host: str

    # As a source

    def check_can_live_migrate_source(self, ctxt, instance, dest_check_data):
        _check_no_other(instance)
        return super(  # type: ignore[misc]
        ).check_can_live_migrate_source(ctxt, instance, dest_check_data)

    # As a destination

    def check_can_live_migrate_destination(self, ctxt, instance, *args,
                                           **kwargs):
        # It may be here that the last one began.
        _check_no_other(instance)
        self._refuse_if_arrived(instance)
        with prepared.alone(instance.uuid):
            prepared.remove(self, instance.uuid)
        data = super(  # type: ignore[misc]
        ).check_can_live_migrate_destination(ctxt, instance, *args, **kwargs)
        self._refuse_if_in_the_way(instance, data)
        return data

    def pre_live_migration(self, context, instance, disk, migrate_data):
        with prepared.alone(instance.uuid):
            self._refuse_if_arrived(instance)
            prepared.remove(self, instance.uuid)
            migration = _newest(context, instance, self.host)
            if migration is not None and requested(migration):
                _refuse_if_over(migration)
                prepared.note(self.host, context, migration, migrate_data)
            return super().pre_live_migration(  # type: ignore[misc]
                context, instance, disk, migrate_data)

    def post_live_migration_at_destination(self, context, instance,
                                           block_migration) -> None:
        super(  # type: ignore[misc]
        ).post_live_migration_at_destination(
            context, instance, block_migration)
        prepared.forget(instance.uuid)

    def rollback_live_migration_at_destination(
            self, context, instance, destroy_disks, migrate_data) -> None:
        """Clean up after a failed migration, unless the guest has arrived.

        What cannot be cleaned up now is noted, and cleaned up later.
        """
        with prepared.alone(instance.uuid):
            try:
                self._check_not_arrived(instance)
            except nova_exception.HypervisorUnavailable:
                prepared.note(self.host, context, migrate_data.migration,
                              migrate_data)
                raise
            self.roll_back_here(
                context, instance, destroy_disks, migrate_data)
            prepared.forget(instance.uuid)

    def roll_back_here(self, context, instance, destroy_disks,
                       migrate_data) -> None:
        super(  # type: ignore[misc]
        ).rollback_live_migration_at_destination(
            context, instance, destroy_disks, migrate_data)

    def _do_rebuild_instance_with_claim(
            self, context, instance, *args, **kwargs) -> None:
        """Rebuild, or evacuate to here, from no disk copied in part."""
        with prepared.alone(instance.uuid):
            prepared.remove(self, instance.uuid)
        super()._do_rebuild_instance_with_claim(  # type: ignore[misc]
            context, instance, *args, **kwargs)

    def remove_volume_connection(self, context, volume_id, instance,
                                 delete_attachment=False) -> None:
        """Disconnect a volume, unless a guest that has arrived uses it."""
        if instance.host != self.host:
            self._check_not_arrived(instance)
        super().remove_volume_connection(  # type: ignore[misc]
            context, volume_id, instance, delete_attachment)

    def _check_not_arrived(self, instance: objects.Instance) -> None:
        driver = self.driver  # type: ignore[attr-defined]
        # Another driver knows nothing of post-copy.
        if hasattr(driver, 'check_not_arrived'):
            driver.check_not_arrived(instance)

    def _refuse_if_arrived(self, instance: objects.Instance) -> None:
        try:
            self._check_not_arrived(instance)
        except exception.PostCopyLiveCopy as exc:
            raise nova_exception.MigrationPreCheckError(reason=_(
                'a copy of the server is on that host already')) from exc

    def _refuse_if_in_the_way(
            self, instance: objects.Instance,
            migrate_data: objects.LibvirtLiveMigrateData) -> None:
        """Refuse a server whose directory is on this host already.

        Upstream would find that out later, and then delete the directory,
        which may be the only disk as it was before a loss of memory.
        """
        driver = self.driver  # type: ignore[attr-defined]
        if (hasattr(driver, 'has_directory') and
                not migrate_data.is_shared_instance_path and
                driver.has_directory(instance)):
            raise nova_exception.MigrationPreCheckError(reason=_(
                'that host still has a directory of the server in '
                'instances_path, from a live migration in which memory was '
                'lost or from elsewhere. Move the directory away when nothing '
                'in it is needed any more'))


def _newest(context: nova_context.RequestContext,
            instance: objects.Instance,
            host: str) -> objects.Migration | None:
    """Return the migration that is to bring a server to a host.

    What is to be prepared does not name it yet.
    """
    return newest(live_migrations(
        context, instance_uuid=instance.uuid, dest_compute=host))


def _refuse_if_over(migration: objects.Migration) -> None:
    """Prepare nothing for a migration that its source has given up."""
    if migration.status in FINAL:
        raise nova_exception.MigrationPreCheckError(reason=_(
            'the live migration was given up before this host could prepare '
            'the server'))


def _check_no_other(instance: objects.Instance) -> None:
    """Refuse to migrate a server while there is a record of its migration.

    Also when the migration itself is over: what is left of it, such as the
    destination's bindings, would be taken for that of the next one.
    """
    if record.exists(instance.uuid):
        raise nova_exception.MigrationPreCheckError(reason=_(
            'the last live migration of the server has not finished. If '
            '"openstack server migration list" shows that it has, neutron, '
            'Cinder or placement have not agreed with its end yet; the log of '
            'nova-compute says why'))
