# SPDX-License-Identifier: Apache-2.0

from cinderclient import exceptions as cinder_exception
from nova import context as nova_context
from nova import objects
from nova import test
from nova.volume import cinder as volume_cinder
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import stray_attachments
from nova_post_copy import exception
from tests.unit.nova_post_copy import cinder


class TestWhichIsWhose(test.NoDBTestCase):
    bdm = objects.BlockDeviceMapping(volume_id=uuids.volume)

    def strays(self, attached, in_use=('b',)):
        return stray_attachments.strays(self.bdm, attached, 'src', in_use)

    def own(self, attached):
        return stray_attachments.own(self.bdm, attached, 'src')

    def test_left_by_the_host(self):
        self.assertEqual(['a'], self.strays({'a': 'src', 'b': 'dest'}))

    def test_none_is_left(self):
        self.assertEqual([], self.strays({'b': 'dest'}))
        self.assertEqual([], self.strays({}))
        # Of the one that is in use nobody has to know the host.
        self.assertEqual([], self.strays({'b': None}))

    def test_never_that_of_the_server(self):
        self.assertEqual([], self.strays({'b': 'src'}))

    def test_never_that_of_a_third_host(self):
        self.assertEqual([], self.strays({'a': 'third', 'b': 'dest'}))

    def test_host_is_not_named(self):
        for attached in ({'a': None, 'b': None}, {'a': 'src', 'c': None}):
            self.assertRaises(exception.PostCopyHostNotNamed,
                              self.strays, attached)

    def test_own(self):
        self.assertEqual('a', self.own({'a': 'src', 'b': 'dest'}))

    def test_own_is_not_known(self):
        for attached in ({'a': None, 'b': None}, {'b': 'dest'}, {},
                         {'a': 'src', 'b': 'src'}):
            self.assertRaises(exception.PostCopyHostNotNamed,
                              self.own, attached)


class TestInCinder(test.TestCase):

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        self.cinder = self.useFixture(cinder.Cinder(uuids.server))
        self.volume_api = volume_cinder.API()
        objects.Instance(self.context, uuid=uuids.server, project_id='p',
                         user_id='u', host='dest').create()
        self.bdms = [self.attach(volume) for volume in ('one', 'two')]

    def attach(self, volume, **fields):
        src, dest = cinder.attachments(volume)
        bdm = objects.BlockDeviceMapping(self.context, **{
            'instance_uuid': uuids.server, 'volume_id': getattr(uuids, volume),
            'source_type': 'volume', 'destination_type': 'volume',
            'attachment_id': dest, 'connection_info': '{"of": "dest"}'
        } | fields)
        bdm.create()
        self.cinder.volumes[bdm.volume_id] = {src: 'src', dest: 'dest'}
        return bdm

    def release(self, context=None):
        stray_attachments.release(context or self.context, self.volume_api,
                                  uuids.server, 'src')

    def test_release(self):
        self.release()
        self.assertEqual({uuids.one_dest}, self.cinder.of(uuids.one))
        self.assertEqual({uuids.two_dest}, self.cinder.of(uuids.two))
        self.cinder.done.clear()
        self.release()
        self.assertEqual([], self.cinder.done)

    def test_one_volume_fails(self):
        self.cinder.volumes[uuids.one] = {
            uuids.one_src: None, uuids.one_dest: 'dest'}
        self.assertRaises(exception.PostCopyHostNotNamed, self.release)
        self.assertEqual([('delete', uuids.two_src)], self.cinder.done)

    def test_cinder_fails(self):
        self.cinder.errors['get'] = cinder_exception.ClientException(503)
        self.assertRaises(cinder_exception.ClientException, self.release)

    def test_volume_is_gone(self):
        del self.cinder.volumes[uuids.one]
        self.release()
        self.assertEqual([('delete', uuids.two_src)], self.cinder.done)

    def test_server_is_deleted(self):
        for bdm in self.bdms:
            bdm.destroy()
        self.release()
        self.assertEqual([], self.cinder.done)
        self.release(self.context.elevated(read_deleted='yes'))
        self.assertCountEqual(
            [('delete', uuids.one_src), ('delete', uuids.two_src)],
            self.cinder.done)

    def test_attached_without_an_attachment(self):
        # By an old Nova: the only one in Cinder is then in use.
        self.attach('old', attachment_id=None)
        self.release()
        self.assertIn(uuids.old_src, self.cinder.of(uuids.old))
