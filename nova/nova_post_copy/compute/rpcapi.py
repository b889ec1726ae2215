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

"""Ask a nova-compute whether it may take part in a post-copy migration."""

import oslo_messaging as messaging

from nova.compute import rpcapi
from nova import context as nova_context
from nova import exception
from nova.i18n import _
from nova import objects
from nova.objects import base as objects_base
from nova import rpc


class PostCopyComputeAPI:
    """Client side of the compute's own namespace.

    Both methods return sentences that say why not, an empty list when there
    is nothing against it. A compute that cannot answer is a reason, too: an
    error would make upstream set the server to ERROR, where it runs untouched.
    """

    def __init__(self) -> None:
        target = messaging.Target(
            topic=rpcapi.RPC_TOPIC, namespace='post_copy', version='1.0')
        # A router, because each cell has a message queue of its own.
        self._router = rpc.ClientRouter(rpc.get_client(
            target, serializer=objects_base.NovaObjectSerializer()))

    def source_refusals(
            self, context: nova_context.RequestContext, host: str,
            instance: objects.Instance, post_copy: bool) -> list[str]:
        """Ask about a request that says true or false."""
        return self._ask(context, host, 'source_refusals', instance=instance,
                         post_copy=post_copy)

    def destination_refusals(
            self, context: nova_context.RequestContext,
            host: str) -> list[str]:
        return self._ask(context, host, 'destination_refusals')

    def _ask(self, context: nova_context.RequestContext, host: str,
             question: str, **kwargs) -> list[str]:
        client = self._router.client(context).prepare(server=host)
        try:
            return client.call(context, question, **kwargs)
        except messaging.UnsupportedVersion:
            return [_un_extended()]
        except messaging.RemoteError as exc:
            if exc.exc_type == 'UnsupportedVersion':
                return [_un_extended()]
            return [_('its nova-compute failed to answer (%s)')
                    % exc.exc_type]
        except messaging.MessagingTimeout:
            return [_('its nova-compute does not answer')]
        except exception.NovaException as exc:
            # Such as a libvirt that is down, or does not know the server.
            return [exc.format_message()]


def _un_extended() -> str:
    return _('its nova-compute does not have nova-post-copy loaded')
