# SPDX-License-Identifier: Apache-2.0

"""What ``nova`` and ``openstack`` have in common: following a migration.

Needs the standard library alone. :mod:`novaclient_post_copy` and
:mod:`openstackclient_post_copy` both stand on it, so that neither imports the
other.
"""
