# SPDX-License-Identifier: Apache-2.0

from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import volume_connections
from tests.unit.nova_post_copy.compute import records


class TestOfSource(test.NoDBTestCase):
    """Which attachment is the source's, of a volume with some."""

    def of(self, recorded, attached, prepared=True):
        return volume_connections.of_source(
            recorded, attached, 'src', prepared)

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


class TestOnDestination(test.NoDBTestCase):

    def _bdms(self, **fields):
        bdms = records.make().source_bdms
        bdms[0].update(fields)
        return bdms

    def on_destination(self, source, **fields):
        return [bdm.volume_id for bdm in volume_connections.on_destination(
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
