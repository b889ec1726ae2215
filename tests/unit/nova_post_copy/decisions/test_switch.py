# SPDX-License-Identifier: Apache-2.0

import hypothesis
from hypothesis import strategies
import testtools

from nova_post_copy.decisions import switch
from nova_post_copy.decisions import workload

MIB = 1 << 20
GIB = 1 << 30

SETTINGS = switch.Settings(
    policy=switch.Policy.AUTO, weight=2.0, downtime=0.5, timeout=0,
    abort=False)
PROGRESS = switch.Progress(
    stage=switch.Stage.LATER, remaining=400 * MIB, sent=0,
    bandwidth=200 * MIB, elapsed=3.0, unwatched=0.0, page_size=4096,
    fitting=None, guest=workload.Workload(512 * MIB))

FIRST_PASS = switch.Stage.FIRST_PASS


def _seen(*observations, memory=512):
    """A guest that dirtied so many MiB in so many seconds, oldest first."""
    guest = workload.Workload(memory * MIB)
    for seconds, dirtied in observations:
        guest = guest.observe(seconds, dirtied * MIB)
    return guest


def _decide(forced=False, settings=None, **progress):
    return switch.decide(
        PROGRESS._replace(**progress),
        SETTINGS._replace(**settings or {}), forced)


class TestWithoutWeighing(testtools.TestCase):

    def test_disks_are_copied_first(self):
        for forced, settings in ((True, {}), (False, {'timeout': 1})):
            self.assertEqual(
                (switch.Action.GO_ON, 'memory is not being copied yet'),
                _decide(forced, settings, stage=switch.Stage.BEFORE,
                        remaining=0,
                        bandwidth=0, elapsed=9.0))

    def test_user_asks_for_it(self):
        for policy in switch.Policy:
            for progress in ({'stage': FIRST_PASS}, {'remaining': 0}):
                self.assertEqual(
                    (switch.Action.SWITCH, 'a user forced the switch'),
                    _decide(True, {'policy': policy}, **progress))

    def test_pre_copy_takes_too_long(self):
        late = {'timeout': 5}
        for policy in switch.Policy:
            self.assertEqual(
                (switch.Action.SWITCH,
                 'pre-copy timed out after 5 s'),
                _decide(settings=late | {'policy': policy}, elapsed=5.1))

    def test_stop_when_the_operator_wants_no_other_end(self):
        late = {'timeout': 5, 'abort': True}
        self.assertIs(switch.Action.STOP, _decide(
            settings=late | {'policy': switch.Policy.MANUAL},
            elapsed=5.1).action)
        self.assertIs(switch.Action.SWITCH,
                      _decide(settings=late, elapsed=5.1).action)

    def test_manual(self):
        self.assertIs(switch.Action.GO_ON, _decide(
            settings={'policy': switch.Policy.MANUAL},
            guest=_seen((2, 512))).action)

    def test_first_pass(self):
        policy = {'policy': switch.Policy.FIRST_PASS}
        guest = _seen((1, 510))
        self.assertIs(switch.Action.GO_ON, _decide(
            settings=policy, stage=FIRST_PASS, guest=guest).action)
        self.assertEqual(
            (switch.Action.SWITCH,
             'the first pass is complete, and the remaining 400 MiB do not '
             'fit the allowed downtime of 500 ms'),
            _decide(settings=policy, guest=guest))
        self.assertIs(switch.Action.GO_ON, _decide(
            settings=policy, guest=guest, remaining=99 * MIB,
            fitting=0.0).action)

    def test_nothing_is_known(self):
        self.assertEqual(
            (switch.Action.GO_ON, 'the bandwidth is not known yet'),
            _decide(bandwidth=0))
        self.assertEqual(
            (switch.Action.GO_ON, 'the first pass is not complete'),
            _decide(stage=FIRST_PASS))
        self.assertEqual(
            (switch.Action.GO_ON, 'no complete pass has been observed yet'),
            _decide())


class TestGuests(testtools.TestCase):
    """512 MiB at 200 MiB/s: a pass takes 2.56 s, 100 MiB fit the downtime."""

    def test_idle(self):
        self.assertEqual(
            (switch.Action.GO_ON, 'the remaining 2 MiB fit the allowed '
             'downtime of 500 ms'),
            _decide(remaining=2 * MIB, fitting=0.0,
                    guest=_seen((1, 1), (2.5, 2))))

    def test_fits_only_because_some_of_it_was_sent_since(self):
        # QEMU looks at the boundary, and did not end pre-copy there.
        self.assertIs(switch.Action.SWITCH, _decide(
            remaining=99 * MIB, sent=10 * MIB,
            guest=_seen((2.5, 109), (0.5, 109))).action)

    def test_hardly_fits_whenever_the_network_seems_faster(self):
        # 105 MiB again and again; 200 MiB/s may be taken for 212.
        hardly = {'remaining': 105 * MIB, 'bandwidth': 212 * MIB,
                  'guest': _seen((0.55, 106), (0.53, 105))}
        self.assertIs(switch.Action.SWITCH,
                      _decide(settings={'weight': 9}, **hardly).action)

    def test_qemu_does_not_end_what_should_end(self):
        fits = {'remaining': 99 * MIB, 'guest': _seen((2.5, 99), (0.5, 99))}
        self.assertIs(switch.Action.GO_ON,
                      _decide(fitting=3.0, **fits).action)
        self.assertEqual(
            (switch.Action.SWITCH,
             'the remaining 99 MiB have fitted the allowed downtime of 500 ms '
             'for 3.1 s, but QEMU continues'),
            _decide(fitting=3.1, **fits))

    def test_hot_all_over_switches_at_once(self):
        self.assertEqual(
            (switch.Action.SWITCH,
             '481 MiB for post-copy take 2.5 s; another pass would leave 512 '
             'MiB and take 2.5 s more'),
            _decide(stage=FIRST_PASS, remaining=476 * MIB, sent=20 * MIB,
                    guest=_seen((1, 408))))

    def test_hot_all_over_but_noticed_late(self):
        # A quarter of the first pass is over, as measured for so long.
        self.assertIs(switch.Action.SWITCH, _decide(
            stage=FIRST_PASS, remaining=6 * GIB, sent=2 * GIB,
            bandwidth=200 * MIB, guest=_seen((10, 7800), memory=8192)).action)
        # Most of it is over; what it has left is soon there.
        self.assertIs(switch.Action.GO_ON, _decide(
            stage=FIRST_PASS, remaining=1 * GIB, sent=7 * GIB,
            bandwidth=200 * MIB, guest=_seen((10, 1500), memory=8192)).action)

    def test_hot_set_of_a_quarter(self):
        guest = _seen((1, 128))
        self.assertIs(switch.Action.GO_ON, _decide(
            stage=FIRST_PASS, remaining=500 * MIB, sent=12 * MIB,
            guest=guest).action)
        # A second pass would leave the same again.
        self.assertIs(switch.Action.SWITCH, _decide(
            remaining=128 * MIB, guest=guest.observe(2.56, 128 * MIB)).action)

    def test_small_hot_set_gets_as_many_passes_as_pay(self):
        # 256 GiB at 1 GiB/s: in 16 s it comes back often, in 1 s hardly.
        guest = _seen((1, 1024), (256, 16384), memory=256 << 10)
        self.assertEqual(
            (switch.Action.GO_ON, 'pre-copy is expected to leave 2048 MiB '
             'instead of 16384 MiB for post-copy (passes to go: 2)'),
            _decide(remaining=16 * GIB, bandwidth=GIB, guest=guest))
        # What pays no more is seen when it is there.
        self.assertIs(switch.Action.SWITCH, _decide(
            remaining=2048 * MIB, bandwidth=GIB, guest=guest).action)

    def test_steady_writer_that_the_network_outruns(self):
        guest = _seen((1, 100), (64, 6400), memory=64 << 10)
        self.assertEqual(
            (switch.Action.GO_ON, 'pre-copy is expected to end by itself '
             '(passes to go: 2)'),
            _decide(remaining=6400 * MIB, bandwidth=1000 * MIB, guest=guest))

    def test_as_fast_as_the_network(self):
        self.assertIs(switch.Action.SWITCH, _decide(
            remaining=500 * MIB, guest=_seen((1, 200), (2.56, 500))).action)

    def test_becomes_idle(self):
        self.assertIs(switch.Action.GO_ON, _decide(
            remaining=10 * MIB, fitting=0.0,
            guest=_seen((2.56, 400), (2.0, 10))).action)

    def test_becomes_busy(self):
        self.assertIs(switch.Action.SWITCH, _decide(
            remaining=450 * MIB,
            guest=_seen((1, 0), (2.56, 450))).action)

    def test_nothing_was_measured(self):
        # One observation says nothing about growth.
        self.assertIs(switch.Action.SWITCH, _decide(
            remaining=400 * MIB, guest=_seen((2.56, 400))).action)
        self.assertIs(switch.Action.GO_ON, _decide(
            remaining=110 * MIB, guest=_seen((2.56, 110))).action)

    def test_huge_pages_are_worth_more_patience(self):
        slow = {'remaining': 40 * GIB, 'bandwidth': GIB, 'guest': _seen(
            (10, 7000), (40, 28000), memory=64 << 10)}
        self.assertIs(switch.Action.SWITCH, _decide(**slow).action)
        self.assertIs(switch.Action.GO_ON,
                      _decide(page_size=GIB, **slow).action)

    def test_huge_pages_that_nothing_can_spare(self):
        decision = _decide(
            remaining=40 * GIB, bandwidth=GIB, page_size=GIB,
            guest=_seen((40, 40960), memory=64 << 10))
        self.assertIs(switch.Action.SWITCH, decision.action)
        self.assertIn('each missing page of 1024 MiB will keep the guest '
                      'waiting for 1.0 s', decision.reason)

    def test_weight(self):
        guest = {'stage': FIRST_PASS, 'remaining': 492 * MIB, 'sent': 20 * MIB,
                 'guest': _seen((1, 190))}
        for weight, action in ((0, switch.Action.SWITCH),
                               (1, switch.Action.SWITCH),
                               (2, switch.Action.GO_ON),
                               (9, switch.Action.GO_ON)):
            self.assertIs(action, _decide(
                settings={'weight': weight}, **guest).action, weight)


class TestWhateverIsKnown(testtools.TestCase):

    @hypothesis.given(
        stage=strategies.sampled_from(switch.Stage),
        remaining=strategies.integers(0, 64 * GIB),
        sent=strategies.integers(0, 64 * GIB),
        bandwidth=strategies.integers(0, 10 * GIB),
        unwatched=strategies.floats(0.0, 0.5),
        page_size=strategies.sampled_from([4096, 2 * MIB, GIB]),
        fitting=strategies.none() | strategies.floats(0, 10),
        policy=strategies.sampled_from(switch.Policy),
        weight=strategies.floats(0, 100),
        observations=strategies.lists(strategies.tuples(
            strategies.floats(0, 1e5), strategies.floats(0, 1e6)),
            max_size=3))
    def test_there_is_an_answer_and_a_reason(
            self, policy, weight, observations, **progress):
        decision = _decide(
            settings={'policy': policy, 'weight': weight},
            guest=_seen(*observations, memory=64 << 10), **progress)
        self.assertIsInstance(decision.action, switch.Action)
        self.assertTrue(decision.reason)
        # Without a user and without a timeout nothing is stopped.
        self.assertIsNot(switch.Action.STOP, decision.action)
