# SPDX-License-Identifier: Apache-2.0

"""``POST /servers/{server_id}/action (os-migrateLive)``"""

import inspect

from webob import exc

from nova.api.openstack.compute import migrate_server as upstream
from nova.api.openstack import wsgi
from nova.api import validation

from nova_post_copy.api import compute_api
from nova_post_copy.api import microversion
from nova_post_copy.api import schemas
from nova_post_copy import exception

_migrate_live = inspect.unwrap(upstream.MigrateServerController._migrate_live)


def _names_post_copy(req: wsgi.Request, body, **_arguments) -> bool:
    """Tell whether a request, which may be malformed, has ``post_copy``."""
    parameters = body['os-migrateLive']
    return (microversion.is_supported(req) and
            isinstance(parameters, dict) and 'post_copy' in parameters)


@validation.validated
class MigrateServerController(upstream.MigrateServerController):

    def __init__(self):
        super().__init__()
        # Upstream's controller once per value, on a compute API that knows it.
        self._naming = {}
        for post_copy in (True, False):
            controller = upstream.MigrateServerController()
            controller.compute_api = compute_api.API(post_copy)
            self._naming[post_copy] = controller

    @microversion.extends(upstream.MigrateServerController._migrate_live,
                          _names_post_copy)
    @wsgi.response(202)
    @wsgi.expected_errors((400, 403, 404, 409, 503))
    @wsgi.action('os-migrateLive')
    @validation.schema(schemas.migrate_live)
    @validation.response_body_schema(schemas.migrate_live_response)
    def _migrate_live(self, req, id, body):
        """Live migrate a server, with post-copy allowed or ruled out."""
        naming = self._naming[body['os-migrateLive']['post_copy']]
        try:
            return _migrate_live(naming, req, id, body)
        except exception.PostCopyConductorUnavailable as e:
            raise exc.HTTPServiceUnavailable(explanation=e.format_message())
        except exception.PostCopyHostRefused as e:
            raise exc.HTTPConflict(explanation=e.format_message())
