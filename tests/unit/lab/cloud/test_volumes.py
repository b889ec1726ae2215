# SPDX-License-Identifier: Apache-2.0

import types

from keystoneauth1 import exceptions
import testtools

from lab.cloud import volumes


class AttachmentsTest(testtools.TestCase):

    def attachments(self, listed, shown) -> list[str]:
        """Return what is read of Cinder's two answers.

        :param listed: ids of attachments
        :param shown: what the volume has of them; None: there is no volume
        """
        def get(service, url, microversion):
            if url.startswith('/attachments?'):
                return {'attachments': [{'id': each} for each in listed]}
            if shown is None:
                raise exceptions.NotFound
            return {'volume': {'status': 'in-use', 'attachments': [
                {'attachment_id': each, 'host_name': host}
                for each, host in shown.items()]}}

        return volumes.attachments(
            types.SimpleNamespace(get=get), 'volume')

    def test_one_for_each_host(self):
        self.assertEqual(['host-a', 'host-b'], self.attachments(
            ['1', '2'], {'2': 'host-a', '1': 'host-b'}))

    def test_one_without_a_host(self):
        self.assertEqual(['', '', 'host-b'], self.attachments(
            ['1', '2', '3'], {'2': 'host-b', '3': None}))

    def test_none(self):
        self.assertEqual([], self.attachments([], {}))
        self.assertEqual([], self.attachments([], None))
