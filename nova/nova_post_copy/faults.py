# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Put a reason where users look: instance fault and instance action."""

from oslo_log import log as logging

from nova.compute import utils as compute_utils
from nova import context as nova_context
from nova import exception
from nova import objects

from nova_post_copy import events

LOG = logging.getLogger(__name__)

# The event of the instance action that says what went wrong.
EVENT = 'compute_live_migration_post_copy'


def tell(context: nova_context.RequestContext, instance: objects.Instance,
         fault: exception.NovaException) -> None:
    """Record a reason, of which Nova keeps 255 characters."""
    LOG.error(fault.format_message(), instance=instance)
    compute_utils.add_instance_fault_from_exc(context, instance, fault)
    events.start(context, instance, EVENT)
    events.fail(context, instance, EVENT, fault.format_message())
