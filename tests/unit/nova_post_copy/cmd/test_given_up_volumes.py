# SPDX-License-Identifier: Apache-2.0

import threading

from cinderclient import exceptions as cinder_exception
import fixtures
from nova import context as nova_context
from nova import objects
from nova import test
from oslo_serialization import jsonutils
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.cmd import given_up_volumes
from nova_post_copy.cmd.unfinished import Unfinished
from nova_post_copy.decisions.giving_up import Situation
from nova_post_copy import exception
from tests.unit.nova_post_copy import cinder


class VolumesTestCase(test.TestCase):
    """A server with two volumes, whose mappings are the destination's."""

    #: where the server is recorded
    HOST: str

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        self.cinder = self.useFixture(cinder.Cinder(uuids.server))
        self.instance = objects.Instance(
            self.context, uuid=uuids.server, project_id='p', user_id='u',
            host=self.HOST)
        self.instance.create()
        for volume in ('one', 'two'):
            src, dest = cinder.attachments(volume)
            objects.BlockDeviceMapping(
                self.context, instance_uuid=uuids.server,
                volume_id=getattr(uuids, volume), source_type='volume',
                destination_type='volume', attachment_id=dest,
                connection_info='{"data": {"lun of": "%s"}}' % dest).create()
            self.cinder.volumes[getattr(uuids, volume)] = {
                src: 'src', dest: 'dest'}
        self.disconnected = self.disconnect
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.rpcapi.PostCopyComputeAPI.'
            'remove_volume_connections', lambda api, *args:
                self.disconnected(*args)))

    def disconnect(self, context, host, instance, bdms):
        self.cinder.done.append(('disconnect', host, {
            bdm.attachment_id: jsonutils.loads(
                bdm.connection_info)['data']['lun of'] for bdm in bdms}))

    def release(self, given_up=('src',), dest_is_up=True):
        given_up_volumes.release(Situation(
            source='src', destination='dest', given_up=frozenset(given_up),
            switched=self.HOST == 'dest', interrupted=False,
            source_is_up=False, destination_is_up=dest_is_up), Unfinished(
                self.context, objects.Migration(), self.instance))

    def left(self, **situation):
        """Return why something is left, and what to do."""
        error = self.assertRaises(
            given_up_volumes.Left, self.release, **situation)
        return str(error.causes[0]), ' '.join(error.by_hand)

    def mapped(self):
        """Return the attachments of the mappings, and their connections."""
        return {bdm.attachment_id: jsonutils.loads(
            bdm.connection_info)['data']['lun of'] for bdm in
            objects.BlockDeviceMappingList.get_by_instance_uuid(
                self.context, uuids.server)}

    def ids(self, host):
        return {getattr(uuids, '%s_%s' % (volume, host)) for volume in
                ('one', 'two')}

    def in_cinder(self):
        return self.cinder.of(uuids.one) | self.cinder.of(uuids.two)


class TestOnDestination(VolumesTestCase):
    """Lost, or arrived: the attachments of the source are left."""

    HOST = 'dest'

    def test_released(self):
        self.release()
        self.assertEqual(self.ids('dest'), self.in_cinder())
        self.assertEqual(self.ids('dest'), set(self.mapped()))
        # Its volumes are in use.
        self.assertNotIn('disconnect', [done[0] for done in self.cinder.done])

    def test_again(self):
        self.release()
        self.cinder.done.clear()
        self.release()
        self.assertEqual([], self.cinder.done)

    def test_cinder_does_not_answer(self):
        self.cinder.errors['get'] = cinder_exception.ClientException(503)
        cause, by_hand = self.left()
        self.assertIn('503', cause)
        for words in ('volume attachment delete ID', uuids.server,
                      'volume show -c attachments ' + uuids.one,
                      'volume show -c attachments ' + uuids.two):
            self.assertIn(words, by_hand)
        self.assertEqual([], self.cinder.done)

    def test_cinder_refuses(self):
        self.cinder.errors['get'] = cinder_exception.Unauthorized(401)
        cause, _by_hand = self.left()
        self.assertIn('[cinder] of the nova.conf that this command', cause)

    def test_cinder_does_not_name_hosts(self):
        self.cinder.unname()
        cause, by_hand = self.left()
        self.assertIn('does not say', exception.PostCopyHostNotNamed.msg_fmt)
        self.assertIn('does not say', cause)
        self.assertIn('volume attachment delete', by_hand)
        self.assertEqual([], self.cinder.done)

    def test_one_is_not_deleted(self):
        self.cinder.errors['delete'] = cinder_exception.ClientException(409)
        _cause, by_hand = self.left()
        for attachment in self.ids('src'):
            self.assertIn('openstack --os-volume-api-version 3.27 volume '
                          'attachment delete ' + attachment, by_hand)

    def test_one_volume_fails(self):
        self.cinder.volumes[uuids.one] = {
            uuids.one_src: None, uuids.one_dest: 'dest'}
        _cause, by_hand = self.left()
        self.assertIn(uuids.one, by_hand)
        self.assertNotIn(uuids.two, by_hand)
        self.assertEqual([('delete', uuids.two_src)], self.cinder.done)

    def test_cinder_hangs(self):
        over = threading.Event()
        self.addCleanup(over.set)
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.cmd.limit.WITHIN_S', 0.1))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.volume_connections.attached',
            lambda *args: over.wait()))
        self.assertIn('no answer within', self.left()[0])


class TestOnSource(VolumesTestCase):
    """It stays: the mappings are those of the wrong host."""

    HOST = 'src'

    def test_released(self):
        self.release()
        # Started on the source it uses its own LUNs.
        self.assertEqual({each: each for each in self.ids('src')},
                         self.mapped())
        self.assertEqual(self.ids('src'), self.in_cinder())
        for bdm in objects.BlockDeviceMappingList.get_by_instance_uuid(
                self.context, uuids.server):
            self.assertEqual(bdm.volume_id, jsonutils.loads(
                bdm.connection_info)['serial'])

    def test_disconnected_before_the_luns_are_given_back(self):
        self.release()
        self.assertEqual(('disconnect', 'dest', {
            each: each for each in self.ids('dest')}), self.cinder.done[0])
        self.assertCountEqual(
            [('delete', each) for each in self.ids('dest')],
            self.cinder.done[1:])

    def test_put_back_already(self):
        # The source died in the middle of a rollback.
        self.release()
        for volume in ('one', 'two'):
            self.cinder.volumes[getattr(uuids, volume)][
                cinder.attachments(volume)[1]] = 'dest'
        self.cinder.done.clear()
        self.test_disconnected_before_the_luns_are_given_back()
        self.assertEqual(self.ids('src'), set(self.mapped()))

    def test_destination_was_not_prepared_or_is_done(self):
        self.release()
        self.cinder.done.clear()
        self.release()
        self.assertEqual([], self.cinder.done)

    def test_destination_fails(self):
        def fail(*args):
            raise exception.PostCopyLiveCopy(
                instance_uuid=uuids.server, found='running')

        self.disconnected = fail
        cause, by_hand = self.left()
        self.assertIn('is live', cause)
        self.assertIn('once dest does not have the volumes', by_hand)
        for attachment in self.ids('dest'):
            self.assertIn('delete ' + attachment, by_hand)
        self.assertEqual([], self.cinder.done)
        # The server can be started on the source all the same.
        self.assertEqual(self.ids('src'), set(self.mapped()))

    def test_destination_hangs(self):
        over = threading.Event()
        self.addCleanup(over.set)
        self.disconnected = lambda *args: over.wait()
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.cmd.limit.DONE_WITHIN_S', 0.1))
        self.assertIn('no answer within', self.left()[0])
        self.assertEqual([], self.cinder.done)

    def test_destination_is_given_up_too(self):
        self.release(given_up=('src', 'dest'), dest_is_up=False)
        self.assertCountEqual(
            [('delete', each) for each in self.ids('dest')],
            self.cinder.done)
        self.assertEqual(self.ids('src'), set(self.mapped()))

    def test_destination_is_down(self):
        cause, by_hand = self.left(dest_is_up=False)
        self.assertIn('nova-compute on dest', cause)
        self.assertIn('delete ' + uuids.one_dest, by_hand)
        self.assertEqual([], self.cinder.done)
        self.assertEqual(self.ids('src'), set(self.mapped()))

    def test_cinder_does_not_know_the_source(self):
        # Without its connection nothing is taken from the other one.
        for problem in ('unnamed', 'not there', 'connection'):
            self.cinder.volumes[uuids.one] = {uuids.one_dest: 'dest'}
            if problem == 'unnamed':
                self.cinder.unname()
            elif problem == 'connection':
                self.cinder.volumes[uuids.one][uuids.one_src] = 'src'
                self.cinder.errors['show'] = cinder_exception.NotFound(404)
            _cause, by_hand = self.left()
            self.assertIn('not started on src', by_hand)
            self.assertIn(uuids.one, by_hand)
            self.assertNotIn(('delete', uuids.one_dest), self.cinder.done)
            self.assertIn(uuids.one_dest, self.mapped())
