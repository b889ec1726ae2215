# SPDX-License-Identifier: Apache-2.0

import testtools

from lab.faults.case import End
from lab.faults.observation import Volume
from lab.faults import verdict
from tests.unit.lab.faults import base

IMAGE = 'uuid_disk'
SOURCE, DESTINATION = base.SOURCE, base.DESTINATION


def volume(status='in-use', attachments=(DESTINATION,),
           opened=(DESTINATION,)) -> Volume:
    return Volume(status, list(attachments),
                  None if opened is None else list(opened))


def stored(final=base.final, opened=(DESTINATION,), **changes):
    """The records of a server with its disk and a volume in Ceph."""
    return final(**{'images': {IMAGE: list(opened)},
                    'volumes': {'one': volume()}} | changes)


class StorageTest(testtools.TestCase):

    def judge(self, final, end: End = End.COMPLETED) -> list[str]:
        return verdict.judge_end(base.observation(
            base.case(end), final=final))

    def test_right_ends(self):
        at_source = volume(attachments=[SOURCE], opened=[SOURCE])
        stayed = base.final(SOURCE, 'error', images={IMAGE: [SOURCE]},
                            volumes={'one': at_source})
        for end, final in (
                (End.COMPLETED, stored()), (End.EITHER, stored()),
                (End.STAYED, stayed), (End.EITHER, stayed),
                (End.STOPPED, stored(base.stopped, opened=(), volumes={
                    'one': volume(opened=())}))):
            self.assertEqual([], self.judge(final, end))

    def test_every_fact_counts(self):
        for changes, told in (
                ({'images': {IMAGE: [SOURCE, DESTINATION]}},
                 'image uuid_disk is open on host-a and host-b'),
                ({'images': {IMAGE: []}},
                 'image uuid_disk is open on no host'),
                ({'images': {}}, 'the server has no image'),
                ({'volumes': {'one': volume('available')}},
                 'volume one is available'),
                ({'volumes': {'one': volume(None)}}, 'volume one is gone'),
                # The source's stays for ever.
                ({'volumes': {'one': volume(
                    attachments=[SOURCE, DESTINATION])}},
                 'volume one is attached to host-a and host-b'),
                ({'volumes': {'one': volume(attachments=['', DESTINATION])}},
                 'volume one is attached to an unknown host and host-b'),
                # More than one of the same host.
                ({'volumes': {'one': volume(
                    attachments=[DESTINATION, DESTINATION])}},
                 'volume one is attached to host-b and host-b'),
                ({'volumes': {'one': volume(attachments=[])}},
                 'volume one is attached to no host'),
                ({'volumes': {'one': volume(opened=None)}},
                 'image one is open on no host'),
                ({'volumes': {'one': volume(), 'two': volume(
                    opened=[SOURCE, DESTINATION])}},
                 'image two is open on host-a and host-b')):
            self.assertEqual([told], self.judge(stored(**changes)))

    def test_a_stopped_server_has_nothing_open(self):
        self.assertEqual(
            ['image uuid_disk is open on host-b',
             'image one is open on host-b'],
            self.judge(stored(base.stopped), End.STOPPED))

    def test_lost(self):
        both = volume(attachments=[SOURCE, DESTINATION], opened=[SOURCE])
        self.assertEqual([], self.judge(stored(
            base.lost, opened=[SOURCE], volumes={'one': both}), End.LOST))
        for changes in (
                {'images': {}},
                {'volumes': {'one': volume(attachments=[SOURCE])}},
                {'volumes': {'one': volume('available')}}):
            self.assertEqual(1, len(self.judge(
                stored(base.lost, **changes), End.LOST)), changes)


class DeletedTest(testtools.TestCase):

    def judge(self, images, seen: Volume) -> list[str]:
        return verdict.judge_end(base.observation(
            base.case(End.DELETED), final=base.deleted(
                images=images, volumes={'one': seen})))

    def test_right_ends(self):
        self.assertEqual([], self.judge({}, volume('available', [], [])))
        self.assertEqual([], self.judge({}, volume(None, [], None)))

    def test_every_fact_counts(self):
        free = ('available', [], [])
        for images, seen, told in (
                ({IMAGE: []}, free, 'image uuid_disk is left'),
                ({}, ('in-use', [], []), 'volume one is in-use'),
                ({}, ('available', [SOURCE], []),
                 'volume one is attached to host-a'),
                ({}, ('available', [], [DESTINATION]),
                 'volume one is open on host-b')):
            self.assertEqual([told], self.judge(images, volume(*seen)))
