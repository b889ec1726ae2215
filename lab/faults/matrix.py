# SPDX-License-Identifier: Apache-2.0

"""The cases that have a name, the most important first."""

from lab.faults.case import Case
from lab.faults.case import End
from lab.faults.case import Fault
from lab.faults.case import Phase
from lab.faults.case import Step
from lab.faults.case import VOLUMES
from lab.faults import limits
from lab.faults import switch
from lab.faults import users

_COMPUTE_DOWN_S = 3       # until a killed nova-compute is started again
# A request that died with its conductor is given up after 180 s, which is
# looked at once in a minute.
_GIVEN_UP_S = 180 + 60 + 30
_SERVICE_DOWN_S = 5       # other services
_DATABASE_DOWN_S = 20
_CINDER_DOWN_S = 20       # after the guest has arrived


def _network() -> list[Case]:
    def case(name, description, *steps, **options):
        return Case(name, description, tuple(
            Step(phase, Fault(kind, seconds=seconds))
            for phase, kind, seconds in steps), End.COMPLETED, **options)

    cut = 'the network is cut in post-copy'
    return [
        case('cut-5', cut + ' for 5 s, TCP keeps the streams',
             (Phase.POST_COPY, 'cut', 5)),
        case('cut-60', cut + ' for 60 s, TCP keeps the streams',
             (Phase.POST_COPY, 'cut', 60)),
        case('break-5', cut + ' for 5 s, the streams break',
             (Phase.POST_COPY, 'break', 5)),
        case('break-60', cut + ' for 60 s, the streams break',
             (Phase.POST_COPY, 'break', 60)),
        case('break-again', cut + ', and again in the recovery',
             (Phase.POST_COPY, 'reset', 5), (Phase.RECOVERY, 'cut', 10)),
        case('reset-5', 'a firewall resets all streams in post-copy, for 5 s',
             (Phase.POST_COPY, 'reset', 5)),
        # No end of a stream sees this, as it does see a pulled cable.
        case('drop-20', 'a firewall drops all packets in post-copy, for 20 s',
             (Phase.POST_COPY, 'drop', 20)),
        case('drop-60', 'a firewall drops all packets in post-copy, for 60 s',
             (Phase.POST_COPY, 'drop', 60)),
        case('libvirt-abort', "libvirt's own abort of post-copy",
             (Phase.POST_COPY, 'libvirt abort', None)),
        # The destination may not have the state of the devices yet: nothing
        # may break the stream then.
        Case('drop-switch', 'a firewall drops all packets at the switch',
             (Step(Phase.SWITCH, Fault('drop', seconds=10)),), End.EITHER),
        # libvirt has taken the call and gives up: the guest never left.
        switch.make('drop-17-switch', 'drop', 17, -0.1),
        # What breaks it before cannot be repaired by anyone.
        Case('break-switch', 'the streams break at the switch',
             (Step(Phase.SWITCH, Fault('break', seconds=5)),), End.ANY),
    ]


def _containers() -> list[Case]:
    """nova-compute sees no process of libvirt and QEMU."""
    return [
        Case('drop-60-container',
             'a firewall drops all packets in post-copy, for 60 s; '
             'nova-compute has a PID namespace of its own',
             (Step(Phase.POST_COPY, Fault('drop', seconds=60)),),
             End.COMPLETED, container=True),
    ]


def _compute() -> list[Case]:
    killed = 'nova-compute on the %s is killed %s'
    broken = Step(Phase.POST_COPY, Fault('reset', seconds=10))

    def kill(side, phase, when, *before, **options):
        return Case(
            'kill-%s-%s' % (side, phase.value), killed % (side, when),
            (*before, Step(phase, Fault('kill nova-compute', side,
                                        _COMPUTE_DOWN_S))), End.COMPLETED,
            **options)

    def restart(side, phase, when):
        return Case(
            'restart-%s-%s' % (side, phase.value),
            'nova-compute on the %s is restarted %s' % (side, when),
            (Step(phase, Fault('restart nova-compute', side, 0)),),
            End.COMPLETED)

    whens = {
        Phase.POST_COPY: 'in post-copy',
        Phase.PRE_COPY: 'in pre-copy',
        Phase.SWITCH: 'at the switch',
        Phase.AFTER: 'when libvirt is done and Nova is not',
    }
    return [
        *(kill('source', phase, when) for phase, when in whens.items()),
        kill('source', Phase.RECOVERY, 'while post-copy is interrupted',
             broken, silence=5 + limits.COMPUTE_STARTS_S),
        # Whether libvirt was asked before the kill is a matter of luck.
        Case('kill-source-before', killed % ('source', 'before it begins'),
             (Step(Phase.BEFORE, Fault(
                 'kill nova-compute', 'source', _COMPUTE_DOWN_S)),),
             End.EITHER),
        restart('source', Phase.PRE_COPY, 'in pre-copy'),
        restart('source', Phase.POST_COPY, 'in post-copy'),
        Case('kill-source-reboot',
             'nova-compute on the source is killed in post-copy; the '
             'operator resets the state and reboots the server',
             (Step(Phase.POST_COPY, Fault('kill nova-compute', 'source', 5)),
              Step(Phase.POST_COPY, Fault('reset state')),
              Step(Phase.POST_COPY, Fault('hard reboot'))),
             End.COMPLETED, restarts=True),
        *(kill('destination', phase, when, limit=limits.ASKED_AGAIN_S)
          for phase, when in whens.items()),
        Case('kill-destination-before',
             killed % ('destination', 'before it begins'),
             (Step(Phase.BEFORE, Fault(
                 'kill nova-compute', 'destination', _COMPUTE_DOWN_S)),),
             End.EITHER, limit=limits.ASKED_AGAIN_S),
        restart('destination', Phase.POST_COPY, 'in post-copy'),
    ]


def _services() -> list[Case]:
    def case(name, description, phase, kind, seconds, end=End.COMPLETED,
             limit=limits.ASKED_AGAIN_S):
        return Case(name, description,
                    (Step(phase, Fault(kind, seconds=seconds)),), end,
                    limit=limit)

    return [
        case('conductor-request', 'the conductor is killed in its own part',
             Phase.REQUEST, 'kill conductor', 0, End.EITHER,
             limit=_GIVEN_UP_S),
        case('conductor-post-copy', 'the conductor is killed in post-copy',
             Phase.POST_COPY, 'kill conductor', _SERVICE_DOWN_S),
        case('rabbitmq-pre-copy', 'RabbitMQ is restarted in pre-copy',
             Phase.PRE_COPY, 'stop RabbitMQ', 0),
        case('rabbitmq-post-copy', 'RabbitMQ is restarted in post-copy',
             Phase.POST_COPY, 'stop RabbitMQ', _SERVICE_DOWN_S),
        case('database-pre-copy', 'the database is away in pre-copy',
             Phase.PRE_COPY, 'stop database', _DATABASE_DOWN_S),
        case('database-post-copy', 'the database is away in post-copy',
             Phase.POST_COPY, 'stop database', _DATABASE_DOWN_S),
        case('placement', 'placement is away when the migration ends',
             Phase.POST_COPY, 'kill placement', 15),
    ]


def _volumes() -> list[Case]:
    return [
        Case('cinder-post-copy',
             "Cinder's API is away when the migration of a server with a "
             'volume ends',
             (Step(Phase.POST_COPY, Fault(
                 'kill Cinder', seconds=_CINDER_DOWN_S, from_arrival=True)),),
             End.COMPLETED, limit=limits.ASKED_AGAIN_S, storage=VOLUMES),
    ]


def _libvirt() -> list[Case]:
    """libvirt ends a migration in pre-copy when it is restarted.

    At the switch, a libvirt on the destination that is started anew does not
    know yet that it has started the guest, and ends it.
    """
    def restarted(side, phase, end, after=0.0):
        return Case('libvirtd-%s-%s' % (side, phase.value),
                    'libvirtd on the %s is restarted in %s' % (
                        side, phase.value),
                    (Step(phase, Fault('restart libvirtd', side), after),),
                    end)

    return [
        restarted('source', Phase.POST_COPY, End.COMPLETED),
        restarted('destination', Phase.POST_COPY, End.COMPLETED, after=1.0),
        restarted('source', Phase.PRE_COPY, End.STAYED),
        restarted('destination', Phase.PRE_COPY, End.STAYED),
        restarted('source', Phase.SWITCH, End.EITHER),
        restarted('destination', Phase.SWITCH, End.ANY),
    ]


def _lost() -> list[Case]:
    return [
        Case('lost-' + side, 'QEMU on the %s dies in post-copy' % side,
             (Step(Phase.POST_COPY, Fault('kill QEMU', side)),), End.LOST)
        for side in ('destination', 'source')
    ]


def _pre_copy() -> list[Case]:
    return [
        Case('cut-pre-copy', 'the network is cut in pre-copy for 60 s',
             (Step(Phase.PRE_COPY, Fault('cut', seconds=60)),),
             End.EITHER, limit=90),
        Case('break-pre-copy', 'the streams break in pre-copy',
             (Step(Phase.PRE_COPY, Fault('break', seconds=5)),),
             End.STAYED),
        Case('qemu-pre-copy', 'QEMU on the destination dies in pre-copy',
             (Step(Phase.PRE_COPY, Fault('kill QEMU', 'destination')),),
             End.STAYED),
        Case('disk-full', 'the disk of the destination is full',
             (Step(Phase.IDLE, Fault('fill disk', 'destination', 10)),),
             End.STAYED, storage=('local',)),
        Case('abort-pre-copy', 'the user aborts in pre-copy',
             (Step(Phase.PRE_COPY, Fault('abort', answer='accepted')),),
             End.STAYED),
    ]


def _conductor() -> list[Case]:
    """What fails while the destination is checked is no fault of the guest.

    Whether the check has been before is a matter of luck.
    """
    return [
        *(Case(name + '-request',
               '%s is away while the conductor checks the destination' % name,
               (Step(Phase.REQUEST, Fault('kill ' + name, seconds=15),
                     jitter=0),), End.EITHER, limit=limits.ASKED_AGAIN_S)
          for name in ('neutron', 'keystone')),
        Case('read-only', "the destination's instances are on a read-only "
             'file system',
             (Step(Phase.IDLE, Fault('read-only disk', 'destination', 20)),),
             End.STAYED),
    ]


def _isolated() -> list[Case]:
    return [
        Case('isolate-source-management',
             'the management network of the source is away in post-copy, '
             'for 90 s',
             (Step(Phase.POST_COPY, Fault(
                 'isolate management', 'source', 90)),),
             End.COMPLETED, limit=120),
        Case('isolate-source',
             'the source host cannot be reached in post-copy for 30 s',
             (Step(Phase.POST_COPY, Fault('isolate', 'source', 30)),),
             End.COMPLETED, limit=120),
    ]


CASES: dict[str, Case] = {case.name: case for case in (
    *_network(), *_containers(), *_compute(), *_services(), *_volumes(),
    *_libvirt(), *_lost(), *_pre_copy(), *users.cases(), *_conductor(),
    *_isolated())}
