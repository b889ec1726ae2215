# SPDX-License-Identifier: Apache-2.0

"""Show a server that has shut itself down during its migration as stopped.

Nova looks at the power state of a migrating server only when the migration is
over, and then minutes later. Until then the server would be ACTIVE without
running.
"""

from oslo_log import log as logging

from nova.compute import manager as upstream
from nova.compute import power_state
from nova.compute import vm_states
from nova import objects

from nova_post_copy.compute import record
from nova_post_copy.decisions import condition
from nova_post_copy.objects.migration import unfinished

LOG = logging.getLogger(__name__)


class ShutDown(upstream.ComputeManager):
    """Mix-in in front of upstream's manager, for both hosts."""

    def _do_post_live_migration_at_destination(
            self, context, instance, block_migration) -> None:
        if (unfinished(context, instance.uuid) is not None and
                self._is_shut_down(instance)):
            self.driver.end_shut_down(instance)
            _show_stopped(instance)
        super()._do_post_live_migration_at_destination(
            context, instance, block_migration)

    def _rollback_live_migration(self, context, instance, *args,
                                 **kwargs) -> None:
        if record.exists(instance.uuid) and self._is_shut_down(instance):
            _show_stopped(instance)
        super()._rollback_live_migration(context, instance, *args, **kwargs)

    def _is_shut_down(self, instance: objects.Instance) -> bool:
        return (hasattr(self.driver, 'post_copy_condition') and
                self.driver.post_copy_condition(instance)
                in condition.SHUT_DOWN)


def _show_stopped(instance: objects.Instance) -> None:
    """Change the states; upstream saves them with its next step."""
    if instance.vm_state == vm_states.ACTIVE:
        LOG.info('The server has shut itself down during its live migration',
                 instance=instance)
        instance.vm_state = vm_states.STOPPED
        instance.power_state = power_state.SHUTDOWN
