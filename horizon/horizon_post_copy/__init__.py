# SPDX-License-Identifier: Apache-2.0

"""A checkbox for post-copy in Horizon's admin dashboard.

In Admin > Compute > Instances > Live Migrate Instance, and in Admin > Compute
> Hypervisors > Compute Host > Migrate Host. The forms show the checkbox if the
cloud offers our microversion and the user may choose post-copy. If the box is
checked, the request is sent with that microversion; if not, Horizon's own code
sends the request.

A file in Horizon's ``openstack_dashboard/local/enabled`` loads this package,
see :mod:`horizon_post_copy.enabled`. :mod:`horizon_post_copy.apps` extends
Horizon's views.
"""
