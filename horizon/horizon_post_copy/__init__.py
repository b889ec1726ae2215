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

"""A checkbox for post-copy in Horizon's admin dashboard.

In Admin > Compute > Instances > Live Migrate Instance, and in Admin > Compute
> Hypervisors > Compute Host > Migrate Host. It is there when the cloud has our
microversion and the user may use it; ticked, the request is sent with that
microversion, and otherwise everything is Horizon's own.

Loaded by a file in Horizon's ``openstack_dashboard/local/enabled``, see
:mod:`horizon_post_copy.enabled`. :mod:`horizon_post_copy.apps` joins us to
Horizon.
"""
