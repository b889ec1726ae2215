# SPDX-License-Identifier: Apache-2.0

import collections
import itertools

import testtools

from lab.bench import guests
from lab.bench import modes
from lab.bench import plan

HOSTS = ('host-a', 'host-b')
PLAIN = {'host-a': {}, 'host-b': {}}
AUTO = modes.MODES['auto-converge'].options
FORCE = modes.MODES['force-complete'].options


class VisitsTestCase(testtools.TestCase):

    def visits(self, rounds=4, **arguments):
        return plan.visits(list(guests.GUESTS), list(modes.MODES), rounds,
                           **arguments)

    def test_everything_once(self):
        keys = [key for visit in self.visits() for key in visit.keys()]
        self.assertEqual(set(itertools.product(
            guests.GUESTS, modes.MODES, range(1, 5))), set(keys))
        self.assertEqual(len(keys), len(set(keys)))

    def test_what_is_done_is_left_out(self):
        whole = self.visits(rounds=2)
        done = {key for visit in whole[:3] for key in visit.keys()}
        done.add(whole[3].keys()[2])
        left = self.visits(rounds=2, done=done)
        self.assertEqual(whole[4:], left[1:])
        self.assertEqual(
            [key for key in whole[3].keys() if key not in done],
            left[0].keys())

    def test_each_mode_comes_first_and_last_in_its_half(self):
        places = collections.defaultdict(set)
        for visit in self.visits():
            for place, mode in enumerate(visit.modes):
                places[mode].add(place)
        # Before and after any other: no mode has the better place.
        for mode in ('pre-copy', modes.OURS):
            self.assertEqual({0, 2, 2, 4}, places[mode])
        for mode in ('auto-converge', 'force-complete'):
            self.assertEqual({0, 1, 3, 4}, places[mode])

    def restarts(self, visits):
        there, found = PLAIN, 0
        for visit in visits:
            source = plan.first_host(visit, HOSTS, there)
            for mode in visit.modes:
                destination, = set(HOSTS) - {source}
                needed = plan.needed_options(visit, mode, source,
                                             destination, there)
                if needed:
                    there, found = needed, found + 1
                wanted = modes.MODES[mode].options
                if wanted is not None:
                    self.assertEqual(wanted, there[source])
                if not modes.MODES[mode].bare:
                    source = destination
        return found

    def test_few_restarts(self):
        visits = self.visits()
        self.assertLessEqual(self.restarts(visits), len(visits) + 1)


class OptionsTestCase(testtools.TestCase):
    visit = plan.Visit('full', 1, ('pre-copy', 'force-complete', 'virsh',
                                   'auto-converge'))

    def needed(self, mode, there):
        return plan.needed_options(self.visit, mode, *HOSTS, there)

    def test_what_is_there_will_do(self):
        self.assertIsNone(self.needed('pre-copy', PLAIN))
        self.assertIsNone(self.needed('virsh', {'host-a': AUTO,
                                                'host-b': FORCE}))

    def test_the_other_host_is_made_ready_for_what_follows(self):
        self.assertEqual({'host-a': FORCE, 'host-b': AUTO},
                         self.needed('force-complete', PLAIN))

    def test_nothing_follows(self):
        self.assertEqual({'host-a': AUTO, 'host-b': {}},
                         self.needed('auto-converge', PLAIN))

    def test_boots_where_no_restart_is_needed(self):
        for number in (1, 2):
            visit = plan.Visit('full', number, ('auto-converge',))
            self.assertEqual('host-b', plan.first_host(
                visit, HOSTS, {'host-a': FORCE, 'host-b': AUTO}))
        self.assertEqual({'host-a', 'host-b'}, {
            plan.first_host(plan.Visit('full', number, ('pre-copy',)),
                            HOSTS, PLAIN) for number in (1, 2)})


class PhaseTestCase(testtools.TestCase):

    def test_steady_guests_have_none(self):
        self.assertEqual(0, plan.phase(guests.GUESTS['full'], 1, 7))

    def phases(self, seed):
        bursty = guests.GUESTS['bursty']
        return [plan.phase(bursty, number, seed) / bursty.cycle
                for number in range(1, 6)]

    def test_five_rounds_see_all_of_the_cycle(self):
        for seed in range(50):
            phases = sorted(self.phases(seed))
            self.assertTrue(0 <= phases[0] and phases[-1] < 1)
            gaps = [later - sooner for sooner, later in itertools.pairwise(
                [*phases, phases[0] + 1])]
            self.assertLess(max(gaps), 0.4)

    def test_can_be_repeated(self):
        self.assertEqual(self.phases(7), self.phases(7))
        self.assertNotEqual(self.phases(7), self.phases(8))


class SecondsLeftTestCase(testtools.TestCase):

    def test_nothing_is_left(self):
        self.assertEqual(0, plan.seconds_left([], {}))

    def test_learns_from_what_was_seen(self):
        left = [plan.Visit('idle', 1, ('pre-copy', 'auto-converge'))]
        unknown = plan.seconds_left(left, {})
        self.assertGreater(unknown, modes.MODES['auto-converge'].limit)
        seen = {('idle', 'pre-copy'): [3.0, 4.0, 90.0],
                ('idle', 'auto-converge'): [5.0]}
        self.assertEqual(
            unknown - modes.MODES['auto-converge'].limit
            - modes.MODES['pre-copy'].limit + 4.0 + 5.0,
            plan.seconds_left(left, seen))
