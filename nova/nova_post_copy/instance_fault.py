# SPDX-License-Identifier: Apache-2.0

"""Record an error where users look: instance fault and instance action."""

from oslo_log import log as logging

from nova.compute import utils as compute_utils
from nova import context as nova_context
from nova import exception
from nova import objects

from nova_post_copy import events

LOG = logging.getLogger(__name__)

# The event of the instance action that carries the error.
EVENT = 'compute_live_migration_post_copy'


def add(context: nova_context.RequestContext, instance: objects.Instance,
        fault: exception.NovaException) -> None:
    """Record an error, of which Nova keeps 255 characters."""
    LOG.error(fault.format_message(), instance=instance)
    compute_utils.add_instance_fault_from_exc(context, instance, fault)
    events.start(context, instance, EVENT)
    events.fail(context, instance, EVENT, fault.format_message())
