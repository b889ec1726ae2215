# SPDX-License-Identifier: Apache-2.0

"""Horizon's forms of live migration, with the checkbox *Post-copy*.

If the box is not checked, upstream's form does all of the work. Messages that
upstream has, too, have the same words, so that upstream's translations apply.
"""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from horizon import exceptions
from horizon import forms
from horizon import messages

from openstack_dashboard.dashboards.admin.hypervisors.compute \
    import forms as compute_forms
from openstack_dashboard.dashboards.admin.instances import forms \
    as instances_forms

from client_post_copy import microversion
from horizon_post_copy import api

# Becomes an HTML attribute without escaping: no quotation marks.
_HELP_TEXT = _(
    'Allow the live migration to switch from pre-copy to post-copy. After the '
    'switch the instance runs on the new host and fetches the rest of its '
    'memory from the old host; if either host fails before all of it has '
    'arrived, the memory of the instance is lost.')


class PostCopyMixin(forms.SelfHandlingForm):
    """Adds the checkbox to a form, if post-copy is offered."""

    # HTML attributes of the checkbox.
    post_copy_attrs: dict[str, object] = {}

    def __init__(self, request, *args, **kwargs):
        super().__init__(request, *args, **kwargs)
        if api.post_copy_offered(request):
            self.fields['post_copy'] = forms.BooleanField(
                label=_('Post-copy'), required=False, initial=False,
                help_text=_HELP_TEXT,
                widget=forms.CheckboxInput(attrs=self.post_copy_attrs))

    def wants_post_copy(self, data: dict) -> bool:
        return data.get('post_copy', False)

    def clean(self):
        data = super().clean()
        if self.wants_post_copy(data) and data['disk_over_commit']:
            self.add_error('post_copy', _(
                'Post-copy cannot be combined with disk over commit: compute '
                'API version 2.25 removed disk over commit, and post-copy '
                'needs version %s. Clear one of the two.')
                % microversion.API_VERSION)
        return data


class LiveMigrateForm(PostCopyMixin, instances_forms.LiveMigrateForm):
    """Admin > Compute > Instances > Live Migrate Instance"""

    def handle(self, request, data):
        if not self.wants_post_copy(data):
            return super().handle(request, data)
        host = None if data['host'] == 'AUTO_SCHEDULE' else data['host']
        try:
            api.server_live_migrate(request, data['instance_id'], host,
                                    data['block_migration'])
            messages.info(request, _('The instance is preparing the live '
                                     'migration to a new host.'))
            return True
        except Exception as exc:
            if host:
                message = _('Failed to live migrate instance to '
                            'host "%s".') % host
            else:
                message = _('Failed to live migrate instance to a new host.')
            _handle(request, message, exc, 'horizon:admin:instances:index')
            return False


class MigrateHostForm(PostCopyMixin, compute_forms.MigrateHostForm):
    """Admin > Compute > Hypervisors > Compute Host > Migrate Host"""

    # Hidden while a cold migration is selected.
    post_copy_attrs = {
        'class': 'switched',
        'data-switch-on': 'source',
        'data-source-live_migrate': _('Post-copy'),
    }

    def wants_post_copy(self, data):
        return (super().wants_post_copy(data)
                and data.get('migrate_type') == 'live_migrate')

    def handle(self, request, data):
        if not self.wants_post_copy(data):
            return super().handle(request, data)
        host = data['current_host']
        try:
            refused = api.migrate_host(request, host, data['block_migration'])
        except Exception as exc:
            _handle(request, _('Failed to migrate host "%s".') % host, exc,
                    'horizon:admin:hypervisors:index')
            return False
        if refused:
            messages.error(request, _(
                'Nova refused to migrate these instances, which stay on host '
                '"%(host)s": %(refused)s. The migration of all others was '
                'requested.') % {'host': host, 'refused': '; '.join(
                    '%s: %s' % item for item in refused.items())})
        else:
            messages.success(request, _('Starting to migrate host: '
                                        '%(current)s') % {'current': host})
        return True


def _handle(request, message: str, reason: Exception, view: str) -> None:
    """Show the error and redirect to a view.

    The message includes the reason, which upstream's forms show behind a link.
    """
    exceptions.handle(request, '%s %s' % (message, reason), details='',
                      redirect=reverse(view))
