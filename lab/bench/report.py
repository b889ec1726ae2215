# SPDX-License-Identifier: Apache-2.0

"""The tables of a bench, as text: one for each guest, a line for each mode."""

from collections.abc import Callable, Sequence

from lab.bench import costs
from lab.bench import guests
from lab.bench import modes
from lab.bench import result
from lab.bench import summary
from lab import layout
from lab import output

# With fewer pages on demand, what else a migration costs hides what they cost.
_MANY_PAGES = 1000


def _for_each_page(run: result.Run) -> float | None:
    if (run.pages_on_demand or 0) < _MANY_PAGES:
        return None
    return run.lost_work / run.pages_on_demand


# Of the table: what the reader sees, the figure, how it is printed.
_FIGURES: tuple[tuple[str, Callable[[result.Run], float | None],
                      Callable[[float], str]], ...] = (
    ('total', summary.total, summary.seconds),
    ('memory complete', lambda run: run.memory_complete, summary.seconds),
    ('work lost', summary.lost_work, summary.seconds),
    ('longest silence', lambda run: run.silence, summary.seconds),
    ('degraded', lambda run: run.degraded, summary.seconds),
    ('moved / RAM', lambda run: None if run.moved is None else
     run.moved / (guests.MEMORY_MIB * layout.MIB), '{:.1f}'.format),
    ('pages on demand', lambda run: run.pages_on_demand, '{:.0f}'.format),
    ('work lost for each', _for_each_page,
     lambda value: '%.2f ms' % (1000 * value)),
    ('CPU of nova-compute', lambda run: run.compute_cpu, summary.seconds),
    ('answer of the API', lambda run: run.accepted, summary.seconds),
)
HEADS = ('way', 'ended', *(title for title, _, _ in _FIGURES),
         'total / (RAM / bandwidth)', 'total / ours')


def rows(bench: result.Bench, guest: str) -> list[tuple[str, ...]]:
    """Return the cells of the table of a guest; medians, and quartiles."""
    found = []
    ours = summary.spread(bench, guest, modes.OURS, summary.total)
    for mode in modes.MODES.values():
        seen = summary.runs(bench, guest, mode.name)
        if not seen:
            continue
        total = summary.spread(bench, guest, mode.name, summary.total)
        found.append((
            mode.title,
            '%d of %d' % (sum(run.total is not None for run in seen),
                          len(seen)),
            *(summary.cell(
                summary.spread(bench, guest, mode.name, value), form)
              for _, value, form in _FIGURES),
            _ratio(summary.ratio(total, bench.ideal)),
            _ratio(summary.ratio(total, ours))))
    return found


def _ratio(value: float | None) -> str:
    return '-' if value is None else '%.2f' % value


def text(bench: result.Bench) -> str:
    """Lay all tables out as text, for a terminal.

    Figures are lines there: a table would be too wide.
    """
    parts = []
    for guest in guests.GUESTS.values():
        if found := rows(bench, guest.name):
            parts.append('%s\n%s' % (guest.title, output.columns(
                list(zip(HEADS, *found)))))
    parts += ['%s\n%s' % (title, output.columns(found))
              for title, found in costs.tables(bench)]
    return '\n\n'.join(parts)


def judged(goals: Sequence[summary.Goal]) -> str:
    """Write the goals, each with whether it holds."""
    return '\n'.join('  %-6s %s' % ('ok' if goal.passed else 'FAILED',
                                    goal.sentence) for goal in goals)
