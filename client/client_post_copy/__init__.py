# SPDX-License-Identifier: Apache-2.0

"""What the ``nova`` and ``openstack`` commands share.

The progress of a live migration and the microversion that ``post_copy`` needs.
:mod:`novaclient_post_copy` and :mod:`openstackclient_post_copy` build on this
package, and neither imports the other. Only the standard library is imported
here.
"""
