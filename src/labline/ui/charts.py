"""Small charts as inline SVG: coloured by the page's own style, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from markupsafe import Markup

from labline.monitoring.domain import Separation
from labline.monitoring.estimation import Estimate
from labline.monitoring.history import Judgement
from labline.monitoring.judging import Curve
from labline.pipeline import History

WIDTH, HEIGHT, FLOOR = 180, 56, 44  # below the floor stand the numbers
WIDE, TALL = 720, 180
MARGIN = 46  # for the numbers beside a large chart


def curve_chart(curve: Curve) -> Markup:
    """Reference and window over each other: lines up to which share of values, or two bars a name."""
    body = _steps(curve) if curve.kind == "steps" else _bars(curve)
    return _svg(WIDTH, HEIGHT, body, "reference (grey) and window")


def separation_chart(told: Separation) -> Markup:
    """The domain classifier's AUC as a dot on a line from 0 to 1, and where it stays when nothing changed, in grey."""

    def x(auc: float) -> float:
        return 2 + (WIDTH - 4) * auc

    wide = x(told.null_high) - x(told.null_low)
    return _svg(
        WIDTH,
        16,
        f'<rect class="under" x="{x(told.null_low):.1f}" y="4" width="{wide:.1f}" height="8" rx="2"/>'
        f'<line class="grid" x1="{x(0)}" x2="{x(1)}" y1="8" y2="8"/>'
        f'<circle class="dot" cx="{x(told.auc):.1f}" cy="8" r="3"><title>{told.auc:.3f}</title></circle>',
        "AUC from 0 to 1, and its usual interval",
    )


def performance_chart(history: History, width: int = WIDE) -> Markup:
    """The contract's metric of labelled rows by hour or day, with intervals, and the hold-out's as a line."""
    points = [(one.begin, one.metrics[history.metric]) for one in history.periods if history.metric in one.metrics]
    holdout = history.holdout.get(history.metric)
    values = [end for _, one in points for end in (one.value, one.low, one.high) if end is not None]
    low, high = _limits([*values, *([holdout] if holdout is not None else [])])
    step = timedelta(days=1) if history.by == "day" else timedelta(hours=1)
    across = _Across(max(history.since, points[0][0]), history.until, MARGIN, width - 8)

    def y(value: float) -> float:
        return 10 + (TALL - 34) * (high - value) / (high - low)

    parts = [_grid(low, high, y, width), _days(across)]
    if holdout is not None:
        parts.append(f'<line class="ref" x1="{MARGIN}" x2="{width - 8}" y1="{y(holdout):.1f}" y2="{y(holdout):.1f}"/>')
    places = [(min(across(at + step / 2), width - 8), one) for at, one in points]
    line = " ".join(f"{x:.1f},{y(one.value):.1f}" for x, one in places)
    parts.append(f'<polyline class="win" points="{line}"/>')
    parts += [_point(x, one, y(one.value), y) for x, one in places]
    return _svg(width, TALL, "".join(parts), f"{history.metric} of labelled rows over time")


def judgements_chart(judgements: Sequence[Judgement], width: int = WIDE) -> Markup:
    """One bar a judged window, coloured by its status, from the window's first row to its last."""
    across = _Across(judgements[0].since, judgements[-1].until, 2, width - 2)
    bars = []
    for one in judgements:
        left = across(max(one.since, judgements[0].since))
        wide = max(across(one.until) - left - 1, 2)
        said = Markup.escape(
            f"{one.until:%Y-%m-%d %H:%M} version {one.version}: {one.status}; {'; '.join(one.reasons)}"
        )
        bars.append(
            f'<rect class="s-{one.status}" x="{left:.1f}" y="4" width="{wide:.1f}" height="22" rx="2">'
            f"<title>{said}</title></rect>"
        )
    return _svg(width, 30, "".join(bars), "status of the windows over time")


class _Across:
    """From a moment to a place from left to right."""

    def __init__(self, since: datetime, until: datetime, left: float, right: float) -> None:
        self.since, self.until = since, until
        self._left = left
        self._by_second = (right - left) / max((until - since).total_seconds(), 1.0)

    def __call__(self, at: datetime) -> float:
        return self._left + (at - self.since).total_seconds() * self._by_second


def _steps(curve: Curve) -> str:
    """Both distribution functions; numbers far outside are drawn at the edge, so that one does not hide the rest."""
    numbers = [float(value) for value in curve.at]
    low, high = _core(numbers, curve.reference)

    def path(shares: Sequence[float]) -> str:
        places, before = [], float(FLOOR)
        for value, share in zip(numbers, shares, strict=True):
            x = 2 + (WIDTH - 4) * min(max((value - low) / (high - low), 0.0), 1.0)
            y = FLOOR - (FLOOR - 3) * share
            places.append(f"{x:.1f},{before:.1f} {x:.1f},{y:.1f}")
            before = y
        return " ".join([*places, f"{WIDTH - 2},{before:.1f}"])

    ends = (
        f'<text x="2" y="{HEIGHT - 1}" class="t">{low:.4g}</text>'
        f'<text x="{WIDTH - 2}" y="{HEIGHT - 1}" class="t e">{high:.4g}</text>'
    )
    under = f'<polygon class="under" points="2,{FLOOR} {path(curve.reference)} {WIDTH - 2},{FLOOR}"/>'
    return f'{under}<polyline class="win" points="{path(curve.window)}"/>{ends}'


def _core(numbers: Sequence[float], shares: Sequence[float]) -> tuple[float, float]:
    """The range that holds the reference's middle 98 %, a little widened."""
    inside = [value for value, share in zip(numbers, shares, strict=True) if 0.01 <= share <= 0.99] or list(numbers)
    low, high = min(inside), max(inside)
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _bars(curve: Curve) -> str:
    most = max([*curve.reference, *curve.window, 0.01])
    each = (WIDTH - 4) / len(curve.at)
    wide = min(each * 0.42, 20)
    parts = []
    for index, (name, ours, theirs) in enumerate(zip(curve.at, curve.reference, curve.window, strict=True)):
        left = 2 + each * index + (each - 2 * wide) / 2
        said = Markup.escape(f"{name}: reference {ours:.1%}, window {theirs:.1%}")
        for kind, share, x in (("under", ours, left), ("bar", theirs, left + wide)):
            tall = max((HEIGHT - 4) * share / most, 0.5)
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{HEIGHT - 2 - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}">'
                f"<title>{said}</title></rect>"
            )
    return "".join(parts)


def _point(x: float, one: Estimate, middle: float, y: Callable[[float], float]) -> str:
    interval = ""
    if one.low is not None and one.high is not None:
        interval = f'<line class="bar-line" x1="{x:.1f}" x2="{x:.1f}" y1="{y(one.low):.1f}" y2="{y(one.high):.1f}"/>'
    return f'{interval}<circle class="dot" cx="{x:.1f}" cy="{middle:.1f}" r="3"><title>{one.value:.4f}</title></circle>'


def _grid(low: float, high: float, y: Callable[[float], float], width: int) -> str:
    lines = []
    for step in range(4):
        value = low + (high - low) * step / 3
        at = y(value)
        lines.append(
            f'<line class="grid" x1="{MARGIN}" x2="{width - 8}" y1="{at:.1f}" y2="{at:.1f}"/>'
            f'<text class="t e" x="{MARGIN - 6}" y="{at + 4:.1f}">{value:.3g}</text>'
        )
    return "".join(lines)


def _days(across: _Across) -> str:
    span = across.until - across.since
    form = "%H:%M" if span <= timedelta(days=2) else "%m-%d"
    moments = [across.since + span * step / 4 for step in range(5)]
    places = ("start", "middle", "middle", "middle", "end")
    return "".join(
        f'<text class="t" style="text-anchor:{anchor}" x="{across(at):.1f}" y="{TALL - 4}">{at.strftime(form)}</text>'
        for at, anchor in zip(moments, places, strict=True)
    )


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.1 * (high - low) or 0.05
    return low - room, high + room


def _svg(width: int, height: int, body: str, said: str) -> Markup:
    return Markup(f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{Markup.escape(said)}">{body}</svg>')  # noqa: S704
