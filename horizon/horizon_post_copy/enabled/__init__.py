# SPDX-License-Identifier: Apache-2.0

"""The file to copy to Horizon's ``openstack_dashboard/local/enabled``."""
