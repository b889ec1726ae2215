# SPDX-License-Identifier: Apache-2.0

"""``/servers/{server_id}/migrations``: show, complete and abort a migration.

Upstream does not show a migration after its switch to post-copy. In our
microversion a migration is shown until it is over.
"""

import inspect

from webob import exc

from nova.api.openstack import common
from nova.api.openstack.compute import server_migrations as upstream
from nova.api.openstack import wsgi
from nova.api import validation
from nova.i18n import _
from nova import objects
from nova.policies import servers_migrations as policies

from nova_post_copy.api import microversion
from nova_post_copy.api import phase
from nova_post_copy.api import schemas
from nova_post_copy.objects import migration as migration_obj
from nova_post_copy.objects.migration import Status

_SWITCHED = {
    Status.RUNNING_POST_COPY: _(
        'Live migration %(id)s has switched to post-copy: server %(uuid)s is '
        'already running on the destination, while the rest of its memory is '
        'still being copied from the source. %(consequence)s'),
    Status.INTERRUPTED_POST_COPY: _(
        'Live migration %(id)s has switched to post-copy and is interrupted: '
        'server %(uuid)s is already running on the destination, and waits '
        'for memory that is still on the source. Post-copy resumes when the '
        'hosts reach each other again. %(consequence)s'),
}

_Upstream = upstream.ServerMigrationsController
_force_complete = inspect.unwrap(_Upstream._force_complete)
_delete = inspect.unwrap(_Upstream.delete)


@validation.validated
class ServerMigrationsController(upstream.ServerMigrationsController):

    @microversion.extends(_Upstream.index)
    @wsgi.expected_errors(404)
    @validation.query_schema(schemas.index_query)
    @validation.response_body_schema(schemas.index_response)
    def index(self, req, server_id):
        """Return the live migrations of a server that are in progress."""
        context = req.environ['nova.context']
        instance, target = self._authorize(context, server_id, 'index')
        include_host = context.can(policies.POLICY_ROOT % 'index:host',
                                   fatal=False, target=target)
        return {'migrations': [
            _view(migration, instance, include_host)
            for migration in _in_progress(context, server_id).values()]}

    @microversion.extends(_Upstream.show)
    @wsgi.expected_errors(404)
    @validation.query_schema(schemas.show_query)
    @validation.response_body_schema(schemas.show_response)
    def show(self, req, server_id, id):
        """Return one live migration of a server that is in progress."""
        context = req.environ['nova.context']
        instance, _target = self._authorize(context, server_id, 'show')
        migration = _in_progress(context, server_id).get(id)
        if migration is None:
            raise exc.HTTPNotFound(explanation=_(
                'In-progress live migration %(id)s is not found for server '
                '%(uuid)s.') % {'id': id, 'uuid': server_id})
        return {'migration': _view(migration, instance)}

    @microversion.extends(_Upstream._force_complete)
    @wsgi.response(202)
    @wsgi.expected_errors((400, 403, 404, 409))
    @wsgi.action('force_complete')
    @validation.schema(schemas.force_complete)
    @validation.response_body_schema(schemas.force_complete_response)
    def _force_complete(self, req, id, server_id, body):
        """Force a live migration to complete, if it has not switched yet."""
        try:
            _force_complete(self, req, id, server_id, body)
        except exc.HTTPBadRequest:
            _explain_post_copy(req, server_id, id, _(
                'There is nothing left to force: the migration completes when '
                'all memory has arrived.'))
            raise

    @microversion.extends(_Upstream.delete)
    @wsgi.response(202)
    @wsgi.expected_errors((400, 404, 409))
    @validation.response_body_schema(schemas.delete_response)
    def delete(self, req, server_id, id):
        """Abort a live migration, if it has not switched yet."""
        try:
            _delete(self, req, server_id, id)
        except exc.HTTPBadRequest:
            _explain_post_copy(req, server_id, id, _(
                'The migration can no longer be aborted: until it completes, '
                'neither host has all of the memory.'))
            raise

    def _authorize(self, context, server_id, action):
        instance = common.get_instance(self.compute_api, context, server_id)
        target = {'project_id': instance.project_id}
        context.can(policies.POLICY_ROOT % action, target=target)
        return instance, target


def _in_progress(context, server_id) -> dict[str, objects.Migration]:
    """Return the live migrations of a server in progress, by id."""
    # Upstream's own query has a fixed list of statuses.
    return {
        str(migration.id): migration
        for migration in migration_obj.live_migrations(
            context, instance_uuid=server_id,
            status=migration_obj.IN_PROGRESS)}


def _view(migration, instance, include_host=True):
    view = upstream.output(migration, include_uuid=True,
                           include_user_project=True,
                           include_host=include_host)
    view['post_copy'] = migration_obj.requested(migration)
    view['phase'] = phase.of(migration, instance)
    view['progress'] = phase.progress(migration, instance)
    return view


def _explain_post_copy(req, server_id, id, consequence):
    """Refuse with the switch as the reason, if that is why upstream refused.

    Checked after upstream's refusal, not before: a migration that has not
    switched may still switch in between, but never back.

    :raises webob.exc.HTTPConflict: if the migration is in post-copy
    """
    migration = _in_progress(req.environ['nova.context'], server_id).get(id)
    if migration is None or migration.status not in migration_obj.SWITCHED:
        return
    raise exc.HTTPConflict(explanation=_SWITCHED[migration.status] % {
        'id': id, 'uuid': server_id, 'consequence': consequence})
