# SPDX-License-Identifier: Apache-2.0

"""WSGI application that ``api-paste.ini`` names."""

from nova.api.openstack.compute import routes

from nova_post_copy.db import schema


class APIRouterV21(routes.APIRouterV21):

    @classmethod
    def factory(cls, global_config, **local_config):
        """Build the application when the API starts.

        Without the column every request that reads a migration would fail with
        500, at any microversion, so the API refuses to start.

        :raises PostCopySchemaMissing: a database does not have the column
        :raises DBConnectionError: the database does not answer; upstream
            retries after this error
        """
        schema.check()
        return super().factory(global_config, **local_config)
