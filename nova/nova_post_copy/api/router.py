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
