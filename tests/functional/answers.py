# SPDX-License-Identifier: Apache-2.0

"""What the API answers to each action for a server that migrates, as data.

``tests.functional.test_answers`` asks a simulated cloud for all of it, and
``doc/answers.py`` writes the table of the guide.
"""

from collections.abc import Mapping
import enum
import json
import typing


class Phase(enum.StrEnum):
    """Of a live migration with post-copy, by its statuses."""

    BEFORE = 'accepted, queued, preparing'
    PRE_COPY = 'running'
    POST_COPY = 'running (post-copy)'
    INTERRUPTED = 'interrupted (post-copy)'


class Answer(typing.NamedTuple):
    status: int     #: of HTTP, in our microversion
    meaning: str


class Request(typing.NamedTuple):
    method: str
    path: str                   #: below /servers/{server_id}
    body: dict[str, typing.Any] | None = None

    def fill(self, values: Mapping[str, str]) -> 'Request':
        """Return the request with values in place of placeholders."""
        text = json.dumps([self.path, self.body])
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        return Request(self.method, *json.loads(text))


Answers = dict[Phase, Answer]


class Action(typing.NamedTuple):
    name: str
    requests: tuple[Request, ...]
    #: while nova-compute on the source is up
    up: Answers
    #: while it is down; None: the same
    down: Answers | None = None
    #: after os-resetState, until that is put back; None: the same
    reset: Answers | None = None

    def answer(self, phase: Phase, is_up: bool, is_reset: bool) -> Answer:
        if is_reset and self.reset is not None:
            return self.reset[phase]
        if not is_up and self.down is not None:
            return self.down[phase]
        return self.up[phase]


#: In bodies and paths, for what the server and the cloud have.
IMAGE, FLAVOR, VOLUME, OTHER_VOLUME, PORT, MIGRATION = (
    'THE-IMAGE', 'THE-FLAVOR', 'THE-VOLUME', 'OTHER-VOLUME', 'THE-PORT',
    'THE-MIGRATION')

REFUSED = Answer(409, '409')


def _always(answer: Answer) -> Answers:
    return dict.fromkeys(Phase, answer)


def _by_phase(before: Answer, pre_copy: Answer, post_copy: Answer,
              interrupted: Answer | None = None) -> Answers:
    return dict(zip(Phase, (before, pre_copy, post_copy,
                            interrupted or post_copy)))


def _done(status: int) -> Answers:
    return _always(Answer(status, 'done'))


def _actions(*bodies: dict[str, typing.Any]) -> tuple[Request, ...]:
    return tuple(Request('POST', '/action', body) for body in bodies)


def _live_migrate(**more: typing.Any) -> dict[str, typing.Any]:
    return {'os-migrateLive': {
        'host': None, 'block_migration': 'auto'} | more}


def _deleted(status: int, but: str = '') -> tuple[Answers, Answers]:
    return (
        _by_phase(
            Answer(status, 'cancels the migration, deletes the server' + but),
            Answer(status, 'aborts the migration, deletes the server'),
            Answer(status, 'deletes the server when the migration is over')),
        _by_phase(
            Answer(status, 'as for any server on a host that is down'),
            REFUSED, REFUSED))


ACTIONS = (
    Action('stop, start', _actions(
        {'os-stop': None}, {'os-start': None}), _always(REFUSED)),
    Action('reboot, soft or hard', _actions(
        {'reboot': {'type': 'SOFT'}}, {'reboot': {'type': 'HARD'}}),
        _always(REFUSED)),
    Action('pause, unpause, suspend, resume', _actions(
        {'pause': None}, {'unpause': None}, {'suspend': None},
        {'resume': None}), _always(REFUSED)),
    Action('rescue, unrescue, rebuild', _actions(
        {'rescue': None}, {'unrescue': None},
        {'rebuild': {'imageRef': IMAGE}}), _always(REFUSED)),
    Action('resize, migrate, confirm, revert', _actions(
        {'resize': {'flavorRef': FLAVOR}}, {'migrate': None},
        {'confirmResize': None}, {'revertResize': None}), _always(REFUSED)),
    Action('shelve, offload, unshelve, restore', _actions(
        {'shelve': None}, {'shelveOffload': None}, {'unshelve': None},
        {'restore': None}), _always(REFUSED)),
    Action('live migrate, with or without post_copy', _actions(
        _live_migrate(), _live_migrate(post_copy=True),
        _live_migrate(post_copy=False), _live_migrate(host='dest')),
        _always(REFUSED)),
    Action('image, backup', _actions(
        {'createImage': {'name': 'image'}},
        {'createBackup': {'name': 'backup', 'backup_type': 'daily',
                          'rotation': 1}}), _always(REFUSED)),
    Action('crash dump, administrator\'s password', _actions(
        {'trigger_crash_dump': None},
        {'changePassword': {'adminPass': 'secret'}}), _always(REFUSED)),
    Action(
        'attach, detach, swap a volume', (
            Request('POST', '/os-volume_attachments',
                    {'volumeAttachment': {'volumeId': OTHER_VOLUME}}),
            Request('DELETE', '/os-volume_attachments/' + VOLUME),
            Request('PUT', '/os-volume_attachments/' + VOLUME,
                    {'volumeAttachment': {'volumeId': OTHER_VOLUME}})),
        _always(REFUSED)),
    Action(
        'attach, detach an interface', (
            Request('POST', '/os-interface', {'interfaceAttachment': {}}),
            Request('DELETE', '/os-interface/' + PORT)), _always(REFUSED)),
    Action(
        'open a console', (Request('POST', '/remote-consoles', {
            'remote_console': {'protocol': 'vnc', 'type': 'novnc'}}),),
        _always(REFUSED)),
    Action(
        'evacuate', _actions(
            {'evacuate': {}}, {'evacuate': {'host': 'dest'}}),
        _by_phase(Answer(400, '400: nova-compute is up'), REFUSED, REFUSED),
        _by_phase(Answer(200, 'done'), REFUSED, REFUSED)),
    # Also where the cloud keeps deleted servers for a while.
    Action('delete, soft delete', (Request('DELETE', ''),), *_deleted(
        204, ' (a soft delete while accepted: 409)')),
    Action('force delete', _actions({'forceDelete': None}), *_deleted(202)),
    Action(
        'abort the migration', (
            Request('DELETE', '/migrations/' + MIGRATION),),
        _by_phase(
            Answer(202, 'cancelled (400 while accepted)'),
            Answer(202, 'cancelled'), Answer(409, '409: no way back')),
        reset=_always(REFUSED)),
    Action(
        'force the migration to complete', (
            Request('POST', '/migrations/%s/action' % MIGRATION,
                    {'force_complete': None}),),
        _by_phase(
            Answer(400, '400: nothing is copied yet'),
            Answer(202, 'switches now'),
            Answer(409, '409: nothing left to force')),
        reset=_always(REFUSED)),
    Action('os-resetState', _actions(
        {'os-resetState': {'state': 'active'}},
        {'os-resetState': {'state': 'error'}}),
        _always(Answer(202, 'nothing; the state is put back'))),
    Action('lock, unlock', _actions({'lock': None}, {'unlock': None}),
           _done(202)),
    Action('rename; tags, metadata; show', (
        Request('PUT', '', {'server': {'name': 'renamed'}}),
        Request('PUT', '/tags', {'tags': ['tag']}),
        Request('POST', '/metadata', {'metadata': {'key': 'value'}}),
        Request('GET', '')), _done(200)),
)
