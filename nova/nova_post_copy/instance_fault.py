# SPDX-License-Identifier: Apache-2.0

"""Record an error where users look: instance fault and instance action.

Tenants read the message of a fault; only administrators read its details and
those of an event. Names of hosts are for administrators.
"""

from oslo_log import log as logging

import nova.conf
from nova import context as nova_context
from nova import objects

from nova_post_copy import events
from nova_post_copy import exception

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# The event of the instance action that carries the error.
EVENT = 'compute_live_migration_post_copy'


def add(context: nova_context.RequestContext, instance: objects.Instance,
        fault: exception.PostCopyFault) -> None:
    """Record an error; of an event, Nova keeps 255 characters."""
    LOG.error(fault.format_message(), instance=instance)
    create(context, instance, fault)
    events.start(context, instance, EVENT)
    events.fail(context, instance, EVENT, fault.format_message())


def create(context: nova_context.RequestContext, instance: objects.Instance,
           fault: exception.PostCopyFault) -> None:
    """Record an instance fault alone."""
    # Upstream's function has room for one text only.
    objects.InstanceFault(
        context=context, instance_uuid=instance.uuid, host=CONF.host,
        # Of another code than 500, tenants would read the details.
        code=500, message=fault.PUBLIC,
        details=fault.format_message()).create()
