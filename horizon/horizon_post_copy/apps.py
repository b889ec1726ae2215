# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""The one place that joins us to Horizon."""

from django import apps


class PostCopyConfig(apps.AppConfig):
    name = 'horizon_post_copy'
    verbose_name = 'Post-copy live migration'

    def ready(self) -> None:
        # Not above: Django imports this module before Horizon is set up.
        from openstack_dashboard.dashboards.admin.hypervisors.compute \
            import views as compute_views
        from openstack_dashboard.dashboards.admin.instances import views

        from horizon_post_copy import forms

        views.LiveMigrateView.form_class = forms.LiveMigrateForm
        compute_views.MigrateHostView.form_class = forms.MigrateHostForm
