# SPDX-License-Identifier: Apache-2.0

from nova import context as nova_context
from nova import objects
from nova import test

from nova_post_copy import exception
from nova_post_copy import instance_fault

# Of a fault and of an event, of which Nova keeps no more.
KEPT = 255


class TestTell(test.TestCase):

    def setUp(self):
        super().setUp()
        self.flags(host='src')
        self.context = nova_context.RequestContext(
            'user', 'project', is_admin=True)
        self.instance = objects.Instance(
            self.context, project_id='project', host='src')
        self.instance.create()
        self.action = objects.InstanceAction.action_start(
            self.context, self.instance.uuid, 'live-migration')

    def test_where_users_look(self):
        fault = exception.PostCopyRolledBack(
            host='src', dest='dest', reason='disk full')
        instance_fault.add(self.context, self.instance, fault)

        (recorded,) = objects.InstanceFaultList.get_by_instance_uuids(
            self.context, [self.instance.uuid])
        self.assertEqual(
            (fault.PUBLIC, fault.format_message(), 'src', 500),
            (recorded.message, recorded.details, recorded.host,
             recorded.code))
        (event,) = objects.InstanceActionEventList.get_by_action(
            self.context, self.action.id)
        self.assertEqual(
            ('compute_live_migration_post_copy', 'Error',
             fault.format_message()),
            (event.event, event.result, event.details))
        self.assertIsNotNone(event.finish_time)


class TestTexts(test.NoDBTestCase):
    """What to do with a server in trouble is not cut off."""

    # Long, but not longer than names of hosts are in practice.
    DETAILS = {'host': 'compute-0017.region-1',
               'dest': 'compute-0042.region-1',
               'reason': '[post_copy] recovery_timeout (86400 s) has expired'}

    def test_remedy_is_kept(self):
        for fault, remedy in (
                (exception.PostCopyRolledBack, 'can be retried'),
                (exception.PostCopyInterrupted,
                 'resumes when the network is back'),
                (exception.PostCopyUnreachable,
                 'start it from its disk'),
                (exception.PostCopySourceSilent, '"reboot --hard"'),
                (exception.PostCopyLost, 'server reboot --hard'),
                (exception.PostCopyDestinationGivenUp,
                 'then evacuate the server')):
            text = fault(**self.DETAILS).format_message()
            self.assertIn(remedy, text[:KEPT])
            self.assertIn('compute-0042', text[:KEPT])

    def test_tenants_read_no_names_of_hosts(self):
        faults = exception.PostCopyFault.__subclasses__()
        self.assertEqual(7, len(faults))
        for fault in faults:
            self.assertNotIn('%(', fault.PUBLIC)
            self.assertLess(len(fault.PUBLIC), KEPT)
