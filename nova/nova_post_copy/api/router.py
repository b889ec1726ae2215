# SPDX-License-Identifier: Apache-2.0

"""The application that ``api-paste.ini`` names."""

from nova.api.openstack.compute import routes

from nova_post_copy.db import schema


class APIRouterV21(routes.APIRouterV21):

    @classmethod
    def factory(cls, global_config, **local_config):
        """Build the application when the API starts.

        Without the column each migration in every response would be a 500,
        also below our microversion, so the API does not start.

        :raises PostCopySchemaMissing: a database does not have the column
        :raises DBConnectionError: the database does not answer; upstream can
            be called again after this one
        """
        schema.check()
        return super().factory(global_config, **local_config)
