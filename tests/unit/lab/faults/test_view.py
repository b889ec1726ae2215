# SPDX-License-Identifier: Apache-2.0

import ddt
import testtools

from lab.faults.case import Phase
from lab.faults import view


def seen(status=None, source=view.RUNNING, destination=view.ABSENT,
         iteration=0, processed=0) -> view.View:
    return view.View(status, source, destination, iteration, processed)


# A migration as it goes: what is seen, and the phases that this is.
WAY = (
    (seen(), {Phase.REQUEST}),
    (seen('accepted'), {Phase.REQUEST}),
    (seen('queued'), {Phase.BEFORE}),
    (seen('preparing'), {Phase.BEFORE}),
    (seen('running'), set()),
    (seen('running', processed=1, iteration=1), {Phase.PRE_COPY}),
    (seen('running', processed=1, iteration=2),
     {Phase.PRE_COPY, Phase.SWITCH}),
    (seen('running (post-copy)', view.PAUSED_POST_COPY,
          'running (post-copy)'), {Phase.SWITCH, Phase.POST_COPY}),
    (seen('interrupted (post-copy)', view.PAUSED_POST_COPY_FAILED,
          'running (post-copy failed)'), {Phase.RECOVERY}),
    (seen('running (post-copy)', view.ABSENT, view.RUNNING), {Phase.AFTER}),
    (seen('running (post-copy)', 'shut off (migrated)', view.RUNNING),
     {Phase.AFTER}),
    (seen('completed', view.ABSENT, view.RUNNING), set()),
)


@ddt.ddt
class ViewTest(testtools.TestCase):

    @ddt.data(*WAY)
    @ddt.unpack
    def test_phase(self, moment, phases):
        always = {Phase.IDLE} if moment.is_final else {
            Phase.IDLE, Phase.FORCED}
        self.assertEqual(phases | always, {
            phase for phase in Phase if view.is_in(phase, moment)})

    def test_the_switch_is_hit_from_both_sides(self):
        for moment, _ in WAY[:-1]:
            self.assertTrue(view.still_in(Phase.SWITCH, moment))
        self.assertFalse(view.still_in(Phase.SWITCH, WAY[-1][0]))

    def test_arrival(self):
        self.assertEqual([False] * 9 + [True] * 3, [
            view.has_arrived(moment) for moment, _ in WAY])
        self.assertTrue(view.has_arrived(seen('error')))

    def test_a_libvirt_that_does_not_answer_is_no_phase(self):
        moment = seen('running', view.UNKNOWN, view.UNKNOWN, 1, 1)

        self.assertEqual({Phase.IDLE, Phase.FORCED}, {
            phase for phase in Phase if view.is_in(phase, moment)})
