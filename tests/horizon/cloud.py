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

"""The cloud of Horizon's test data, as far as our forms ask it."""

from keystoneauth1 import fixture
import requests_mock

IDENTITY = 'http://public.keystone.example.com/identity/v3'
COMPUTE = 'http://public.nova.example.com:8774/v2'


def versions(newest: str) -> dict:
    """Return the version document of compute.

    :param newest: microversion
    """
    return {'version': {'id': 'v2.1', 'status': 'CURRENT', 'links': [],
                        'min_version': '2.1', 'version': newest}}


def start(**options) -> requests_mock.Mocker:
    """Answer as a cloud with nova-post-copy until ``stop()`` is called.

    :param options: of requests_mock.Mocker
    """
    cloud = requests_mock.Mocker(**options)
    token = fixture.V3Token(user_name='admin')
    token.set_project_scope()
    cloud.get(IDENTITY, json={'version': fixture.V3Discovery(IDENTITY)})
    cloud.post(IDENTITY + '/auth/tokens', json=token,
               headers={'X-Subject-Token': 'token'})
    cloud.get(COMPUTE, json=versions('2.105'))
    cloud.start()
    return cloud
