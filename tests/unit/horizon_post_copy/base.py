# SPDX-License-Identifier: Apache-2.0

import json
import logging
import re
from unittest import mock

from openstack_dashboard.test import helpers

from tests.horizon import cloud


class PostCopyTestCase(helpers.BaseAdminViewTests):
    """Tests of a view with a cloud that records what it is asked."""

    # The newest microversion of the cloud.
    cloud_version = '2.105'
    # What the cloud answers to an action: status, and reason of a refusal.
    answer: tuple[int, str | None] = (202, None)

    def setUp(self):
        # Upstream's test data changes the classes of the clients' exceptions
        # for the whole process; and here they have to be the real ones.
        stub = mock.patch('openstack_dashboard.test.test_data.exceptions.'
                          'create_stubbed_exception')
        stub.start()
        self.addCleanup(stub.stop)
        logging.disable()
        self.addCleanup(logging.disable, logging.NOTSET)
        super().setUp()
        self.cloud = cloud.start()
        self.addCleanup(self.cloud.stop)
        self.cloud.get(cloud.COMPUTE, json=self._versions)
        self.cloud.post(re.compile(cloud.COMPUTE + '/servers/[^/]+/action'),
                        json=self._act)

    def _versions(self, request, context) -> dict:
        return cloud.versions(self.cloud_version)

    def _act(self, request, context) -> dict | None:
        context.status_code, reason = self.answer
        if reason:
            return {'error': {'code': self.answer[0], 'message': reason}}

    @property
    def requests(self) -> list:
        """Return what compute was asked."""
        return [request for request in self.cloud.request_history
                if request.url.startswith(cloud.COMPUTE)]

    @property
    def posted(self) -> list[tuple[str, str, dict]]:
        """Return server, microversion and body of each requested action."""
        return [(request.path.split('/')[-2],
                 request.headers.get('OpenStack-API-Version'),
                 json.loads(request.body))
                for request in self.requests if request.method == 'POST']

    def forget_what_was_sent(self) -> list[tuple]:
        """Return each request to compute, byte for byte, and forget it."""
        sent = [(request.method, request.url, dict(request.headers),
                 request.body) for request in self.requests]
        self.cloud.reset_mock()
        return sent

    def checkbox(self, url: str) -> str | None:
        """Return the checkbox' part of a form in HTML; None: there is none."""
        page = self.client.get(url).content.decode()
        found = re.search(r'<div class="themable-checkbox">(?:(?!</div>).)*'
                          'id_post_copy.*?</div>', page, re.DOTALL)
        return found and found.group()

    def told(self, response) -> list[tuple[str, str]]:
        """Return level and text of what the user is told."""
        # pylint: disable=protected-access
        return [(message.level_tag, str(message.message)) for message in
                response.wsgi_request._messages._queued_messages]
