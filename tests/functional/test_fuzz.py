# SPDX-License-Identifier: Apache-2.0

"""Whatever comes in: an answer, no error of the server, and no change.

Below our microversion it is upstream's answer: its own controllers, in a
router of their own, are asked the same.
"""

import functools
from unittest import mock
from urllib import parse

import hypothesis
from hypothesis import strategies
from nova.api.openstack import api_version_request
from nova.api.openstack.compute import migrations
from nova.api.openstack.compute import routes
from nova.api.openstack.compute import server_migrations
from nova.compute import rpcapi as compute_rpcapi
from nova import context as nova_context
from nova import objects
from nova.objects import base as objects_base
from nova import rpc
from nova.tests.unit.api.openstack import fakes
import oslo_messaging as messaging
from oslo_serialization import jsonutils

from nova_post_copy.api import microversion
from nova_post_copy.api import router
from nova_post_copy.conductor import rpcapi
from tests.functional import base

OURS = microversion.VERSION
UPSTREAM = '2.%d' % (int(OURS.split('.')[1]) - 1)
# Each at which a schema has changed, and upstream's newest.
BELOW = ('2.1', '2.25', '2.30', '2.34', '2.59', '2.68', '2.80', UPSTREAM)

examples = functools.partial(
    hypothesis.settings,
    suppress_health_check=list(hypothesis.HealthCheck))

TEXTS = strategies.text(max_size=40)
VALUES = strategies.recursive(
    strategies.none() | strategies.booleans() | TEXTS |
    strategies.integers(-2 ** 70, 2 ** 70) |
    strategies.floats(allow_nan=False, allow_infinity=False),
    lambda children: (strategies.lists(children, max_size=4) |
                      strategies.dictionaries(TEXTS, children, max_size=4)),
    max_leaves=10)
# Often what is right, so that some requests get far.
LIKELY = VALUES | strategies.sampled_from(
    (True, False, None, 'auto', 'dest', 'nowhere', 'true', 1))
ACTIONS = VALUES | strategies.dictionaries(
    TEXTS | strategies.sampled_from(
        ('host', 'block_migration', 'disk_over_commit', 'force', 'post_copy',
         'post-copy', 'Post_Copy')), LIKELY, max_size=5
) | strategies.fixed_dictionaries(
    {'host': LIKELY, 'block_migration': LIKELY},
    optional={'post_copy': LIKELY, 'force': LIKELY,
              'disk_over_commit': LIKELY})
BODIES = VALUES | ACTIONS.map(lambda action: {'os-migrateLive': action})
RIGHT = {'os-migrateLive': {
    'host': None, 'block_migration': 'auto', 'post_copy': True}}
# JSON, and what a client makes of it that does not know JSON.
MANGLED = strategies.sampled_from((
    str.encode,
    lambda text: text.encode('utf-16'),
    lambda text: text[:-1].encode(),
    lambda text: text.replace('"', "'").encode(),
    # A key twice, and a body twice.
    lambda text: text.replace('}', ', "post_copy": true, "post_copy": 1}',
                              1).encode(),
    lambda text: (text[:-1] + ', ' + text[1:]).encode(),
    lambda text: b'\xff\x00' + text.encode(),
    lambda text: text.encode() * 1000,
    lambda text: text.replace('null', 'NaN').encode(),
))
VERSIONS = strategies.sampled_from((*BELOW, OURS))
# None of these is ours; some are upstream's, by luck.
HEADERS = strategies.text(
    strategies.characters(min_codepoint=32, max_codepoint=126),
    max_size=20) | strategies.from_regex(
        r'(compute|nova|volume)? ?[0-9]{0,3}\.?[0-9]{0,9}( latest)?',
        fullmatch=True)
IDS = TEXTS | strategies.integers(-2 ** 70, 2 ** 70).map(str)
QUERIES = strategies.lists(strategies.tuples(
    TEXTS | strategies.sampled_from((
        'limit', 'marker', 'changes-since', 'changes-before', 'status',
        'instance_uuid', 'migration_type', 'host', 'hidden', 'project_id',
        'user_id', 'source_compute', 'post_copy')),
    TEXTS | strategies.integers().map(str) | strategies.sampled_from(
        ('running', 'live-migration', '2026-01-01T00:00:00Z', 'true'))),
    max_size=4).map(parse.urlencode)


def upstream_router():
    """Build what we extend as it is where nobody has joined."""
    servers, controllers = routes.server_controller.args
    upstream = {
        '/servers/{id}/action': (servers, [
            # Ours stand for the classes that they extend.
            controller.__base__
            if controller.__module__.startswith('nova_post_copy.')
            else controller for controller in controllers]),
        '/os-migrations': (migrations.MigrationsController, []),
    }
    for path in ('/servers/{server_id}/migrations',
                 '/servers/{server_id}/migrations/{id}',
                 '/servers/{server_id}/migrations/{id}/action'):
        upstream[path] = (
            server_migrations.ServerMigrationsController, [])
    methods = dict(routes.ROUTE_LIST)
    route_list = tuple(
        (path, {method: [functools.partial(
            routes._create_controller, *controllers), action]
            for method, (_ours, action) in methods[path].items()})
        for path, controllers in upstream.items())
    with mock.patch.object(routes, 'ROUTE_LIST', route_list):
        return routes.APIRouterV21()


class TestREST(base.TwoHosts):
    """A stopped server: also a request that is right is refused."""

    def setUp(self):
        super().setUp()
        # Something to be listed.
        self.live_migrate(host='dest')
        self.complete()
        self._stop_server(self.server)
        self.action = '/servers/%s/action' % self.server['id']
        self.list = '/servers/%s/migrations' % self.server['id']
        self.extended = router.APIRouterV21()
        self.upstream = upstream_router()
        self.before = self.state()
        self.answers = set()

    def tearDown(self):
        self.assertEqual(self.before, self.state())
        super().tearDown()

    def state(self):
        return (self.show(), self.migrations(),
                self.api.get_instance_actions(self.server['id']))

    def ask(self, app, method, path, version, body=b''):
        """Return status, headers that matter, and body."""
        req = fakes.HTTPRequest.blank(path, use_admin_context=True)
        req.method = method
        req.headers['OpenStack-API-Version'] = version
        if body:
            req.body = body
            req.content_type = 'application/json'
        response = req.get_response(app)
        self.answers.add(response.status_int)
        return (response.status_int, response.content_type,
                response.headers.get('OpenStack-API-Version'), response.body)

    def assert_answer(self, method, path, version, body=b''):
        """Ask both; it is an answer, and below our version the same."""
        answer = self.ask(self.extended, method, path, 'compute ' + version,
                          body)
        if version == OURS:
            self.assertLess(answer[0], 500, answer)
            return answer
        with mock.patch.object(
                api_version_request, '_MAX_API_VERSION', UPSTREAM):
            expected = self.ask(
                self.upstream, method, path, 'compute ' + version, body)
        self.assertEqual(expected, answer)
        return answer

    def test_live_migrate(self):
        @examples(max_examples=200)
        @hypothesis.given(BODIES, MANGLED, VERSIONS)
        @hypothesis.example(RIGHT, str.encode, OURS)
        @hypothesis.example(RIGHT, str.encode, UPSTREAM)
        def example(body, mangle, version):
            self.assert_answer('POST', self.action, version,
                               mangle(jsonutils.dumps(body)))

        example()
        # 409: as far as the state of the server; 404: nothing was asked.
        self.assertIn(409, self.answers)
        self.assertLessEqual(self.answers, {400, 404, 409})

    def test_nested_deeply_and_large(self):
        for body in (
            b'{"os-migrateLive": ' + b'[' * 500 + b']' * 500 + b'}',
            b'{"os-migrateLive": {"post_copy": ' + b'9' * 4000 + b'}}',
            b'{"os-migrateLive": {"post_copy": "' + b'x' * 100000 + b'"}}',
            b'{"os-migrateLive": {"post_copy": 1e999}}',
            b'{"os-migrateLive": {"post_copy": -0}}',
        ):
            for version in (OURS, UPSTREAM):
                answer = self.assert_answer(
                    'POST', self.action, version, body)
                self.assertEqual(400, answer[0])

    def test_without_the_key_as_below(self):
        @examples(max_examples=100)
        @hypothesis.given(BODIES)
        def example(body):
            text = jsonutils.dumps(body)
            hypothesis.assume('post_copy' not in text)
            status, _type, _version, ours = self.assert_answer(
                'POST', self.action, OURS, text.encode())
            below = self.assert_answer(
                'POST', self.action, UPSTREAM, text.encode())
            self.assertEqual((below[0], below[3]), (status, ours))

        example()

    def test_versions(self):
        @examples(max_examples=100)
        @hypothesis.given(HEADERS)
        def example(version):
            path = '/os-migrations'
            answer = self.ask(self.extended, 'GET', path, version)
            self.assertLess(answer[0], 500, answer)
            if answer[0] == 200:
                shown = jsonutils.loads(answer[3])['migrations'][0]
                self.assertEqual(answer[2] == 'compute ' + OURS,
                                 'post_copy' in shown)

        example()
        for version in ('compute latest', 'compute ' + OURS):
            self.assertEqual(
                (200, 'compute ' + OURS),
                self.ask(self.extended, 'GET', self.list, version)[:3:2])
        with mock.patch.object(
                api_version_request, '_MAX_API_VERSION', UPSTREAM):
            self.assertEqual(406, self.ask(
                self.upstream, 'GET', self.list, 'compute ' + OURS)[0])

    def test_queries(self):
        @examples(max_examples=100)
        @hypothesis.given(
            strategies.sampled_from(('/os-migrations', self.list)), QUERIES,
            VERSIONS)
        def example(path, query, version):
            self.assert_answer('GET', '%s?%s' % (path, query), version)

        example()
        # 404: upstream has the list of a server from 2.23 on.
        self.assertLessEqual(self.answers, {200, 400, 404})

    def test_ids(self):
        @examples(max_examples=100)
        @hypothesis.given(
            strategies.sampled_from(('GET', 'DELETE', 'POST')), IDS, VERSIONS,
            VALUES)
        def example(method, migration_id, version, body):
            path = '%s/%s' % (self.list, parse.quote(migration_id, safe=''))
            if method == 'POST':
                self.assert_answer(
                    method, path + '/action', version,
                    jsonutils.dumps({'force_complete': body}).encode())
            else:
                self.assert_answer(method, path, version)

        example()


class TestRPC(base.TwoHosts):
    """What no peer sends: an error to whom has sent it, and no change."""

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        nova_context.set_target_cell(
            self.context, self.cell_mappings['cell1'])
        self.instance = objects.Instance.get_by_uuid(
            self.context, self.server['id'])

    def tearDown(self):
        self.assert_untouched()
        super().tearDown()

    def client(self, topic, server=None):
        client = rpc.get_client(
            messaging.Target(topic=topic, namespace='post_copy',
                             version='1.0'),
            serializer=objects_base.NovaObjectSerializer())
        return client.prepare(server=server)

    def assert_refused(self, client, method, kwargs):
        """Call, and expect no answer."""
        try:
            answer = client.call(self.context, method, **kwargs)
        except Exception as exc:
            # Of the peer, and not because there is none.
            self.assertNotIsInstance(exc, messaging.MessagingTimeout)
        else:
            self.fail('%s(%s) answered %s' % (method, kwargs, answer))

    def test_conductor(self):
        right = {
            'instance': self.instance, 'scheduler_hint': {'host': None},
            'block_migration': None, 'disk_over_commit': False,
            'request_spec': None, 'post_copy': True,
        }
        booleans = strategies.sampled_from((0, 1, 0.0, 1.0, True, False))
        wrong = strategies.one_of(
            VALUES.filter(lambda value: value not in (True, False)).map(
                lambda value: {**right, 'post_copy': value}),
            VALUES.map(lambda value: {**right, 'instance': value}),
            strategies.tuples(booleans, VALUES).map(
                lambda pair: {**right, 'post_copy': pair[0],
                              'instance': pair[1]}),
            strategies.sampled_from(sorted(right)).map(
                lambda name: {key: value for key, value in right.items()
                              if key != name}),
            TEXTS.map(lambda name: {**right, '_' + name: 1}))
        client = self.client(rpcapi.RPC_TOPIC)

        @examples(max_examples=80)
        @hypothesis.given(wrong)
        def example(kwargs):
            self.assert_refused(client, 'live_migrate_instance', kwargs)

        example()
        client.call(self.context, 'ping')

    def test_compute(self):
        client = self.client(compute_rpcapi.RPC_TOPIC, 'src')

        @examples(max_examples=50)
        @hypothesis.given(VALUES, TEXTS)
        def example(value, name):
            for method, kwargs in (
                ('source_refusals', {'instance': value, 'post_copy': True}),
                ('source_refusals', {'instance': self.instance}),
                ('destination_refusals', {'_' + name: value}),
                ('_' + name, {}),
            ):
                self.assert_refused(client, method, kwargs)

        example()
        self.assertEqual([], client.call(
            self.context, 'source_refusals', instance=self.instance,
            post_copy=True))
