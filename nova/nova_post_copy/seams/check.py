# SPDX-License-Identifier: Apache-2.0

"""Compare the table of seams with the installed Nova.

A name must exist, and its signature must be compatible. Where we call
upstream, it must accept what we pass. Where upstream calls us, its parameters
must be those that ours takes: one more, even if optional, may be passed one
day.
"""

import dis
import importlib
import inspect
import sys
import types
import typing

from nova_post_copy.seams import api
from nova_post_copy.seams import commands
from nova_post_copy.seams import compute
from nova_post_copy.seams import conductor
from nova_post_copy.seams import libvirt
from nova_post_copy.seams.seam import Kind
from nova_post_copy.seams.seam import Part
from nova_post_copy.seams.seam import Seam
from nova_post_copy.seams import shared

TABLE: dict[Part, tuple[Seam, ...]] = {
    Part.EVERY: shared.EVERY,
    Part.DATABASE: shared.DATABASE,
    Part.API: api.SEAMS,
    Part.CONDUCTOR: conductor.SEAMS,
    Part.COMPUTE: compute.SEAMS,
    Part.MANAGER: compute.MANAGER,
    Part.DRIVER: libvirt.SEAMS,
    Part.COMMANDS: commands.SEAMS,
}

_ANYTHING = ['*args', '**kwargs']


class SeamsBroken(Exception):
    """Upstream differs from the table."""


def check(*parts: Part) -> None:
    """Check all seams of some parts.

    Imports the modules of upstream that these seams name.

    :raises SeamsBroken: one or more seams do not fit; it names them
    """
    found = [each for part in parts for each in problems(part)]
    if found:
        raise SeamsBroken(
            '%s. Install the nova-post-copy that was made for this release'
            % '; '.join(found))


def require(part: Part) -> None:
    """Check a part that is imported after Nova has read its configuration.

    :raises SystemExit: upstream differs from the table
    """
    try:
        check(part)
    except SeamsBroken as exc:
        refuse_to_start(exc)


def refuse_to_start(why: Exception) -> typing.NoReturn:
    """Exit the service: Nova would log any other exception and continue."""
    sys.exit(
        'nova-post-copy could not be loaded: %s. '
        'Refusing to start with only part of it active. Remove '
        '"config_source = nova_post_copy" from nova.conf, and on a compute '
        'host set "compute_driver = libvirt.LibvirtDriver", to start without '
        'post-copy live migration.' % why)


def problems(part: Part) -> list[str]:
    """Return a sentence for each seam of a part that does not fit."""
    return [problem for seam in TABLE[part]
            if (problem := _problem(seam)) is not None]


def _problem(seam: Seam) -> str | None:
    try:
        owner, value = _look_up(seam)
    except (ImportError, AttributeError):
        wrong = 'does not exist'
    else:
        if seam.signature is None:
            return None
        found = parameters(owner, seam.name.rpartition('.')[2], value)
        if _fits(seam.kind, _split(seam.signature), found):
            return None
        wrong = 'takes (%s)' % ', '.join(found)
    return (f'{seam}, which nova-post-copy {seam.kind.value} in {seam.ours} '
            f'({seam.why}), {wrong}')


def _look_up(seam: Seam) -> tuple[typing.Any, typing.Any]:
    """Return the owner of a name and its value.

    :raises ImportError: there is no such module
    :raises AttributeError: there is no such name
    """
    owner: typing.Any = None
    value: typing.Any = importlib.import_module(seam.module)
    for name in seam.name.split('.'):
        owner = value
        if not hasattr(owner, name) and _is_set_by_init(owner, name):
            return owner, None
        value = getattr(owner, name)
    return owner, value


def _is_set_by_init(owner: typing.Any, name: str) -> bool:
    """Tell whether the instances of a class have an attribute."""
    return any(
        instruction.opname == 'STORE_ATTR' and instruction.argval == name
        for base in inspect.getmro(owner if inspect.isclass(owner) else object)
        if isinstance(init := inspect.unwrap(
            vars(base).get('__init__', object)), types.FunctionType)
        for instruction in dis.get_instructions(init))


def parameters(owner: typing.Any, name: str, value: typing.Any) -> list[str]:
    """Return the parameters of a function or method as a seam has them."""
    found = list(inspect.signature(value).parameters.values())
    if inspect.isclass(owner) and isinstance(
            inspect.getattr_static(owner, name), types.FunctionType):
        found = found[1:]
    return [_describe(parameter) for parameter in found]


def _describe(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return '*' + parameter.name
    if parameter.kind is parameter.VAR_KEYWORD:
        return '**' + parameter.name
    if parameter.default is not parameter.empty:
        return parameter.name + '='
    return parameter.name


def _split(signature: str) -> list[str]:
    return signature.split(', ') if signature else []


def _fits(kind: Kind, ours: list[str], found: list[str]) -> bool:
    if kind is Kind.CALLS:
        return _can_be_called(ours, found)
    if ours[-2:] == _ANYTHING:
        return found[:len(ours) - 2] == ours[:-2]
    return found == ours


def _can_be_called(passed: list[str], found: list[str]) -> bool:
    names = [name.removesuffix('=') for name in found]
    by_position = [name for name in passed if not name.endswith('=')]
    by_keyword = {name.removesuffix('=') for name in passed
                  if name.endswith('=')}
    required = {name for name in found if not name.startswith('*')
                and not name.endswith('=')}
    return (names[:len(by_position)] == by_position and
            by_keyword <= set(names[len(by_position):]) and
            required <= {*by_position, *by_keyword})
