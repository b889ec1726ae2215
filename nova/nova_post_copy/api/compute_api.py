# SPDX-License-Identifier: Apache-2.0

"""Compute API for requests that contain ``post_copy``.

``nova.compute.api`` does the work and is unchanged. This module refuses what
cannot succeed before anything is changed, and sends the task to our conductor
topic, together with the flag.
"""

from collections.abc import Callable

from webob import exc

from nova.compute import api as compute
from nova.compute import vm_states
from nova.conductor import api as conductor
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy.api import between_hosts
from nova_post_copy.compute import rpcapi as compute_rpcapi
from nova_post_copy.conductor import rpcapi as conductor_rpcapi
from nova_post_copy import exception
from nova_post_copy import policies


class ComputeTaskAPI(conductor.ComputeTaskAPI):
    """Conductor API that sends live migrations to our conductor topic."""

    def __init__(self, post_copy: bool):
        super().__init__()
        self.post_copy = post_copy
        self.post_copy_rpcapi = conductor_rpcapi.PostCopyConductorAPI()

    def ping(self, context: nova_context.RequestContext) -> None:
        """Check that a conductor with nova-post-copy answers.

        :raises PostCopyConductorUnavailable: none does
        """
        self.post_copy_rpcapi.ping(context)

    def live_migrate_instance(self, context, instance, host_name,
                              block_migration, disk_over_commit,
                              request_spec=None, async_=False):
        self.post_copy_rpcapi.live_migrate_instance(
            context, instance, {'host': host_name}, block_migration,
            disk_over_commit, request_spec, post_copy=self.post_copy)


class API(compute.API):
    """Compute API for requests with one value of ``post_copy``."""

    def __init__(self, post_copy: bool):
        super().__init__()
        self.compute_task_api = ComputeTaskAPI(post_copy)
        self.post_copy_rpcapi = compute_rpcapi.PostCopyComputeAPI()

    def get(self, context, *args, **kwargs):
        """Return the server of a request, if our policy allows the request.

        Checked where upstream's controller reads the server, so that the
        server is read only once.

        :raises Forbidden: our policy does not allow the request
        """
        instance = super().get(context, *args, **kwargs)
        context.can(policies.POST_COPY,
                    target={'project_id': instance.project_id})
        return instance

    # Upstream's method has the same decorators. Here they refuse a locked,
    # stopped or migrating server for that reason, before conductors and hosts
    # are asked.
    @between_hosts.guard
    @compute.check_instance_lock
    @compute.check_instance_state(
        vm_state=[vm_states.ACTIVE, vm_states.PAUSED])
    def live_migrate(self, context, instance, block_migration,
                     disk_over_commit, host_name, force=None, async_=False):
        """Live migrate a server, if a conductor and the hosts can do it.

        :param host_name: the requested destination, or None
        :raises PostCopyConductorUnavailable: no conductor with nova-post-copy
            answers
        :raises PostCopyHostRefused: the source or the requested destination
            cannot take part
        :raises ComputeHostNotFound: the requested destination does not exist
        :raises webob.exc.HTTPBadRequest: the server is already there
        :raises webob.exc.HTTPConflict: another live migration of the server
            is not over, whoever asked for it
        """
        if host_name is not None and host_name == instance.host:
            # Upstream accepts that, and its conductor refuses it later.
            raise exc.HTTPBadRequest(
                explanation=nova_exception.UnableToMigrateToSelf(
                    instance_id=instance.uuid,
                    host=host_name).format_message())
        between_hosts.check_no_other(context, instance)
        self.compute_task_api.ping(context)
        # A paused server moves by pre-copy, so its hosts are not asked.
        if instance.vm_state != vm_states.PAUSED:
            self._ask_hosts(context, instance, host_name)
        super().live_migrate(context, instance, block_migration,
                             disk_over_commit, host_name, force, async_)

    def _ask_hosts(self, context, instance, host_name) -> None:
        """Refuse while the caller is still there to read the reason.

        The conductor asks the hosts that the scheduler chooses in the same
        way. The response does not name the source, because the caller may not
        be allowed to see that name.
        """
        post_copy = self.compute_task_api.post_copy
        refusals = self._refusals(
            context, instance.host, self.post_copy_rpcapi.source_refusals,
            instance=instance, post_copy=post_copy)
        if refusals:
            raise exception.PostCopyHostRefused(
                instance_uuid=instance.uuid, reasons='; '.join(refusals),
                what=_('leave its host by post-copy') if post_copy else
                _('leave its host with post-copy ruled out'))
        if host_name is None or not post_copy:
            return
        refusals = self._refusals(
            context, host_name, self.post_copy_rpcapi.destination_refusals)
        if refusals:
            raise exception.PostCopyHostRefused(
                instance_uuid=instance.uuid, reasons='; '.join(refusals),
                what=_('enter the host %s by post-copy') % host_name)

    def _refusals(self, context, host: str, ask: Callable[..., list[str]],
                  **kwargs) -> list[str]:
        service = objects.Service.get_by_compute_host(context, host)
        if not self.servicegroup_api.service_is_up(service):
            return [_('its nova-compute is down')]
        return ask(context, host, **kwargs)
