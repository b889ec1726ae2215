# SPDX-License-Identifier: Apache-2.0

"""Per-request post-copy live migration for OpenStack Nova.

The way of one request, each stop knowing only the next::

    REST 2.105  os-migrateLive {"post_copy": true}
      nova_post_copy.api        schema, policy, refusals, response fields
      nova.compute.api          upstream, unchanged
      nova_post_copy.conductor  own RPC topic; writes Migration.post_copy, asks
                                the scheduler for a capable destination
      nova_post_copy.objects    the flag travels on the Migration object
      nova_post_copy.compute    upstream's manager, with a durable record
      nova_post_copy.virt       flags of this one migration
      nova_post_copy.migration  watches it, and carries out what
      nova_post_copy.decisions  decides: when to switch, when to resume
      libvirt -> QEMU -> userfaultfd

:mod:`nova_post_copy.activate` is the one place that joins these rooms to
upstream Nova. Importing this package alone changes nothing.
"""
