# SPDX-License-Identifier: Apache-2.0

import errno
import hashlib
import json
import os
import pathlib
import stat
import threading
from unittest import mock

import fixtures
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st
from nova import context as nova_context
from nova import objects
from nova import test
from oslo_context import context as common_context
from oslo_serialization import jsonutils
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import record
from tests.unit.nova_post_copy.compute import records

# Anything that JSON can say.
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(
        st.text(max_size=8), values, max_size=4), max_leaves=8)


class RecordTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.state = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.flags(state_path=str(self.state))
        self.folder = self.state / 'post_copy'
        self.path = self.folder / (uuids.instance + '.json')

    def write(self, **changes):
        record.write(records.make(**changes))
        return jsonutils.loads(self.path.read_bytes())


class TestRecord(RecordTestCase):

    def assert_same(self, expected, found):
        for name in record.Record._fields:
            ours, theirs = getattr(expected, name), getattr(found, name)
            if hasattr(ours, 'obj_to_primitive'):
                ours, theirs = ours.obj_to_primitive(), (
                    theirs.obj_to_primitive())
            self.assertEqual(ours, theirs, name)

    def test_round_trip(self):
        for kept in (
                records.make(),
                records.make(user_id=None, project_id=None,
                             recovery_addr='2001:db8::2', started=True,
                             source_bdms=None,
                             flags=1 << 19, delete_type='soft_delete',
                             outcome='lost')):
            record.write(kept)
            self.assert_same(kept, record.load(uuids.instance))

    def test_objects_of_a_real_migration(self):
        kept = records.make()
        kept.migrate_data.migration = objects.Migration(
            id=7, status='running', post_copy=True)
        kept.migrate_data.old_vol_attachment_ids = {
            uuids.volume: uuids.attachment}
        record.write(kept)
        found = record.load(uuids.instance)
        self.assertTrue(found.migrate_data.migration.post_copy)
        self.assertEqual({uuids.volume: uuids.attachment},
                         found.migrate_data.old_vol_attachment_ids)
        self.assertEqual(uuids.volume, found.source_bdms[0].volume_id)

    def test_update(self):
        record.write(records.make())
        record.update(uuids.instance, started=True, flags=5)
        self.assert_same(records.make(started=True, flags=5),
                         record.load(uuids.instance))

    def test_update_of_none(self):
        self.assertRaises(
            OSError, record.update, uuids.instance, started=True)
        self.assertFalse(record.exists(uuids.instance))

    def test_two_updates_at_once(self):
        for _time in range(10):
            record.write(records.make())
            threads = [
                threading.Thread(target=record.update, args=[uuids.instance],
                                 kwargs=change)
                for change in ({'started': True}, {'delete_type': 'delete'})]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found = record.load(uuids.instance)
            self.assertEqual((True, 'delete'),
                             (found.started, found.delete_type))

    def test_none(self):
        self.assertIsNone(record.load(uuids.instance))
        self.assertFalse(record.exists(uuids.instance))
        self.assertEqual([], record.all_instances())
        record.remove(uuids.instance)

    def test_remove(self):
        self.write()
        self.assertTrue(record.exists(uuids.instance))
        record.remove(uuids.instance)
        record.remove(uuids.instance)
        self.assertFalse(record.exists(uuids.instance))

    def test_all_instances(self):
        for uuid in (uuids.a, uuids.b):
            record.write(records.make(uuid))
        for name in ('junk.json', 'notes', uuids.c, uuids.c + '.json.bak'):
            (self.folder / name).touch()
        self.assertEqual(sorted([uuids.a, uuids.b]), record.all_instances())

    def test_nobody_else_reads_it(self):
        self.addCleanup(os.umask, os.umask(0))
        self.write()
        record.update(uuids.instance, started=True)
        self.assertEqual(0o700, stat.S_IMODE(self.folder.stat().st_mode))
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))

    def test_no_secret(self):
        kept = records.make()
        kept.migrate_data.vtpm_secret_uuid = uuids.secret
        kept.migrate_data.vtpm_secret_value = 'not for the disk'
        record.write(kept)
        self.assertNotIn(b'not for the disk', self.path.read_bytes())
        # The migration still needs it.
        self.assertEqual('not for the disk',
                         kept.migrate_data.vtpm_secret_value)

    def test_context(self):
        context = records.make().context()
        self.assertTrue(context.is_admin)
        self.assertEqual(
            ('user', 'project', 'req-' + uuids.request, None),
            (context.user_id, context.project_id, context.request_id,
             context.auth_token))

    def test_context_leaves_that_of_the_thread(self):
        current = nova_context.RequestContext('somebody', 'else')
        records.make().context()
        self.assertIs(current, common_context.get_current())


class TestSetAside(RecordTestCase):

    def test_set_aside(self):
        record.write(records.make(started=True))
        record.set_aside(uuids.instance)

        self.assertFalse(record.exists(uuids.instance))
        self.assertEqual([], record.all_instances())
        self.assertEqual([uuids.instance], record.all_instances(record.LOST))
        self.assertTrue(record.load(uuids.instance, record.LOST).started)
        record.remove(uuids.instance, record.LOST)
        self.assertEqual([], record.all_instances(record.LOST))

    def test_none(self):
        record.set_aside(uuids.instance)
        self.assertEqual([], record.all_instances(record.LOST))

    def test_impossible(self):
        (self.state / 'post_copy_lost').touch()
        self.write()
        record.set_aside(uuids.instance)
        # A record that stays would be taken for a migration that goes on.
        self.assertFalse(record.exists(uuids.instance))
        self.assertEqual([], record.all_instances(record.LOST))


class TestCrash(RecordTestCase):
    """Old or new, but not in between."""

    def crash(self, function):
        with mock.patch(function, side_effect=test.TestingException):
            self.assertRaises(test.TestingException, record.write,
                              records.make(started=True))

    def test_old_one_stays(self):
        for function in ('os.fdopen', 'os.fsync', 'os.rename'):
            self.write()
            self.crash(function)
            self.assertFalse(record.load(uuids.instance).started)
            self.assertEqual([uuids.instance], record.all_instances())

    def test_none_stays_none(self):
        for function in ('os.fdopen', 'os.fsync', 'os.rename'):
            self.crash(function)
            self.assertIsNone(record.load(uuids.instance))
            self.assertEqual([], record.all_instances())

    def test_disk_is_full(self):
        with mock.patch('os.fsync', side_effect=OSError):
            self.assertRaises(OSError, record.write, records.make())
        # Not even a file that nobody would look at.
        self.assertEqual([], os.listdir(self.folder))


class TestFolder(RecordTestCase):
    """What is in the place of the folder, or of a file."""

    def assert_none(self):
        self.assertEqual([], record.all_instances())
        self.assertFalse(record.exists(uuids.instance))
        self.assertIsNone(record.load(uuids.instance))
        self.assertRaises(OSError, record.write, records.make())
        self.assertRaises(OSError, record.update, uuids.instance,
                          started=True)
        record.remove(uuids.instance)

    def test_file(self):
        self.folder.touch()
        self.assert_none()

    def test_dangling_link(self):
        self.folder.symlink_to(self.state / 'nowhere')
        self.assert_none()

    def test_directory_for_a_file(self):
        self.path.mkdir(parents=True)
        self.assert_none()
        self.assertTrue(self.path.is_dir())

    def test_not_readable(self):
        # Also for root, who runs some of these tests.
        self.write()
        with mock.patch('os.listdir', side_effect=PermissionError):
            self.assertEqual([], record.all_instances())


def _sign(content):
    """Let the content be what was written, by whatever program."""
    if isinstance(content, dict) and 'record' in content:
        text = json.dumps(content['record'], sort_keys=True)
        return content | {'sha256': hashlib.sha256(
            text.encode()).hexdigest()}
    return content


class TestDamage(RecordTestCase):
    """What was not written by us is damaged, whatever it is."""

    def setUp(self):
        super().setUp()
        self.content = self.write(recovery_addr='192.0.2.3', started=True)
        self.bytes = self.path.read_bytes()

    def load(self, content):
        if not isinstance(content, bytes):
            content = jsonutils.dump_as_bytes(_sign(content))
        self.path.write_bytes(content)
        try:
            found = record.load(uuids.instance)
        except record.Damaged:
            return None
        self.assert_usable(found)
        return found

    def assert_usable(self, found):
        """Check what nova-compute relies on."""
        self.assertEqual(uuids.instance, found.instance_uuid)
        self.assertIsInstance(found.migration_id, int)
        self.assertIsInstance(found.flags, int)
        self.assertIsInstance(found.migrate_data,
                              objects.LibvirtLiveMigrateData)
        self.assertIsInstance(found.source_bdms, (
            objects.BlockDeviceMappingList, type(None)))
        self.assertIsInstance(found.dest, str)
        for flag in (found.started, found.block_migration):
            self.assertIsInstance(flag, bool)
        self.assertIn(found.delete_type, (None, *record.DeleteType))
        self.assertIn(found.outcome, (None, *record.Outcome))
        self.assertTrue(found.context().request_id)

    def test_undamaged(self):
        self.assertIsNotNone(self.load(self.content))

    def test_truncated(self):
        for size in range(0, len(self.bytes) - 1, 7):
            self.assertIsNone(self.load(self.bytes[:size]))

    @given(st.binary(max_size=200))
    def test_random_bytes(self, content):
        self.assertIsNone(self.load(content))

    @given(st.data())
    def test_flipped_bits(self, data):
        content = bytearray(self.bytes)
        for _time in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= (
                1 << data.draw(st.integers(0, 7)))
        self.load_changed(bytes(content))

    @given(st.integers(0), st.integers(1, 512))
    def test_zeroed(self, begin, size):
        # As a file system leaves a block that it has not written.
        begin %= len(self.bytes)
        zeros = bytes(len(self.bytes[begin:begin + size]))
        self.load_changed(
            self.bytes[:begin] + zeros + self.bytes[begin + size:])

    def load_changed(self, content):
        """Load it: None, unless it says the same in other bytes."""
        found = self.load(content)
        if found is not None:
            self.assertEqual(self.content['record'],
                             jsonutils.loads(content)['record'])

    def test_valid_but_not_what_was_written(self):
        for name, value in (('migration_id', 8), ('dest', 'other'),
                            ('block_migration', False), ('started', False),
                            ('flags', 1)):
            self.content['record'][name] = value
            self.assertIsNone(self.load(
                jsonutils.dump_as_bytes(self.content)), name)
        self.assertIsNone(self.load(jsonutils.dump_as_bytes(
            {'version': 2, 'record': self.content['record']})))

    @given(junk)
    def test_other_content(self, content):
        self.assertIsNone(self.load(content))
        self.assertIsNone(self.load({'version': 2, 'record': content}))

    @example('migration_id', 0.0)
    @given(st.sampled_from(record.Record._fields), junk)
    def test_any_field(self, name, value):
        self.load({'version': 2,
                   'record': self.content['record'] | {name: value}})

    @given(st.sampled_from(('migrate_data', 'source_bdms')), st.data())
    def test_inside_of_an_object(self, name, data):
        damaged = jsonutils.loads(self.bytes)
        inside = damaged['record'][name]
        # Somewhere along a random path into it.
        while True:
            key = data.draw(st.sampled_from(
                sorted(inside) if isinstance(inside, dict) else
                range(len(inside))))
            if (not isinstance(inside[key], dict | list) or
                    not inside[key] or data.draw(st.booleans())):
                break
            inside = inside[key]
        inside[key] = data.draw(junk)
        self.load(damaged)

    def test_missing_or_unknown_field(self):
        for name in record.Record._fields:
            less = dict(self.content['record'])
            del less[name]
            self.assertIsNone(self.load({'version': 2, 'record': less}))
        self.assertIsNone(self.load(
            {'version': 2,
             'record': self.content['record'] | {'unknown': 1}}))

    def test_version(self):
        for version in (0, '1', None, True):
            self.assertIsNone(self.load(self.content | {'version': version}))
        self.assertIsNone(self.load({'record': self.content['record']}))

    def test_version_1(self):
        for deleting, delete_type in ((False, None), (True, 'delete')):
            old = {name: value for name, value
                   in self.content['record'].items()
                   if name not in ('delete_type', 'released', 'outcome',
                                   'dest_bdms', 'disconnected',
                                   'resume_refusal')}
            found = self.load(
                {'version': 1, 'record': old | {'deleting': deleting}})
            self.assertEqual((delete_type, None, '192.0.2.3'), (
                found.delete_type, found.outcome, found.recovery_addr))

    def test_of_another_instance(self):
        other = records.make(uuids.other)
        record.write(other)
        os.rename(self.folder / (uuids.other + '.json'), self.path)
        self.assertRaises(record.Damaged, record.load, uuids.instance)

    def test_other_objects(self):
        other = objects.Migration(id=1).obj_to_primitive()
        for name in ('migrate_data', 'source_bdms'):
            self.assertIsNone(self.load(
                {'version': 2,
                 'record': self.content['record'] | {name: other}}))

    def test_deeply_nested(self):
        self.assertIsNone(self.load(b'[' * 100000))


class TestUnreadable(RecordTestCase):
    """What may be whole: it is there, and nothing takes its place."""

    def setUp(self):
        super().setUp()
        self.content = self.write(started=True)

    def assert_unreadable(self):
        self.assertTrue(record.exists(uuids.instance))
        self.assertEqual([uuids.instance], record.all_instances())
        before = self.path.read_bytes()
        for function in (record.load, record.close):
            self.assertRaises(record.Unreadable, function, uuids.instance)
        self.assertRaises(record.Unreadable, record.update, uuids.instance,
                          started=False)
        self.assertEqual(before, self.path.read_bytes())

    def test_cannot_be_opened(self):
        # Also for root, who runs some of these tests.
        for number in (errno.EIO, errno.EMFILE, errno.EACCES, errno.ESTALE):
            with mock.patch('builtins.open', side_effect=OSError(
                    number, os.strerror(number))):
                self.assertRaises(
                    record.Unreadable, record.load, uuids.instance)
        self.assertTrue(record.load(uuids.instance).started)

    def test_cannot_be_seen(self):
        for number in (errno.EIO, errno.EACCES):
            with mock.patch('os.stat', side_effect=OSError(number, 'no')):
                # There may be one.
                self.assertTrue(record.exists(uuids.other))

    def test_later_version(self):
        self.path.write_bytes(jsonutils.dump_as_bytes(_sign(
            {'version': 3, 'record': self.content['record'] | {'new': 1}})))
        self.assert_unreadable()

    def test_object_of_a_later_release(self):
        self.content['record']['migrate_data'][
            'nova_object.version'] = '99.0'
        self.path.write_bytes(jsonutils.dump_as_bytes(_sign(self.content)))
        self.assert_unreadable()


class TestClose(RecordTestCase):

    def test_removed(self):
        self.write()
        self.assertIsNone(record.close(uuids.instance))
        self.assertFalse(record.exists(uuids.instance))
        self.assertIsNone(record.close(uuids.instance))

    def test_kept_for_a_delete(self):
        self.write(delete_type='soft_delete')
        self.assertEqual('soft_delete', record.close(uuids.instance))
        self.assertEqual('soft_delete', record.close(
            uuids.instance, record.set_aside))
        self.assertTrue(record.exists(uuids.instance))

    def test_set_aside(self):
        self.write()
        self.assertIsNone(record.close(uuids.instance, record.set_aside))
        self.assertEqual([uuids.instance], record.all_instances(record.LOST))

    def test_delete_at_this_very_moment(self):
        for _time in range(20):
            self.write()
            results = []

            def delete():
                try:
                    results.append(record.update(
                        uuids.instance, delete_type='delete').delete_type)
                except FileNotFoundError:
                    results.append(None)

            thread = threading.Thread(target=delete)
            thread.start()
            closed = record.close(uuids.instance)
            thread.join()
            # Whoever comes first: both know of it, or the delete is late.
            if closed is None and results == ['delete']:
                self.fail('forgotten')
            record.remove(uuids.instance)


class TestSync(RecordTestCase):

    def test_names_survive_a_crash(self):
        synced = []
        fsync = os.fsync
        self.useFixture(fixtures.MonkeyPatch(
            'os.fsync', lambda file: (synced.append(
                os.readlink('/proc/self/fd/%d' % file)), fsync(file))))
        self.write()
        self.assertEqual(str(self.folder), synced[-1])
        self.assertEqual(2, len(synced))
