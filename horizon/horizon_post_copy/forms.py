# SPDX-License-Identifier: Apache-2.0

"""Horizon's forms of live migration, with the checkbox *Post-copy*.

Unless it is ticked, upstream's form does all of the work. Messages that
upstream has too are worded alike, so that its translations serve.
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

# Goes into an attribute, unescaped: no quotation marks.
_HELP_TEXT = _(
    'Let the live migration finish by post-copy when copying the memory of a '
    'busy instance does not come to an end. The instance then goes on at the '
    'new host and fetches the rest of its memory from the old one: it is lost '
    'when one of the two hosts fails in that time.')


class PostCopyMixin(forms.SelfHandlingForm):
    """Adds the checkbox to a form, if there is something to choose."""

    # Attributes of the checkbox in HTML.
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
                'Post-copy and disk over commit do not go together: since '
                'compute API version 2.25 there is no disk over commit, and '
                'post-copy needs %s. Untick one of them.')
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

    # Not shown for a cold migration.
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
                'Nova refuses to migrate these instances of host "%(host)s", '
                'and they stay there: %(refused)s. All others are on their '
                'way.') % {'host': host, 'refused': '; '.join(
                    '%s: %s' % item for item in refused.items())})
        else:
            messages.success(request, _('Starting to migrate host: '
                                        '%(current)s') % {'current': host})
        return True


def _handle(request, message: str, reason: Exception, view: str) -> None:
    """Tell the error and go to a view.

    The reason is told at once; upstream's forms have it behind a link.
    """
    exceptions.handle(request, '%s %s' % (message, reason), details='',
                      redirect=reverse(view))
