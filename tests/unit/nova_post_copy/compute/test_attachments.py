# SPDX-License-Identifier: Apache-2.0

from types import SimpleNamespace
from unittest import mock

from cinderclient import exceptions as cinder_exception
import fixtures
from nova import objects
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import attachments
from nova_post_copy.compute import record
from nova_post_copy import exception
from tests.unit.nova_post_copy.compute import base
from tests.unit.nova_post_copy.compute import records


class TestOfSource(test.NoDBTestCase):
    """Which attachment is the source's, of a volume with some."""

    def of(self, recorded, attached, prepared=True):
        return attachments.of_source(recorded, attached, 'src', prepared)

    def test_hosts_are_named(self):
        self.assertEqual('a', self.of('b', {'a': 'src', 'b': 'dest'}))
        self.assertEqual('a', self.of('a', {'a': 'src', 'b': 'dest'}))

    def test_source_has_none(self):
        self.assertIsNone(self.of('b', {'b': 'dest'}))

    def test_hosts_are_not_named(self):
        self.assertEqual('a', self.of('b', {'a': None, 'b': None}))
        self.assertEqual(
            'a', self.of('b', {'a': None, 'b': None}, prepared=False))

    def test_only_one_is_complete(self):
        # The destination was being prepared.
        self.assertEqual('a', self.of('a', {'a': None}, prepared=False))
        self.assertEqual('a', self.of('b', {'a': None}, prepared=False))
        # The source's was deleted already.
        self.assertIsNone(self.of('b', {'b': None}))

    def test_not_known(self):
        self.assertIsNone(self.of('c', {}))
        self.assertIsNone(self.of('c', {}, prepared=False))
        self.assertIsNone(self.of('c', {'a': None, 'b': None}))
        self.assertIsNone(self.of('b', {'a': 'src', 'c': 'src'}))


class AttachmentsTestCase(base.ReconcileTestCase):

    def setUp(self):
        super().setUp()
        self.keep()
        self.volumes.attachments = {
            uuids.source_attachment, uuids.dest_attachment}
        self.bdm = objects.BlockDeviceMapping(
            self.context, instance_uuid=self.instance.uuid,
            volume_id=uuids.volume, source_type='volume',
            destination_type='volume', device_name='/dev/vdb',
            attachment_id=uuids.dest_attachment, volume_size=1,
            connection_info='{"of": "dest"}', tag=None, boot_index=None)
        self.bdm.create()
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.rpcapi.PostCopyComputeAPI.'
            'remove_volume_connections',
            lambda api, context, host, instance, bdms:
                self.outside.do('disconnect ' + host)))

    def kept(self):
        return record.load(self.instance.uuid)

    def settle(self):
        attachments.settle(self.manager, self.context, self.instance,
                           self.kept())
        self.refresh()
        return self.volumes.attachments

    def refresh(self):
        self.bdm = objects.BlockDeviceMapping.get_by_volume_and_instance(
            self.context, uuids.volume, self.instance.uuid)


class TestSettle(AttachmentsTestCase):

    def test_completed(self):
        self.change(host='dest')
        self.assertEqual({uuids.dest_attachment}, self.settle())

    def test_completed_and_done(self):
        self.keep(released=True)
        self.change(host='dest')
        self.settle()
        self.assertEqual([], self.outside.done)

    def test_never_that_of_the_running_server(self):
        # As a record that was rebuilt before took it for the source's.
        self.bdm.attachment_id = uuids.source_attachment
        self.bdm.save()
        self.change(host='dest')
        self.settle()
        self.assertEqual([], self.outside.done)

    def rolled_back(self, attachment=uuids.dest_attachment, **changes):
        dest_bdms = records.make().source_bdms
        dest_bdms[0].attachment_id = attachment
        self.keep(dest_bdms=dest_bdms, **changes)
        self.bdm.attachment_id = uuids.source_attachment
        self.bdm.save()

    def test_rolled_back(self):
        self.rolled_back()
        self.assertEqual({uuids.source_attachment}, self.settle())
        # The LUN is not given away before.
        self.assertEqual(
            [('disconnect dest',),
             ('delete attachment', uuids.dest_attachment)],
            self.outside.done)

    def test_destination_does_not_answer(self):
        self.rolled_back()
        self.outside.error = 'disconnect dest'
        self.assertRaises(test.TestingException, self.settle)
        self.assertIn(uuids.dest_attachment, self.volumes.attachments)

    def test_cinder_fails(self):
        self.rolled_back()
        self.outside.error = 'delete attachment'
        self.assertRaises(test.TestingException, self.settle)
        self.assertTrue(self.kept().disconnected)

    def test_disconnected_before(self):
        self.rolled_back(disconnected=True)
        self.settle()
        self.assertEqual([('delete attachment', uuids.dest_attachment)],
                         self.outside.done)

    def test_attached_anew_since(self):
        self.rolled_back(uuids.other_attachment)
        self.bdm.attachment_id = uuids.dest_attachment
        self.bdm.save()
        self.assertIn(uuids.dest_attachment, self.settle())

    def test_deleted(self):
        self.rolled_back()
        self.bdm.destroy()
        attachments.release(self.manager, self.context, self.instance,
                            self.kept())
        self.assertEqual(set(), self.volumes.attachments)

    def test_refusal_says_what_to_configure(self):
        def refuse():
            with attachments.refusal_explained():
                raise cinder_exception.Unauthorized(401)
        error = self.assertRaises(exception.PostCopyCinderRefused, refuse)
        self.assertIn('[cinder]', error.format_message())


class TestRestore(AttachmentsTestCase):

    def restore(self):
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(
            self.context, self.instance.uuid)
        attachments.restore(self.instance, bdms, self.kept().source_bdms,
                            self.kept())
        self.refresh()
        return self.bdm.attachment_id, [
            (bdm.attachment_id, bdm.connection_info)
            for bdm in self.kept().dest_bdms]

    def test_without_cinder(self):
        self.outside.error = 'delete attachment'
        self.assertEqual(
            (uuids.source_attachment,
             [(uuids.dest_attachment, '{"of": "dest"}')]), self.restore())
        self.assertIn('serial', self.bdm.connection_info)
        self.assertEqual([], self.outside.done)

    def test_again(self):
        self.assertEqual(self.restore(), self.restore())

    def test_not_prepared(self):
        self.bdm.attachment_id = uuids.source_attachment
        self.bdm.save()
        self.assertEqual((uuids.source_attachment, []), self.restore())

    def test_legacy(self):
        source_bdms = self.kept().source_bdms
        source_bdms[0].attachment_id = None
        self.keep(source_bdms=source_bdms)
        self.bdm.attachment_id = None
        self.bdm.save()
        self.assertEqual((None, []), self.restore())
        self.assertIn('serial', self.bdm.connection_info)


class TestRebuilt(AttachmentsTestCase):
    """A record that was rebuilt does not know the source's."""

    def setUp(self):
        super().setUp()
        self.keep(source_bdms=None)
        self.named = {uuids.source_attachment: 'src',
                      uuids.dest_attachment: 'dest'}
        self.useFixture(fixtures.MonkeyPatch(
            'nova.volume.cinder.cinderclient', self._client))

    def _client(self, context, microversion, skip_version_check):
        return SimpleNamespace(volumes=SimpleNamespace(get=self._get))

    def _get(self, volume_id):
        return SimpleNamespace(attachments=[
            {'attachment_id': attachment, 'host_name': host,
             'server_id': self.instance.uuid}
            for attachment, host in self.named.items()] + [
                {'attachment_id': uuids.other, 'host_name': 'src',
                 'server_id': uuids.other_server}])

    def source_bdms(self):
        return attachments.source_bdms(
            self.manager, self.context, self.kept())

    def test_found_in_cinder(self):
        (bdm,) = self.source_bdms()
        self.assertEqual(uuids.source_attachment, bdm.attachment_id)
        self.assertIn(uuids.source_attachment, bdm.connection_info)
        self.assertIn('serial', bdm.connection_info)
        # Before anything changes, and for good.
        self.assertEqual(1, len(self.kept().source_bdms))

    def test_found_when_it_is_over(self):
        # The mapping has the destination's, and Cinder names no hosts.
        self.change(host='dest')
        self.status('error')
        self.named = dict.fromkeys(self.named)
        (bdm,) = self.source_bdms()
        self.assertEqual(uuids.source_attachment, bdm.attachment_id)

    def test_never_that_of_the_server_when_it_is_over(self):
        self.change(host='dest')
        self.status('error')
        self.named = {uuids.dest_attachment: None}
        self.assertEqual([], list(self.source_bdms()))

    def test_not_touched_if_it_is_not_known(self):
        self.named = {}
        self.assertEqual([], list(self.source_bdms()))
        for host in ('src', 'dest'):
            self.change(host=host)
            self.settle()
        self.assertEqual([], self.outside.done)

    def test_completed(self):
        self.change(host='dest')
        self.assertEqual({uuids.dest_attachment}, self.settle())

    def rolled_back(self):
        self.outside.done.clear()
        self.volumes.attachments = {
            uuids.source_attachment, uuids.dest_attachment}
        self.keep(source_bdms=records.none(),
                  outcome=record.Outcome.ROLLED_BACK)
        self.bdm.attachment_id = uuids.source_attachment
        self.bdm.save()

    def test_rolled_back(self):
        for named in (self.named, dict.fromkeys(self.named)):
            self.named = named
            self.rolled_back()
            self.assertEqual({uuids.source_attachment}, self.settle())
            self.assertEqual(('disconnect dest',), self.outside.done[0])
            (bdm,) = self.kept().dest_bdms
            self.assertIn(uuids.dest_attachment, bdm.connection_info)

    def test_rolled_back_and_deleted(self):
        self.rolled_back()
        self.bdm.destroy()
        attachments.release(self.manager, self.context, self.instance,
                            self.kept())
        self.assertNotIn(uuids.dest_attachment, self.volumes.attachments)
        self.assertEqual(('disconnect dest',), self.outside.done[0])

    def test_rolled_back_and_on_its_way_to_a_third_host(self):
        self.named[uuids.dest_attachment] = 'other'
        self.rolled_back()
        self.assertIn(uuids.dest_attachment, self.settle())

    def test_volume_is_gone(self):
        self.rolled_back()
        self._get = mock.Mock(side_effect=cinder_exception.NotFound(404))
        self.settle()
        self.assertEqual([], list(self.kept().dest_bdms))


class TestOnDestination(test.NoDBTestCase):

    def _bdms(self, **fields):
        bdms = records.make().source_bdms
        bdms[0].update(fields)
        return bdms

    def on_destination(self, source, **fields):
        return [bdm.volume_id for bdm in attachments.on_destination(
            self._bdms(**fields), source)]

    def test_by_attachment(self):
        self.assertEqual([uuids.volume], self.on_destination(
            self._bdms(), attachment_id=uuids.dest_attachment))
        self.assertEqual([], self.on_destination(self._bdms()))

    def test_without_attachments(self):
        source = self._bdms(attachment_id=None)
        self.assertEqual([], self.on_destination(
            source, attachment_id=None))
        self.assertEqual([uuids.volume], self.on_destination(
            source, attachment_id=None, connection_info='{"lun": 2}'))

    def test_not_known(self):
        self.assertEqual([], self.on_destination(
            records.none(), attachment_id=uuids.dest_attachment))
