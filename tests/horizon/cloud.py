# SPDX-License-Identifier: Apache-2.0

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
