# SPDX-License-Identifier: Apache-2.0

"""nova-conductor's manager: upstream's, plus an RPC server of our own."""

from nova.conductor import manager
from nova.objects import base as objects_base
from nova import rpc
from nova import service
import oslo_messaging as messaging

from nova_post_copy.conductor import endpoint
from nova_post_copy.conductor import rpcapi
from nova_post_copy.db import schema


class ConductorManager(manager.ConductorManager):

    def __init__(self, *args, **kwargs) -> None:
        # Checked before the service forks its workers: a worker that fails
        # would be restarted again and again.
        schema.check()
        super().__init__(*args, **kwargs)
        self._post_copy_endpoint = endpoint.PostCopyEndpoint()
        self._post_copy_server: messaging.MessageHandlingServer | None = None

    def post_start_hook(self) -> None:
        super().post_start_hook()
        server = self._post_copy_server = rpc.get_server(
            messaging.Target(topic=rpcapi.RPC_TOPIC, server=self.host),
            # A shutdown then waits for our tasks as for upstream's.
            [service._TrackingEndpointWrapper(self._post_copy_endpoint, self)],
            objects_base.NovaObjectSerializer())
        server.start()

    def set_shutdown_in_progress(self) -> None:
        # The first step of a shutdown: take no more requests.
        super().set_shutdown_in_progress()
        if self._post_copy_server is not None:
            self._post_copy_server.stop()

    def graceful_shutdown(self, timeout: int) -> None:
        super().graceful_shutdown(timeout)
        if self._post_copy_server is not None:
            self._post_copy_server.wait()
