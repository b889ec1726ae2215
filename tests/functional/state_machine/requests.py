# SPDX-License-Identifier: Apache-2.0

"""What users, operators and HA tools ask for, at any time."""

import io

import fixtures
from hypothesis import strategies as st

from oslo_utils import uuidutils

from nova_post_copy.api import microversion
from nova_post_copy.cmd import give_up
from tests.functional import answers
from tests.functional.state_machine import world

IMAGE = '155d900f-4e14-4e4c-a73d-069cbf4541e6'
_THIRD_HOST = answers.Request('POST', '/action', {'os-migrateLive': {
    'host': 'other', 'block_migration': 'auto'}})
#: whatever could start, stop, move or change a copy of the server
REFUSED = [_THIRD_HOST, *(
    request for action in answers.ACTIONS for request in action.requests
    if set(action.up.values()) == {answers.REFUSED})]
#: what is answered as if nothing moved
BESIDE = [request for action in answers.ACTIONS for request in action.requests
          if {answer.meaning for answer in action.up.values()} == {'done'}]
#: at which the body of an evacuation has changed, and the newest
EVACUATIONS = ('2.14', '2.29', '2.68', '2.94', microversion.VERSION)


class Requests(world.World):

    # Of the migration itself

    @world.rule()
    def abort(self):
        for migration in self.test.migrations():
            self.ask('DELETE', '/migrations/%s' % migration['id'])

    @world.rule()
    def force_complete(self):
        for migration in self.test.migrations():
            self.ask('POST', '/migrations/%s/action' % migration['id'],
                     {'force_complete': None})

    # Of the server

    @world.rule(request=st.sampled_from(REFUSED))
    def act(self, request):
        """Ask for something that is refused until the migration is over."""
        if not self.unfinished() or self.deleted:
            return
        method, path, body = request.fill(self._values())
        if self.ask(method, path, body):
            # It may have ended just before.
            self.test.assertFalse(
                self.unfinished(), 'accepted between two hosts: %s %s'
                % (path, body))
            self.touched = True

    @world.rule(request=st.sampled_from(BESIDE))
    def do_beside(self, request):
        self.ask(*request.fill(self._values()))

    def _values(self):
        """Return what the placeholders of requests stand for."""
        def any_of(there):
            return next(iter(sorted(there)), uuidutils.generate_uuid())
        return {
            answers.IMAGE: IMAGE, answers.FLAVOR: '2',
            answers.VOLUME: any_of(self.test.cinder.volumes_of(self.server)),
            answers.OTHER_VOLUME: self.test.cinder.new_volume(),
            answers.PORT: any_of(self.test.neutron.bindings(self.server))}

    @world.rule(state=st.sampled_from(['active', 'error']))
    def reset_state(self, state):
        # What is put back before Nova's last steps is not changed after them.
        if self.phase() is None or not self.unfinished():
            self.reset |= state == 'error'
            self.begun |= self.deleted is not None
        self.ask('POST', '/action', {'os-resetState': {'state': state}})

    @world.rule(force=st.booleans())
    def delete(self, force):
        if self.deleted:
            return
        if not self.between_hosts() and (
                self.recorded_on() not in self.test.computes):
            return      # upstream's local delete; the host comes back empty
        soft = self.test.reclaim and not force
        unfinished = self.unfinished()
        if self.ask('POST', '/action', {'forceDelete': None}) if force else (
                self.ask('DELETE', '')):
            self.deleted = 'soft delete' if soft else 'delete'
            self.begun = not unfinished
            self.leaks |= self.test.cinder.outage.on

    @world.rule()
    def restore(self):
        if self.deleted == 'soft delete' and self.ask(
                'POST', '/action', {'restore': None}):
            self.deleted = None
            self.touched = True

    # Of hosts

    @world.rule(host=st.sampled_from(['src', 'dest']), down=st.booleans())
    def say_down(self, host, down):
        """Say that a nova-compute is down, whether it is or not."""
        self.test.force_down(host, down)
        self.react()

    @world.rule(host=st.sampled_from([None, 'dest', 'other']),
                version=st.sampled_from(EVACUATIONS))
    def evacuate(self, host, version):
        """Evacuate the server, as an HA tool does: after fencing its host.

        Between two hosts it fences the wrong one, if any, so it is refused.
        """
        recorded = self.recorded_on()
        if recorded is None or self.deleted or self.touched:
            return
        if not self.between_hosts():
            if recorded in self.test.computes or self.off:
                return
            self._fence(recorded)
        with self.test.microversion_is(version):
            if self.ask('POST', '/action', {
                    'evacuate': {'host': host} if host else {}}):
                self.test.assertFalse(self.between_hosts(),
                                      'evacuated between two hosts')
                self.lost = self.touched = True

    @world.rule(host=st.sampled_from(['src', 'dest']), off=st.booleans())
    def give_up(self, host, off):
        """Give a host up by the operator's command.

        :param off: whether the operator has made sure that the host is off
        """
        migration = self.migration()
        instance = self.instance()
        if migration is None or instance is None or not self.unfinished():
            return
        if off:
            self._fence(host)
            if host in self.test.computes:
                self.test.die(host)
        with fixtures.MonkeyPatch('sys.stdout', io.StringIO()):
            status = getattr(give_up.MigrationCommands(), 'give-up')(
                str(migration['id']), instance.display_name, [host])
        self.lost |= status != 1    # 1: refused, nothing was changed
        self.react()

    def _fence(self, host):
        """Let nothing of a host run any more."""
        if self.is_active(host):
            self.lost = True
            self.hosts.kill_qemu(host, self.server)
