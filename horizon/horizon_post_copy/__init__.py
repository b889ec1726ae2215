# SPDX-License-Identifier: Apache-2.0

"""A checkbox for post-copy in Horizon's admin dashboard.

In Admin > Compute > Instances > Live Migrate Instance, and in Admin > Compute
> Hypervisors > Compute Host > Migrate Host. It is there when the cloud has our
microversion and the user may use it; ticked, the request is sent with that
microversion, and otherwise everything is Horizon's own.

Loaded by a file in Horizon's ``openstack_dashboard/local/enabled``, see
:mod:`horizon_post_copy.enabled`. :mod:`horizon_post_copy.apps` joins us to
Horizon.
"""
