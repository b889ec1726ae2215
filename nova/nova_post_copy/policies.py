# SPDX-License-Identifier: Apache-2.0

"""Who may ask for post-copy."""

from oslo_policy import policy

from nova.policies import base
from nova.policies import migrate_server

POST_COPY = migrate_server.POLICY_ROOT % 'migrate_live:post_copy'

rules = [
    policy.DocumentedRuleDefault(
        name=POST_COPY,
        # As migrate_live, which is checked as well: whoever may have a server
        # moved may say how. An operator who wants to decide that alone sets
        # base.ADMIN's rule:context_is_admin in policy.yaml.
        check_str=base.PROJECT_MANAGER_OR_ADMIN,
        description="""\
Live migrate a server and say whether the migration may finish by post-copy.

Checked in addition to the policies of the live migration itself when the
request has ``post_copy``, with either value. While a server is in post-copy
its memory is on two hosts; if one of them, or the network between them, fails
for good in these seconds, the server is lost.
""",
        operations=[
            {
                'method': 'POST',
                'path': '/servers/{server_id}/action (os-migrateLive)'
            }
        ],
        scope_types=['project']),
]


def list_rules() -> list[policy.DocumentedRuleDefault]:
    """Return our rules for ``oslopolicy-sample-generator`` and its kin."""
    return rules


def list_migrate_server_rules() -> list[policy.DocumentedRuleDefault]:
    """Return upstream's rules of this API together with ours."""
    return migrate_server.migrate_server_policies + rules
