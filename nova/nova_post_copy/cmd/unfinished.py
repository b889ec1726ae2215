# SPDX-License-Identifier: Apache-2.0

"""Find the migration that a command names, and what the cloud knows of it."""

# nova.objects has its classes only after they have been registered.
from __future__ import annotations

from typing import NamedTuple

from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects
from oslo_utils import uuidutils

from nova_post_copy.cmd import limit
from nova_post_copy.compute import rpcapi
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.objects import migration as migration_obj


class Refused(Exception):
    """Nothing was changed; the text says why."""


class Unfinished(NamedTuple):
    """A migration with post-copy that is between two hosts."""

    context: nova_context.RequestContext    #: targeted at its cell
    migration: objects.Migration
    instance: objects.Instance


def find(context: nova_context.RequestContext, migration_id: str,
         server: str) -> Unfinished:
    """Find a migration by its id or uuid, in all cells.

    Ids are counted in each cell anew, so the name of the server decides.

    :param server: the name of the server
    :raises Refused: there is no such migration, or it cannot be given up
    """
    in_cells = [each for cell in objects.CellMappingList.get_all(context)
                if not cell.is_cell0()
                for each in _in_cell(context, cell, migration_id)]
    if not in_cells:
        raise Refused(_('There is no live migration %s.') % migration_id)
    found = [each for each in in_cells
             if each.instance.display_name == server]
    if not found:
        raise Refused(_(
            'Live migration %(id)s is not one of a server "%(server)s", but '
            'of "%(found)s".') % {
                'id': migration_id, 'server': server, 'found': '", "'.join(
                    each.instance.display_name for each in in_cells)})
    if len(found) > 1:
        raise Refused(_(
            'Several cells have a live migration %s of a server with this '
            'name. Give the uuid of the migration in place of its id.')
            % migration_id)
    _check(found[0].migration)
    return found[0]


def _in_cell(context: nova_context.RequestContext, cell: objects.CellMapping,
             migration_id: str) -> list[Unfinished]:
    # The context stays targeted: it is used until the command ends.
    targeted = context.elevated()
    nova_context.set_target_cell(targeted, cell)
    by_uuid = uuidutils.is_uuid_like(migration_id)
    try:
        migration = (
            objects.Migration.get_by_uuid(targeted, migration_id) if by_uuid
            else objects.Migration.get_by_id(targeted, int(migration_id)))
        instance = objects.Instance.get_by_uuid(
            targeted, migration.instance_uuid, expected_attrs=[
                'info_cache', 'system_metadata', 'numa_topology', 'flavor',
                'pci_devices', 'pci_requests', 'resources',
                'migration_context'])
    except (ValueError, nova_exception.MigrationNotFound,
            nova_exception.InstanceNotFound):
        return []
    if migration.migration_type != 'live-migration':
        return []
    return [Unfinished(targeted, migration, instance)]


def _check(migration: objects.Migration) -> None:
    """:raises Refused: the migration is not between two hosts"""
    names = {'id': migration.id, 'status': migration.status,
             'source': migration.source_compute}
    if not migration_obj.requested(migration):
        raise Refused(_(
            'Live migration %(id)s was requested without "post_copy": true. '
            'Such a migration has nothing to give up: upstream\'s guides say '
            'what to do.') % names)
    if migration.status in migration_obj.FINAL:
        raise Refused(_(
            'Live migration %(id)s is over: its status is "%(status)s".')
            % names)
    if migration.status not in migration_obj.BETWEEN_HOSTS:
        raise Refused(_(
            'Live migration %(id)s has not begun: its status is "%(status)s", '
            'and the server is on %(source)s alone. If that host is dead, the '
            'server can be evacuated.') % names)


def on_destination(found: Unfinished) -> Condition | None:
    """Ask the destination for the condition of the guest.

    :returns: None if it does not answer or cannot know
    """
    answer = limit.within_limit(
        lambda: rpcapi.PostCopyComputeAPI().guest_condition(
            found.context, found.migration.dest_compute, found.instance))
    return None if answer is Condition.UNKNOWN else answer
