# SPDX-License-Identifier: Apache-2.0

"""Server side of the conductor's RPC namespace ``post_copy``."""

import oslo_messaging as messaging
from oslo_utils import timeutils

from nova import context as nova_context
from nova.db.main import api as main_db_api
from nova import objects

from nova_post_copy.conductor import rpcapi
from nova_post_copy.conductor import task_manager


class PostCopyEndpoint:
    """Answers :class:`.rpcapi.PostCopyConductorAPI`."""

    target = messaging.Target(namespace=rpcapi.NAMESPACE, version='1.1')

    def __init__(self) -> None:
        self._task_managers = {
            post_copy: task_manager.ComputeTaskManager(post_copy)
            for post_copy in (True, False)}

    def ping(self, context: nova_context.RequestContext) -> None:
        """Return, which is the answer."""

    def live_migrate_instance(
            self, context: nova_context.RequestContext,
            instance: objects.Instance, scheduler_hint: dict[str, str | None],
            block_migration: bool | str | None, disk_over_commit: bool | None,
            request_spec: objects.RequestSpec, post_copy: bool) -> None:
        """Live migrate an instance."""
        self._task_managers[post_copy].live_migrate_instance(
            context, instance, scheduler_hint, block_migration,
            disk_over_commit, request_spec)

    def finish_event(
            self, context: nova_context.RequestContext, instance_uuid: str,
            event: str, details: str) -> None:
        """Finish an event of an instance action, with success and details."""
        main_db_api.action_event_finish(context, {
            'instance_uuid': instance_uuid, 'request_id': context.request_id,
            'event': event, 'finish_time': timeutils.utcnow(),
            'result': 'Success', 'details': details})
