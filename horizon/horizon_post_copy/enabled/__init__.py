# SPDX-License-Identifier: Apache-2.0

"""What an operator copies to ``openstack_dashboard/local/enabled``."""
