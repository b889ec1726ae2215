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

"""Per-request post-copy live migration for OpenStack Nova.

The way of one request, each stop knowing only the next::

    REST 2.105  os-migrateLive {"post_copy": true}
      nova_post_copy.api        schema, policy, response fields
      nova.compute.api          upstream, unchanged
      nova_post_copy.conductor  own RPC topic; writes Migration.post_copy, asks
                                the scheduler for a capable destination
      nova_post_copy.objects    the flag travels on the Migration object
      nova.compute.manager      upstream, unchanged
      nova_post_copy.virt       flags of this one migration, monitor, when to
                                switch
      libvirt -> QEMU -> userfaultfd

:mod:`nova_post_copy.activate` is the one place that joins these rooms to
upstream Nova. Importing this package alone changes nothing.
"""
