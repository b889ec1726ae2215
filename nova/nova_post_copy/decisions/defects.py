# SPDX-License-Identifier: Apache-2.0

"""What versions of libvirt and QEMU do wrong in post-copy.

One table for all of nova-post-copy; versions are asked for nowhere else. Pure:
no libvirt, no log. A row holds where a version says so and nothing else does:
distributions fix defects without changing the version, so an operator can say
that a row does not hold (``[post_copy] fixed_defects``), or that the host is
to take part all the same (``[post_copy] accepted_defects``).
"""

from collections.abc import Callable, Collection, Iterator
import enum
import re
import typing

from nova.i18n import _

Version = tuple[int, int, int]


class Program(enum.StrEnum):
    LIBVIRT = 'libvirt'
    QEMU = 'QEMU'
    #: not of the QEMU that runs, but of the one that the guest was made for
    MACHINE_TYPE = 'machine type'


class Role(enum.Flag):
    """Hosts to which a defect matters."""

    SOURCE = enum.auto()
    DESTINATION = enum.auto()
    BOTH = SOURCE | DESTINATION


class Effect(enum.Enum):
    REFUSED = 'refused'     #: no post-copy with this host or this guest
    SLOWER = 'slower'       #: recovery may take longer
    HANDLED = 'handled'     #: done right with every version


class Defect(typing.NamedTuple):
    """One row."""

    name: str           #: by which an operator overrules it
    program: Program
    since: Version | None   #: the first version that has it; None: all
    fixed: Version | None   #: the first version that has not; None: none
    role: Role
    effect: Effect
    reason: str         #: what is wrong, for an operator
    source: str         #: who says so
    does: str           #: what nova-post-copy does
    shown_by: str       #: a test
    parallel: bool = False  #: only with parallel connections

    def holds(self, is_at_least: Callable[[Program, Version], bool]) -> bool:
        """Tell whether versions have the defect.

        :param is_at_least: tells whether a program has at least a version
        """
        return ((self.since is None or is_at_least(self.program, self.since))
                and not (self.fixed is not None and
                         is_at_least(self.program, self.fixed)))


RESUME_CRASH: typing.Final = 'libvirt-resume-crash'
_CAPABILITY = 'tests.unit.nova_post_copy.virt.libvirt.test_capability'
_RECORDED = 'tests.unit.nova_post_copy.migration.test_recorded'

DEFECTS = (
    Defect(
        'libvirt-no-resume', Program.LIBVIRT, None, (8, 5, 0), Role.BOTH,
        Effect.REFUSED,
        _('libvirt is older than 8.5.0 and cannot resume a broken post-copy '
          'migration'),
        'NEWS of libvirt 8.5.0 (VIR_MIGRATE_POSTCOPY_RESUME)',
        'refuses the host', _CAPABILITY),
    Defect(
        'libvirt-resume-refused', Program.LIBVIRT, (8, 5, 0), (9, 0, 0),
        Role.BOTH, Effect.SLOWER,
        _('libvirt 8.5 to 8.10 refuses to resume a post-copy migration in '
          'some states. It is tried again until libvirt accepts'),
        'NEWS of libvirt 9.0.0', 'warns, and repeats the resume',
        _CAPABILITY),
    Defect(
        RESUME_CRASH, Program.LIBVIRT, (11, 2, 0), (11, 4, 0),
        Role.DESTINATION, Effect.REFUSED,
        _('libvirt 11.2 and 11.3 crash when a broken post-copy migration to '
          'them is resumed, and with each attempt again'),
        'NEWS of libvirt 11.4.0; seen with 11.3.0',
        'refuses the host as a destination; where that is accepted, neither '
        'resumes nor breaks a stream to it, which TCP heals',
        'tests.unit.nova_post_copy.migration.test_interruption'),
    Defect(
        'qemu-parallel', Program.QEMU, None, (10, 1, 0), Role.BOTH,
        Effect.REFUSED,
        _('QEMU is older than 10.1.0 and cannot combine post-copy with '
          '[libvirt] live_migration_parallel_connections > 1'),
        'ChangeLog of QEMU 10.1; seen with 10.0',
        'refuses the host', _CAPABILITY, parallel=True),
    Defect(
        'machine-type-parallel', Program.MACHINE_TYPE, None, (8, 0, 0),
        Role.SOURCE, Effect.REFUSED,
        _('the machine type of the server is not known to be 8.0 or newer, '
          'and QEMU hangs in pre-copy when it combines post-copy with '
          '[libvirt] live_migration_parallel_connections > 1'),
        'seen with QEMU 11.1 and pc-q35-7.2',
        'refuses the guest', _CAPABILITY, parallel=True),
    Defect(
        'qemu-recover-exit', Program.QEMU, None, (8, 2, 0), Role.DESTINATION,
        Effect.HANDLED,
        _('QEMU exits when a stream breaks while it is being resumed'),
        'seen with QEMU 7.2',
        'breaks no stream that has not carried memory',
        'tests.unit.nova_post_copy.virt.libvirt.test_incoming'),
    Defect(
        'qemu-collections', Program.QEMU, (11, 1, 0), None, Role.SOURCE,
        Effect.HANDLED,
        _('memory_iteration counts collections of dirty pages, 15 to 20 a '
          'second, and no passes'),
        'seen with QEMU 11.1', 'tells passes by what was sent', _RECORDED),
    Defect(
        'qemu-no-downtime', Program.QEMU, (11, 1, 0), None, Role.SOURCE,
        Effect.HANDLED,
        _('the expected downtime is 9223372036854775807 as long as the '
          'bandwidth is not known'),
        'seen with QEMU 11.1', 'takes it for no figure', _RECORDED),
    Defect(
        'qemu-dirty-bitmap', Program.QEMU, None, None, Role.SOURCE,
        Effect.HANDLED,
        _('a measurement of the dirty rate by dirty bitmap ends an emulated '
          'guest'),
        'seen with QEMU 7.2', 'measures by page sampling',
        'tests.unit.nova_post_copy.virt.libvirt.test_dirty_rate'),
    Defect(
        'libvirt-shutdown-state', Program.LIBVIRT, (11, 3, 0), None,
        Role.SOURCE, Effect.HANDLED,
        _('a domain that has left is in state "shutdown" before it is '
          '"shut off (migrated)"'),
        'seen with libvirt 11.3 and 12.9', 'asks again',
        'tests.unit.nova_post_copy.migration.test_following'),
    Defect(
        'libvirt-failed-stream-lives', Program.LIBVIRT, None, None,
        Role.SOURCE, Effect.HANDLED,
        _('"post-copy failed" is shown when libvirtd on the destination was '
          'killed, although the stream lives'),
        'seen with libvirt 12.9', 'does nothing while bytes move',
        'tests.unit.nova_post_copy.migration.test_interruption'),
)
NAMES = tuple(defect.name for defect in DEFECTS
              if defect.effect is not Effect.HANDLED)
_MACHINE_TYPE = re.compile(r'-(\d+)\.(\d+)$')


def of_host(is_at_least: Callable[[Program, Version], bool], role: Role,
            effect: Effect, parallel: bool,
            fixed: Collection[str]) -> Iterator[Defect]:
    """Yield the defects of a host.

    :param is_at_least: tells whether a program has at least a version
    :param parallel: whether migrations have several connections
    :param fixed: names of rows that do not hold on this host
    """
    for defect in DEFECTS:
        if (defect.program is not Program.MACHINE_TYPE and
                role & defect.role and defect.effect is effect and
                defect.name not in fixed and
                (parallel or not defect.parallel) and
                defect.holds(is_at_least)):
            yield defect


def of_machine_type(machine_type: str, parallel: bool,
                    fixed: Collection[str]) -> Iterator[Defect]:
    """Yield the defects of the machine type of a guest.

    Those of distributions (``pc-q35-rhel9.2.0``, ``ubuntu-q35``) do not tell
    the version of QEMU.
    """
    found = _MACHINE_TYPE.search(machine_type)
    version = (*map(int, found.groups()), 0) if found else (0, 0, 0)
    for defect in DEFECTS:
        if (defect.program is Program.MACHINE_TYPE and
                defect.name not in fixed and
                (parallel or not defect.parallel) and
                defect.holds(lambda program, wanted: version >= wanted)):
            yield defect
