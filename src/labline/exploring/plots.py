"""Plots of a view, alone, against the target, or against a profile; each is drawn into axes that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from labline.exploring.views import View
from labline.monitoring.profile import CategoryProfile, NumberProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

COLOUR, OTHER = "#2f6f8f", "#d1782f"
ACROSS = 3
PANEL = (4.2, 2.9)  # inches
NAME_WIDTH = 24  # characters of a name to show
TITLE_WIDTH = 44
CUT = 0.005  # share of the rows that may lie beyond each end of an axis
PARTS = 10
NAMES_SHOWN = 8
DATES = 3
MONTHS_FROM = 120  # days
TICKS = 5


def panels(count: int, *, across: int = ACROSS, size: tuple[float, float] = PANEL) -> tuple[Figure, list[Axes]]:
    """A figure with so many axes in it."""
    across = max(1, min(across, count))
    down = -(-max(count, 1) // across)
    figure, grid = plt.subplots(
        down, across, figsize=(size[0] * across, size[1] * down), layout="constrained", squeeze=False
    )
    axes = list(grid.flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def show(values: View, axes: Axes, title: str = "", *, log: bool = False) -> None:
    """How often each value occurs: a histogram, or a bar for each name; `log` is of values spread over magnitudes."""
    if _named(values):
        named = pd.DataFrame({"row": values.index, "name": values.array}).drop_duplicates()
        shares = named["name"].value_counts(sort=False) / values.index.nunique()
        axes.barh(range(len(shares)), shares.to_numpy(), color=COLOUR)
        _name_rows(axes, [str(name) for name in shares.index])
        axes.set(xlabel="share of the rows")
        axes.locator_params(axis="x", nbins=TICKS)
    else:
        inner = _inner(values)
        spread = log and not _is_moment(values) and bool((inner > 0).all())
        sns.histplot(x=inner, bins=30, color=COLOUR, log_scale=spread, ax=axes)
        axes.set(xlabel="", ylabel="rows")
        if spread:
            _magnitudes(axes.xaxis)
        if _is_moment(values):
            _date(axes)
    _finish(axes, title)


def show_against(values: View, target: View, axes: Axes, title: str = "", *, log: bool = False) -> None:
    """What the target is where the column has which value; `log` is of a target that is spread over magnitudes.

    Classes have the colours of `legend`. Names against classes are bars of their shares, names against values and
    values against classes are boxes, values against values are points with the median of each tenth of the rows.
    """
    both = values.rename("value").to_frame().join(target.rename("target"), how="inner")
    if _named(target):
        _classes(both, target, axes)
    elif _named(values):
        order = [str(name) for name in values.cat.categories]
        _boxes([both.loc[both["value"] == name, "target"] for name in order], [COLOUR] * len(order), axes)
        _name_rows(axes, order)
        _scale(axes, "x", both["target"], log=log)
    else:
        _points(both, axes)
        _scale(axes, "y", both["target"], log=log)
        if _is_moment(values):
            _date(axes)
    axes.set(xlabel="", ylabel="")
    _finish(axes, title)


def legend(figure: Figure, target: View) -> None:
    """The classes' colours, below all panels; nothing where the target has no classes."""
    if _named(target):
        names = [str(name) for name in target.cat.categories]
        handles = [Patch(color=c, label=_short(name)) for c, name in zip(_palette(names), names, strict=True)]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(5, len(names)), frameon=False)


def show_profile(
    profile: NumberProfile | CategoryProfile,
    values: NDArray[Any],
    axes: Axes,
    title: str = "",
    *,
    log: bool = False,
    moments: bool = False,
) -> None:
    """A profile, and a window's values as `measured` gives them, over each other.

    Of numbers the share of rows up to each value, of names the share of each of the commonest; `log` is of numbers
    that are spread over magnitudes, `moments` of days since 1970.
    """
    if isinstance(profile, NumberProfile) and (moments or len(profile.knots) > NAMES_SHOWN):
        _shares_up_to(profile, values, axes, log=log)
        if moments:
            _date(axes)
    else:
        axes.set(xlabel="share")
        axes.locator_params(axis="x", nbins=TICKS)
        known, met = _shares_of(profile, values)
        names = known.add(met, fill_value=0).nlargest(NAMES_SHOWN).index
        if isinstance(profile, NumberProfile):
            names = names.sort_values()
        places = np.arange(len(names))
        axes.barh(places - 0.2, known.reindex(names, fill_value=0), 0.4, color=COLOUR)
        axes.barh(places + 0.2, met.reindex(names, fill_value=0), 0.4, color=OTHER)
        _name_rows(axes, [f"{name:g}" if isinstance(name, float) else str(name) for name in names])
    _finish(axes, title)


def legend_profile(figure: Figure) -> None:
    """Which colour is the profile's and which the window's, below all panels."""
    handles = [Patch(color=COLOUR, label="training"), Patch(color=OTHER, label="window")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)


def _shares_up_to(profile: NumberProfile, values: NDArray[Any], axes: Axes, *, log: bool) -> None:
    known = np.sort(values[np.isfinite(values)])
    axes.step(profile.knots, profile.upto, where="post", color=COLOUR)
    axes.step(known, np.arange(1, len(known) + 1) / max(len(known), 1), where="post", color=OTHER)
    low, high = np.quantile(np.concatenate([profile.knots, known]), [CUT, 1 - CUT])
    if low < high:
        axes.set_xlim(low, high)
    if log and low > 0:
        axes.set_xscale("log")
        _magnitudes(axes.xaxis)
    elif log:
        axes.set_xscale("symlog")
    axes.set(ylabel="share of rows up to it", ylim=(0, 1.02))


def _shares_of(
    profile: NumberProfile | CategoryProfile, values: NDArray[Any]
) -> tuple[pd.Series[float], pd.Series[float]]:
    """Of each value that the profile has, and of each that the window has."""
    met = pd.Series(values).value_counts(normalize=True)
    if isinstance(profile, NumberProfile):
        return pd.Series(np.subtract(profile.upto, profile.below), index=pd.Index(profile.knots, dtype=float)), met
    total = max(sum(profile.counts.values()) + profile.others, 1)
    return pd.Series(profile.counts, dtype=float) / total, met


def _classes(both: pd.DataFrame, target: View, axes: Axes) -> None:
    names = [str(name) for name in target.cat.categories]
    colours = _palette(names)
    if _named(both["value"]):
        shares = _shares(both).reindex(columns=names, fill_value=0.0)
        left = np.zeros(len(shares))
        for name, colour in zip(names, colours, strict=True):
            axes.barh(range(len(shares)), shares[name], left=left, color=colour)
            left += shares[name].to_numpy()
        _name_rows(axes, [str(name) for name in shares.index])
        axes.set_xlim(0, 1)
        return
    groups = [both.loc[both["target"] == name, "value"] for name in names]
    moments = _is_moment(both["value"])
    if moments:  # boxes are drawn of days
        groups = [(group - pd.Timestamp(0)) / pd.Timedelta(days=1) for group in groups]
    _boxes(groups, colours, axes)
    axes.set(yticks=[], ylim=(len(names) - 0.5, -0.5))
    if moments:
        _date(axes)


def _boxes(groups: list[pd.Series[Any]], colours: list[Any], axes: Axes) -> None:
    """A lying box a group, the first at 0; without the few values far out, which would flatten all boxes."""
    boxes = axes.boxplot(
        [group.dropna().to_numpy(dtype=float) for group in groups],
        positions=range(len(groups)),
        orientation="horizontal",
        widths=0.7,
        showfliers=False,
        patch_artist=True,
        medianprops={"color": "black"},
    )
    for box, colour in zip(boxes["boxes"], colours, strict=True):
        box.set_facecolor(colour)


def _shares(both: pd.DataFrame) -> pd.DataFrame:
    """Of the rows with each value, the share of each target."""
    plain = both.reset_index(drop=True)
    return pd.crosstab(plain["value"], plain["target"], normalize="index")


def _points(both: pd.DataFrame, axes: Axes) -> None:
    axes.scatter(both["value"], both["target"], s=5, alpha=0.35, color=COLOUR, linewidths=0)
    known = both.dropna()
    if known["value"].nunique() > PARTS:
        parts = pd.qcut(known["value"], PARTS, labels=False, duplicates="drop")
        middle = known.groupby(parts).median()
        axes.plot(middle["value"], middle["target"], color=OTHER, marker="o", markersize=4)
    inner = _inner(both["value"])
    if inner.nunique() > 1:
        axes.set_xlim(inner.min(), inner.max())


def _inner(values: View) -> View:
    """The values but for those beyond the axis's ends."""
    known = values.dropna()
    low, high = known.quantile(CUT), known.quantile(1 - CUT)
    return known[(known >= low) & (known <= high)]


def _scale(axes: Axes, which: Literal["x", "y"], target: pd.Series[Any], *, log: bool) -> None:
    if log and target.min() > 0:
        axes.set(**{f"{which}scale": "log"})
        _magnitudes(axes.xaxis if which == "x" else axes.yaxis)
    elif log:
        axes.set(**{f"{which}scale": "symlog"})


def _magnitudes(axis: Axis) -> None:
    """Two ticks a magnitude, written out, so that they do not run into each other."""
    axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _date(axes: Axes) -> None:
    """A few dates instead of days since 1970, months where that is enough."""
    first, last = axes.get_xlim()
    unit: Literal["D", "M"] = "M" if last - first > MONTHS_FROM else "D"
    ticks = np.linspace(first, last, DATES + 2)[1:-1]
    axes.set_xticks(ticks, [str(np.datetime64(round(day), "D").astype(f"datetime64[{unit}]")) for day in ticks])


def _name_rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)  # the first on top


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(_short(title, TITLE_WIDTH), fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)


def _named(values: View) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype)


def _is_moment(values: View) -> bool:
    return pd.api.types.is_datetime64_any_dtype(values)


def _palette(names: list[str]) -> list[Any]:
    """A colour a name; grey for those that are none."""
    proper = sum(not name.startswith("(") for name in names)
    colours = list(sns.color_palette("Spectral", max(proper, 2)))
    greys = [(0.75, 0.75, 0.75), (0.6, 0.6, 0.6), (0.45, 0.45, 0.45)]
    return [*colours[:proper], *greys[: len(names) - proper]]


def _short(text: str, width: int = NAME_WIDTH) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
