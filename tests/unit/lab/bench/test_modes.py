# SPDX-License-Identifier: Apache-2.0

import testtools

from lab.bench import guests
from lab.bench import modes
from lab.cloud import content
from lab import guest
from lab import layout


class ModesTestCase(testtools.TestCase):

    def test_only_ours_names_post_copy(self):
        for mode in modes.MODES.values():
            body = mode.body('host-b')['os-migrateLive']
            self.assertEqual(mode.name == modes.OURS, 'post_copy' in body)
            self.assertEqual('host-b', body['host'])

    def test_what_upstream_offers(self):
        self.assertEqual(
            ['pre-copy', 'auto-converge', 'force-complete'],
            [mode.name for mode in modes.MODES.values() if mode.upstream])

    def test_what_does_not_end_has_a_limit(self):
        for name in ('pre-copy', 'auto-converge'):
            self.assertIsNotNone(modes.MODES[name].limit)


class GuestsTestCase(testtools.TestCase):

    def test_each_fits_its_flavor(self):
        flavor, = (found for found in content.FLAVORS
                   if found['name'] == guests.FLAVOR)
        self.assertEqual(guests.MEMORY_MIB, flavor['ram'])
        for kind in guests.GUESTS.values():
            self.assertLessEqual(
                max(kind.working_set_mib, guests.FILLED_MIB)
                + guest.RESERVED_MIB, guests.MEMORY_MIB)

    def test_only_the_bursty_one_has_a_cycle(self):
        self.assertEqual(
            {'bursty': 4096 * layout.MIB},
            {kind.name: kind.cycle for kind in guests.GUESTS.values()
             if kind.cycle})
