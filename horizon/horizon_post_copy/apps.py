# SPDX-License-Identifier: Apache-2.0

"""Replaces the forms of Horizon's views, and nothing else of Horizon."""

from django import apps


class PostCopyConfig(apps.AppConfig):
    name = 'horizon_post_copy'
    verbose_name = 'Post-copy live migration'

    def ready(self) -> None:
        # Imported here because Django loads this module before Horizon is set
        # up.
        from openstack_dashboard.dashboards.admin.hypervisors.compute \
            import views as compute_views
        from openstack_dashboard.dashboards.admin.instances import views

        from horizon_post_copy import forms

        views.LiveMigrateView.form_class = forms.LiveMigrateForm
        compute_views.MigrateHostView.form_class = forms.MigrateHostForm
