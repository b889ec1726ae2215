# SPDX-License-Identifier: Apache-2.0

"""The placement trait by which the scheduler finds capable hosts."""

# Reported by a nova-compute that can be the destination of a post-copy
# migration.
POST_COPY = 'CUSTOM_LIVE_MIGRATION_POST_COPY'
