# SPDX-License-Identifier: Apache-2.0

"""What users, operators and HA tools ask for, at any time."""

import io

import fixtures
from hypothesis import strategies as st

from nova_post_copy.api import microversion
from nova_post_copy.cmd import give_up
from tests.functional.state_machine import world

#: whatever could start, stop, move or change a copy of the server
ACTIONS = {
    'reboot': {'reboot': {'type': 'SOFT'}},
    'reboot hard': {'reboot': {'type': 'HARD'}},
    'stop': {'os-stop': None},
    'start': {'os-start': None},
    'pause': {'pause': None},
    'unpause': {'unpause': None},
    'suspend': {'suspend': None},
    'resume': {'resume': None},
    'rescue': {'rescue': None},
    'shelve': {'shelve': None},
    'migrate': {'migrate': None},
    'resize': {'resize': {'flavorRef': '2'}},
    'rebuild': {'rebuild': {
        'imageRef': '155d900f-4e14-4e4c-a73d-069cbf4541e6'}},
    'live migration': {'os-migrateLive': {
        'host': None, 'block_migration': 'auto'}},
    'live migration with post-copy': {'os-migrateLive': {
        'host': None, 'block_migration': 'auto', 'post_copy': True}},
    'live migration to a third host': {'os-migrateLive': {
        'host': 'other', 'block_migration': 'auto'}},
}
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

    @world.rule(action=st.sampled_from(sorted(ACTIONS)))
    def act(self, action):
        self._ask_unfinished('POST', '/action', ACTIONS[action])

    @world.rule()
    def attach_volume(self):
        self._ask_unfinished('POST', '/os-volume_attachments', {
            'volumeAttachment': {'volumeId': self.test.cinder.new_volume()}})

    @world.rule()
    def detach_volume(self):
        for volume in sorted(self.test.cinder.volumes_of(self.server)):
            self._ask_unfinished(
                'DELETE', '/os-volume_attachments/' + volume)

    @world.rule()
    def attach_interface(self):
        self._ask_unfinished('POST', '/os-interface',
                             {'interfaceAttachment': {}})

    def _ask_unfinished(self, method, path, body=None):
        """Ask for something that is refused until the migration is over."""
        if not self.unfinished() or self.deleted:
            return
        if self.ask(method, path, body):
            # It may have ended just before.
            self.test.assertFalse(
                self.unfinished(), 'accepted between two hosts: %s %s'
                % (path, body))
            self.touched = True

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

    @world.rule(host=st.sampled_from([None, 'other']),
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
