# SPDX-License-Identifier: Apache-2.0

"""The policy for requests that contain ``post_copy``."""

from oslo_policy import policy

from nova.policies import base
from nova.policies import migrate_server

POST_COPY = migrate_server.POLICY_ROOT % 'migrate_live:post_copy'

rules = [
    policy.DocumentedRuleDefault(
        name=POST_COPY,
        # As migrate_live, which is checked too: whoever may live migrate a
        # server may choose how. To restrict post-copy to administrators, set
        # base.ADMIN's rule:context_is_admin in policy.yaml.
        check_str=base.PROJECT_MANAGER_OR_ADMIN,
        description="""\
Live migrate a server and choose whether the migration may use post-copy.

Checked in addition to the policies of the live migration itself when the
request contains ``post_copy``, with either value. During post-copy the memory
of a server is spread over two hosts. If either host, or the network between
them, fails for good in that time, the memory of the server is lost.
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
    """Return our rules, for ``oslopolicy-sample-generator``."""
    return rules


def list_migrate_server_rules() -> list[policy.DocumentedRuleDefault]:
    """Return upstream's rules of this API together with ours."""
    return migrate_server.migrate_server_policies + rules
