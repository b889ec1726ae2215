# SPDX-License-Identifier: Apache-2.0

"""The compute API as a request that names ``post_copy`` sees it.

``nova.compute.api`` does all the work of a live migration and stays as it is.
Here are the refusals that come before it changes anything, and the change of
address: the task goes to our conductor, with the flag.
"""

from collections.abc import Callable

from nova.compute import api as compute
from nova.compute import vm_states
from nova.conductor import api as conductor
from nova import context as nova_context
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import rpcapi as compute_rpcapi
from nova_post_copy.conductor import rpcapi as conductor_rpcapi
from nova_post_copy import exception
from nova_post_copy import policies


class ComputeTaskAPI(conductor.ComputeTaskAPI):
    """Upstream's, but a live migration goes to our conductor."""

    def __init__(self, post_copy: bool):
        super().__init__()
        self.post_copy = post_copy
        self.post_copy_rpcapi = conductor_rpcapi.PostCopyConductorAPI()

    def ping(self, context: nova_context.RequestContext) -> None:
        """Make sure that a conductor of ours answers.

        :raises PostCopyConductorUnavailable: when none does
        """
        self.post_copy_rpcapi.ping(context)

    def live_migrate_instance(self, context, instance, host_name,
                              block_migration, disk_over_commit,
                              request_spec=None, async_=False):
        self.post_copy_rpcapi.live_migrate_instance(
            context, instance, {'host': host_name}, block_migration,
            disk_over_commit, request_spec, post_copy=self.post_copy)


class API(compute.API):
    """Upstream's, for requests that name one value of ``post_copy``."""

    def __init__(self, post_copy: bool):
        super().__init__()
        self.compute_task_api = ComputeTaskAPI(post_copy)
        self.post_copy_rpcapi = compute_rpcapi.PostCopyComputeAPI()

    def get(self, context, *args, **kwargs):
        """Return the server that a request is about, to who may ask for that.

        Checked where upstream's controller reads the server, which is read
        only once so.

        :raises Forbidden: by our policy
        """
        instance = super().get(context, *args, **kwargs)
        context.can(policies.POST_COPY,
                    target={'project_id': instance.project_id})
        return instance

    # Upstream's method has these two as well. They are here so that a server
    # that is locked or stopped is refused for that reason, and not for what
    # we find out about conductors and hosts.
    @compute.check_instance_lock
    @compute.check_instance_state(
        vm_state=[vm_states.ACTIVE, vm_states.PAUSED])
    def live_migrate(self, context, instance, block_migration,
                     disk_over_commit, host_name, force=None, async_=False):
        """Live migrate a server, if our conductor and its hosts can.

        :param host_name: the named destination, or None
        :raises PostCopyConductorUnavailable: no conductor of ours answers
        :raises PostCopyHostRefused: the source or the named destination
            cannot take part
        :raises ComputeHostNotFound: there is no such destination
        """
        self.compute_task_api.ping(context)
        # A paused server moves by pre-copy, so nothing is asked of its hosts.
        if instance.vm_state != vm_states.PAUSED:
            self._ask_hosts(context, instance, host_name)
        super().live_migrate(context, instance, block_migration,
                             disk_over_commit, host_name, force, async_)

    def _ask_hosts(self, context, instance, host_name) -> None:
        """Refuse while the caller is still there to read the reason.

        The conductor asks the same of the hosts that the scheduler chooses.
        The name of the source is left out of the answer, because the caller
        may not be allowed to know it.
        """
        post_copy = self.compute_task_api.post_copy
        refusals = self._refusals(
            context, instance.host, self.post_copy_rpcapi.source_refusals,
            instance=instance, post_copy=post_copy)
        if refusals:
            raise exception.PostCopyHostRefused(
                instance_uuid=instance.uuid, reasons='; '.join(refusals),
                what=_('leave its host by post-copy') if post_copy else
                _('be kept from post-copy by its host'))
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
