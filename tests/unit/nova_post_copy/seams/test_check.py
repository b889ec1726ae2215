# SPDX-License-Identifier: Apache-2.0

"""Seams of an upstream that is made up here."""

import functools
import sys
import types

import fixtures
import testtools

from nova_post_copy.seams import check
from nova_post_copy.seams.seam import Kind
from nova_post_copy.seams.seam import Part
from nova_post_copy.seams.seam import Seam


def _decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class _Base:

    def __init__(self):
        self._inherited = None


class _Manager(_Base):

    attribute = 1

    @_decorated
    def __init__(self):
        super().__init__()
        self._kept = []
        print(self._read_only)

    @_decorated
    def method(self, context, instance, bdms=None):
        pass

    @staticmethod
    def static(context):
        pass

    @classmethod
    def of_class(cls, context, *args, **kwargs):
        pass


class TestCheck(testtools.TestCase):

    def setUp(self):
        super().setUp()
        upstream = types.ModuleType('upstream')
        upstream.Manager = _Manager
        upstream.function = lambda context, uuid, *, host: None
        sys.modules['upstream'] = upstream
        self.addCleanup(sys.modules.pop, 'upstream')

    def _problems(self, name, kind=Kind.READS, signature=None,
                  module='upstream'):
        seam = Seam(module, name, kind, 'compute.manager',
                    'it is needed', signature)
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.seams.check.TABLE', {Part.EVERY: (seam,)}))
        return check.problems(Part.EVERY)

    def _fits(self, *args, **kwargs):
        self.assertEqual([], self._problems(*args, **kwargs))

    def _does_not_exist(self, *args, **kwargs):
        [problem] = self._problems(*args, **kwargs)
        self.assertIn('does not exist', problem)

    def _takes_something_else(self, *args, **kwargs):
        [problem] = self._problems(*args, **kwargs)
        self.assertIn('takes (', problem)

    def test_exists(self):
        self._fits('Manager')
        self._fits('Manager.attribute')
        self._fits('Manager.method')

    def test_instances_have_it(self):
        self._fits('Manager._kept')
        self._fits('Manager._inherited')

    def test_does_not_exist(self):
        self._does_not_exist('Manager', module='no_such_module')
        self._does_not_exist('Other')
        self._does_not_exist('Manager.other')
        self._does_not_exist('Manager._read_only')
        self._does_not_exist('function._kept')

    def test_overridden(self):
        for signature in ('context, instance, bdms=',
                          'context, instance, *args, **kwargs'):
            self._fits('Manager.method', Kind.OVERRIDES, signature)
        for signature in ('context, instance', 'context, instance, bdms',
                          'instance, context, bdms=',
                          'context, bdms=, *args, **kwargs',
                          'context, instance, bdms=, more='):
            self._takes_something_else(
                'Manager.method', Kind.OVERRIDES, signature)

    def test_overridden_without_self(self):
        self._fits('Manager.static', Kind.OVERRIDES, 'context')
        self._fits('Manager.of_class', Kind.OVERRIDES,
                   'context, *args, **kwargs')
        self._takes_something_else('Manager.static', Kind.OVERRIDES, '')

    def test_called(self):
        for signature in ('context, instance', 'context, instance, bdms',
                          'context, instance, bdms=', 'context, instance=',
                          'instance=, context='):
            self._fits('Manager.method', Kind.CALLS, signature)
        for signature in ('', 'context', 'instance, context',
                          'context, instance, bdms, more',
                          'context, instance, more='):
            self._takes_something_else(
                'Manager.method', Kind.CALLS, signature)

    def test_called_by_keyword_only(self):
        self._fits('function', Kind.CALLS, 'context, uuid, host=')
        self._takes_something_else('function', Kind.CALLS, 'context, uuid')

    def test_the_seam_is_named(self):
        self._problems('Manager.method', Kind.OVERRIDES, 'context, uuid')
        error = self.assertRaises(
            check.SeamsBroken, check.check, Part.EVERY)
        self.assertEqual(
            'upstream.Manager.method(context, uuid), which nova-post-copy '
            'overrides in compute.manager (it is needed), takes (context, '
            'instance, bdms=). Install the nova-post-copy that was made for '
            'this release', str(error))

    def test_all_seams_fit_this_nova(self):
        check.check(*check.TABLE)
