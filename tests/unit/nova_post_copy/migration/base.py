# SPDX-License-Identifier: Apache-2.0

"""A migration that is watched, on hosts that do what a test says."""

import collections
import threading

import futurist
from nova import objects
from nova import test
from nova.tests.unit import fake_instance

from nova_post_copy.decisions.condition import Condition
from nova_post_copy.migration import link
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration import monitor
from tests.unit.nova_post_copy.migration import scripted
from tests.unit.nova_post_copy.migration.scripted import copying

MIB = scripted.MIB


class Story:
    """What is told of a migration, in order."""

    def __init__(self):
        self.switched = False
        self.told = []
        self.percents = []
        self.can_save = collections.deque()

    def _tell(self, what):
        if self.told[-1:] != [what]:
            self.told.append(what)

    def go_on(self):
        pass

    def finish(self):
        self._tell('end')

    def progress(self, info, per_cent):
        self.percents.append(round(per_cent))

    def switched_over(self):
        pass

    def moving(self, switched):
        self._tell('post-copy' if switched else 'pre-copy')

    def switching(self):
        saved = self.can_save.popleft() if self.can_save else True
        if saved:
            self._tell('post-copy')
        return saved

    def interrupted(self, error):
        self._tell('interrupted: %s' % error)

    def resumed(self):
        self._tell('resumed')

    def unreachable(self):
        self._tell('unreachable')


class Destination:
    """The way to a destination that is as a test says."""

    def __init__(self, source):
        self.source = source
        self.open = True
        self.error = None   # of each attempt to resume
        #: what its domain says, and whether an operator has given it up
        self.condition = Condition.BROKEN
        self.given_up = False
        #: libvirt's calls to resume, in order
        self.attempts = []
        self.cut_over = 0   # how often the network was moved
        #: what comes of that, one after the other; then it succeeds
        self.cut_overs = collections.deque()
        self.database = True    # answers
        self.let_go_of = []     # the reasons
        self.resume_refusal = None
        self.daemon_ends = False    # with each attempt

    def open_address(self, failures):
        return '192.0.2.2' if self.open else None

    def resume(self, address):
        self.attempts.append(futurist.Future())
        if self.error is not None:
            self.attempts[-1].set_result(self.error)
        return self.attempts[-1]

    def ask(self):
        question = futurist.Future()
        question.set_result(link.Answer(self.condition, self.given_up))
        return question

    def destination(self):
        return self.condition

    def cut_over_network(self):
        self.cut_over = self.cut_over + 1
        attempt = futurist.Future()
        attempt.set_result(
            self.cut_overs.popleft() if self.cut_overs else True)
        return attempt

    def daemon_has_ended(self, address, error):
        return self.daemon_ends

    # As the real one: the paused copy on the source is stopped.

    def let_go(self, reason):
        self.let_go_of.append(reason)
        self.source.become(scripted.DESTROYED, {})

    def is_over(self):
        return self.given_up if self.database else None


class MonitorTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.clock = self.useFixture(scripted.Clock())
        self.source = scripted.Source(self.clock)
        self.destination = Destination(self.source)
        self.story = Story()
        self.requests = collections.deque()
        self.stopping = threading.Event()
        self.instance = fake_instance.fake_instance_obj(None)
        self.instance.flavor = objects.Flavor(memory_mb=512)

    def migration(self, can_switch=True):
        return LiveMigration(
            self.source, self.instance, self.requests, can_switch,
            self.destination, self.story, scripted.Signals(self.clock),
            self.stopping)

    def watch(self, migration=None, restarted=False):
        return monitor.watch(
            migration or self.migration(),
            None if restarted else self.source.operation)

    def switches(self):
        """Let the switch be as it is when all goes well."""
        self.source.effects['migrateStartPostCopy'] = lambda: (
            self.source.become(scripted.POST_COPY))

    def completes_first_pass(self, second=2):
        self.source.become(job=copying(1))
        self.source.at(second, job=copying(2))

    def moves(self, processed=0):
        """Let the stream of the post-copy phase move."""
        job = copying(3) | {'memory_processed': processed}
        self.source.become(job=job)
        self.clock.at(self.clock.now + 1, lambda: (
            self.source.job is job and self.moves(processed + MIB)))

    def stands_still(self):
        self.source.become(job=copying(3))

    def assert_not_switched(self):
        self.assertEqual(0, self.source.count('migrateStartPostCopy'))
        self.assertNotIn('post-copy', self.story.told)
        self.assertEqual(0, self.destination.cut_over)


class PostCopyTestCase(MonitorTestCase):
    """The guest runs on the destination, memory is missing."""

    def setUp(self):
        super().setUp()
        self.source.become(scripted.POST_COPY)
        self.moves()

    def breaks(self, second, error=None):
        self.source.ends(
            second, error or scripted.libvirt_error('Broken pipe'),
            state=scripted.BROKEN)

    def resumes(self, second, error=None):
        """Let the newest attempt to resume end well, or not."""
        def resume():
            if error is None:
                self.source.become(scripted.POST_COPY)
                self.moves()
            else:
                self.destination.attempts[-1].set_result(error)
        self.clock.at(second, resume)

    def arrives(self, second):
        def arrive():
            self.source.become(scripted.MIGRATED, {})
            self.destination.attempts[-1].set_result(None)
        self.clock.at(second, arrive)
