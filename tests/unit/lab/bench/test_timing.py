# SPDX-License-Identifier: Apache-2.0

import testtools

from lab.bench import timing


class TimedTestCase(testtools.TestCase):

    def run_rounds(self, seed):
        made = []
        timed = timing.Timed({name: lambda name=name: made.append(name)
                              for name in 'abc'})
        timed.run(20, seed)
        return timed, made

    def test_the_kinds_take_turns(self):
        timed, made = self.run_rounds(1)
        rounds = [made[at:at + 3] for at in range(0, 60, 3)]
        self.assertEqual({('a', 'b', 'c')},
                         {tuple(sorted(each)) for each in rounds})
        self.assertEqual(6, len({tuple(each) for each in rounds}))
        self.assertEqual({'a': 20, 'b': 20, 'c': 20}, {
            name: len(found) for name, found in timed.seconds.items()})

    def test_can_be_repeated(self):
        self.assertEqual(self.run_rounds(3)[1], self.run_rounds(3)[1])

    def test_medians_are_compared(self):
        found, = timing.compared({'new': [0.2, 0.3, 9.0], 'old': [0.2] * 3},
                                 {'GET': ('new', 'old')})
        self.assertEqual(('GET', 3, 0.2, 0.3), tuple(
            found[key] for key in ('request', 'requests', 'below', 'ours')))
        self.assertAlmostEqual(1.5, found['ratio'])
