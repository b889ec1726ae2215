# SPDX-License-Identifier: Apache-2.0

from oslo_serialization import jsonutils

from nova.api.openstack import api_version_request
from nova import test
from nova.tests.unit.api.openstack import fakes

from nova_post_copy.api import microversion


class TestMicroversion(test.NoDBTestCase):

    def test_one_above_upstream(self):
        ours = microversion.VERSION
        # Nova's own history ends with its maximum.
        history = api_version_request.REST_API_VERSION_HISTORY
        newest = 0
        for line in history.splitlines():
            number, dash, _text = line.strip(' *').partition(' - ')
            if dash and number.startswith('2.') and number[2:].isdigit():
                newest = max(newest, int(number[2:]))
        self.assertEqual('2.%d' % (newest + 1), ours)
        self.assertEqual(
            ours, api_version_request.max_api_version().get_string())

    def _get(self, path, **headers):
        req = fakes.HTTPRequest.blank(path, base_url='http://localhost')
        req.headers.update(headers)
        response = req.get_response(fakes.wsgi_app_v21())
        return response.status_int, jsonutils.loads(response.body)

    def test_version_documents(self):
        _status, body = self._get('/')
        documents = {doc['id']: doc for doc in body['versions']}
        self.assertEqual(microversion.VERSION, documents['v2.1']['version'])
        self.assertEqual('', documents['v2.0']['version'])
        status, body = self._get('/v2.1/')
        self.assertEqual(200, status)
        self.assertEqual(microversion.VERSION, body['version']['version'])
        self.assertEqual('2.1', body['version']['min_version'])

    def test_above_ours(self):
        major, minor = microversion.VERSION.split('.')
        status, body = self._get(
            '/v2.1/%s/servers' % fakes.FAKE_PROJECT_ID,
            **{'OpenStack-API-Version':
               'compute %s.%d' % (major, int(minor) + 1)})
        self.assertEqual(406, status)
        self.assertIn(microversion.VERSION, jsonutils.dumps(body))
