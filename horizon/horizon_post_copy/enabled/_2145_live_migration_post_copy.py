# SPDX-License-Identifier: Apache-2.0

"""Enables the plug-in: copied to ``openstack_dashboard/local/enabled``."""

# The name of the feature. Required, or Horizon skips this file.
FEATURE = 'live_migration_post_copy'

# No static files: nothing has to be collected or compressed again.
ADD_INSTALLED_APPS = ['horizon_post_copy']
