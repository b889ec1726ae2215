# SPDX-License-Identifier: Apache-2.0

"""Seconds that cases have to wait for, and what for."""

# Who asked a service that died before it answered waits for the whole
# [DEFAULT] rpc_response_timeout, and asks again.
ASKED_AGAIN_S = 60 + 30
# Who resumes a broken stream is not there until nova-compute has started.
COMPUTE_STARTS_S = 15
