# SPDX-License-Identifier: Apache-2.0

"""``POST /servers/{server_id}/action (evacuate)``, at every microversion.

Upstream evacuates a server in any task state, as soon as the nova-compute of
its host is down: the user who asks vouches that the host is dead. During a
post-copy migration that is not enough. libvirt continues without nova-compute,
so the server may already run on the destination, which nobody has checked: a
second copy would start from the same disk.
"""

from webob import exc

from nova.api.openstack.compute import evacuate as upstream
from nova.compute import api as compute
from nova.compute import task_states
from nova.i18n import _
from nova import objects

from nova_post_copy import exception
from nova_post_copy.objects import migration as migration_obj


class EvacuateController(upstream.EvacuateController):

    def __init__(self):
        super().__init__()
        self.compute_api = API()


class API(compute.API):
    """Compute API that refuses to evacuate a server that may have moved."""

    def evacuate(self, context, instance, *args, **kwargs):
        """Evacuate a server to another host.

        :raises webob.exc.HTTPConflict: a post-copy migration of the server
            has not finished. Upstream's controller would turn an exception
            of ours into a 500.
        """
        migration = _on_its_way(context, instance)
        if migration is not None and not self._is_up(context, instance.host):
            raise exc.HTTPConflict(explanation=_refusal(
                instance, migration).format_message())
        return super().evacuate(context, instance, *args, **kwargs)

    def _is_up(self, context, host: str) -> bool:
        # If so, upstream refuses with its own message.
        return self.servicegroup_api.service_is_up(
            objects.Service.get_by_compute_host(context, host))


def _on_its_way(context, instance) -> objects.Migration | None:
    """Return the migration by which the server may have left its host."""
    # An operator who resets the state of the server takes over the decision
    # and the responsibility.
    if instance.task_state != task_states.MIGRATING:
        return None
    return migration_obj.unfinished(context, instance.uuid,
                                    statuses=migration_obj.IN_LIBVIRT)


def _refusal(instance, migration) -> exception.PostCopyEvacuateRefused:
    hosts = {'host': migration.source_compute, 'dest': migration.dest_compute}
    where = (
        _('runs on %(host)s or already on %(dest)s')
        if migration.status == migration_obj.Status.RUNNING else
        _('runs on %(dest)s, with part of its memory still on %(host)s'))
    return exception.PostCopyEvacuateRefused(
        instance_uuid=instance.uuid, status=migration.status,
        where=where % hosts, **hosts)
