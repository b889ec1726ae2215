# SPDX-License-Identifier: Apache-2.0

"""Placement trait by which the scheduler finds capable hosts."""

# Reported by each nova-compute that can be the destination of a post-copy
# migration.
POST_COPY = 'CUSTOM_LIVE_MIGRATION_POST_COPY'
