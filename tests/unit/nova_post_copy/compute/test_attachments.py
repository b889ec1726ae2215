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
from nova_post_copy.compute import volume_connections
from nova_post_copy import exception
from tests.unit.nova_post_copy.compute import base
from tests.unit.nova_post_copy.compute import records


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
            'remove_volume_connections', self._disconnect))
        self.service_is_up = True
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.objects.service.compute_is_up',
            lambda context, host: self.service_is_up))
        #: the connections that the destination has been told of
        self.disconnected = []
        #: what the destination does before it answers
        self.meanwhile = []

    def _disconnect(self, api, context, host, instance, bdms):
        if self.meanwhile:
            self.meanwhile.pop()()
        self.disconnected += [bdm.connection_info for bdm in bdms]
        self.outside.do('disconnect ' + host)

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
        self.keep(dest_bdms=dest_bdms, outcome=record.Outcome.ROLLED_BACK,
                  **changes)
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
        self.rolled_back()
        self.bdm.destroy()
        anew = objects.BlockDeviceMapping(
            self.context, instance_uuid=self.instance.uuid,
            volume_id=uuids.volume, source_type='volume',
            destination_type='volume', device_name='/dev/vdb',
            attachment_id=uuids.new_attachment, volume_size=1,
            connection_info='{"of": "new"}', tag=None, boot_index=None)
        anew.create()
        self.volumes.attachments.add(uuids.new_attachment)
        self.assertIn(uuids.new_attachment, self.settle())
        self.assertEqual('{"of": "new"}', self.bdm.connection_info)

    def test_its_connection_was_not_in_the_mapping_yet(self):
        # As while the destination connects the volumes.
        self.rolled_back()
        self.settle()
        (connection,) = self.disconnected
        self.assertIn(uuids.dest_attachment, connection)

    def test_what_the_driver_has_noted_is_kept(self):
        self.rolled_back()
        bdms = self.kept().dest_bdms
        bdms[0].connection_info = (
            '{"data": {"of": "%s", "device_path": "/dev/sda"}}'
            % uuids.dest_attachment)
        record.update(self.instance.uuid, dest_bdms=bdms)
        self.settle()
        self.assertIn('/dev/sda', self.disconnected[0])

    def test_destination_was_never_told_a_connection(self):
        self.rolled_back()
        self.volumes.connection = {}
        self.settle()
        self.assertEqual([], self.disconnected)
        self.assertNotIn(uuids.dest_attachment, self.volumes.attachments)

    def test_attachment_is_gone(self):
        self.rolled_back(uuids.gone)
        self.settle()
        self.assertEqual([], self.disconnected)

    def test_destination_prepares_after_all(self):
        # It was slow, and its source was restarted.
        self.rolled_back()
        record.update(self.instance.uuid, dest_bdms=records.none())
        self.meanwhile.append(self._prepare)
        self.assertEqual({uuids.source_attachment}, self.settle())
        self.assertEqual(uuids.source_attachment, self.bdm.attachment_id)
        self.assertNotIn('of', self.bdm.connection_info)
        self.assertEqual(1, len(self.disconnected))

    def _prepare(self):
        self.refresh()
        self.bdm.attachment_id = uuids.dest_attachment
        self.bdm.connection_info = '{"of": "dest"}'
        self.bdm.save()

    def test_destination_is_down_and_had_prepared_nothing(self):
        self.rolled_back()
        record.update(self.instance.uuid, dest_bdms=records.none())
        self.service_is_up = False
        self.settle()
        self.assertEqual([], self.outside.done)

    def test_rolled_back_and_evacuated_to_the_destination(self):
        self.rolled_back()
        self.change(host='dest')
        self.bdm.attachment_id = uuids.evacuated
        self.bdm.save()
        self.assertNotIn(uuids.dest_attachment, self.settle())
        self.assertEqual([], self.disconnected)

    def test_completed_and_back_on_the_source(self):
        # By a resize, before Cinder had agreed.
        self.keep(outcome=record.Outcome.ARRIVED)
        self.bdm.attachment_id = uuids.new_attachment
        self.bdm.save()
        self.assertNotIn(uuids.source_attachment, self.settle())

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
        return volume_connections.source_bdms(
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
