# SPDX-License-Identifier: Apache-2.0

"""The signatures that a fake of libvirt or Nova must have, and the check.

A fake that takes other parameters than the real method passes tests of calls
that fail in production. libvirt-python is not installed where unit tests run,
so what the fakes need of it is recorded here; the tests of the lab compare
the record with the binding itself.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
import inspect

#: of virConnect: method to parameters
VIR_CONNECT = {
    'createXML': '(xmlDesc, flags=0)',
    'defineXML': '(xml)',
    'domainEventDeregisterAny': '(callbackID)',
    'domainEventRegisterAny': '(dom, eventID, cb, opaque)',
    'domainListGetStats': '(doms, stats=0, flags=0)',
    'listAllDomains': '(flags=0)',
    'lookupByUUIDString': '(uuidstr)',
}

#: of virDomain
VIR_DOMAIN = {
    'UUIDString': '()',
    'XMLDesc': '(flags=0)',
    'abortJob': '()',
    'abortJobFlags': '(flags=0)',
    'createWithFlags': '(flags=0)',
    'destroy': '()',
    'isActive': '()',
    'isPersistent': '()',
    'jobInfo': '()',
    'jobStats': '(flags=0)',
    'memoryStats': '()',
    'migrateSetMaxDowntime': '(downtime, flags=0)',
    'migrateStartPostCopy': '(flags=0)',
    'migrateToURI3': '(dconnuri, params, flags=0)',
    'name': '()',
    'resume': '()',
    'startDirtyRateCalc': '(seconds, flags=0)',
    'state': '(flags=0)',
    'suspend': '()',
}


def of(real: type) -> dict[str, str]:
    """Return the methods of a class, each with its parameters as text."""
    return {name: _parameters(method) for name, method
            in inspect.getmembers(real, inspect.isfunction)
            if not isinstance(inspect.getattr_static(real, name),
                              staticmethod)}


def differences(fake: type, *reals: Mapping[str, str],
                own: Collection[str] = ()) -> list[str]:
    """Compare a fake with what it stands for.

    Only methods of the fake's own class are compared, not those that it has
    from upstream's fake.

    :param reals: methods of each class that the fake stands for
    :param own: public methods by which a test commands the fake
    :returns: a sentence for each method that is not as the real one
    """
    found = []
    for name, method in vars(fake).items():
        if name.startswith('__') or not inspect.isfunction(method):
            continue
        known = [real[name] for real in reals if name in real]
        parameters = _parameters(method)
        if name in own and known:
            found.append('%s.%s is not the own method of the fake: the real '
                         'one takes %s' % (fake.__name__, name,
                                           ' or '.join(known)))
        elif known and parameters not in known:
            found.append('%s.%s takes %s, the real one %s' % (
                fake.__name__, name, parameters, ' or '.join(known)))
        elif not known and not name.startswith('_') and name not in own:
            found.append('%s.%s stands for nothing real'
                         % (fake.__name__, name))
    found += ['%s has no method %s of its own' % (fake.__name__, name)
              for name in sorted(set(own) - set(vars(fake)))]
    return found


def _parameters(method: Callable) -> str:
    """Write down the parameters of a method, without self and types."""
    _self, *parameters = inspect.signature(method).parameters.values()
    return str(inspect.Signature([
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in parameters]))
