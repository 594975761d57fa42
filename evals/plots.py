"""Charts of frames, for notebooks: Altair, drawn on this machine as SVG, so that nothing is fetched and no script runs.

>>> bars(frame, x="exceptions", y="kind")
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rendering import words

if TYPE_CHECKING:
    from altair import Chart, LayerChart, VConcatChart
    from pandas import DataFrame

    Drawing = Chart | LayerChart | VConcatChart

_WIDTH, _ROW, _HEIGHT = 480, 22, 220
#: of a name beside its row, pixels
_LABEL = 260
#: color-blind safe (Okabe and Ito), without the black
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a000", "#999999")


def bars(rows: "DataFrame", x: str, y: str, color: str = "") -> "Drawing":
    """A horizontal bar a `y`, the longest first; `color` divides it."""
    alt = _altair()
    side = alt.Y(y, type="nominal", sort="-x", title=None, axis=alt.Axis(labelLimit=_LABEL))
    axis = alt.Axis(tickMinStep=1) if rows[x].dtype.kind == "i" else alt.Axis(tickCount=6)
    drawn = alt.Chart(rows).mark_bar().encode(x=alt.X(x, type="quantitative", aggregate="sum", title=words(x), axis=axis), y=side)
    return _sized(_colored(drawn, color), rows[y].nunique())


def columns(rows: "DataFrame", x: str, y: str, color: str = "", beside: bool = False) -> "Drawing":
    """A column a `x`, in its order; `color` divides it, one on the other unless `beside` each other."""
    alt = _altair()
    below = alt.X(x, type="ordinal", sort=None, title=words(x))
    drawn = alt.Chart(rows).mark_bar().encode(x=below, y=alt.Y(y, type="quantitative", aggregate="sum", title=words(y)))
    if beside:
        drawn = drawn.encode(xOffset=alt.XOffset(color, sort=None))
    return _sized(_colored(drawn, color), _HEIGHT // _ROW)


def intervals(rows: "DataFrame", y: str, title: str, mean: str = "mean", color: str = "") -> "Drawing":
    """A point a `y` at its mean, a share, with its interval (columns `low` and `high`), in the order of the rows."""
    alt = _altair()
    side = alt.Y(y, type="nominal", sort=None, title=None, axis=alt.Axis(labelLimit=_LABEL))
    axis = alt.Axis(format="%")
    span = alt.Chart(rows).mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title, axis=axis), x2="high", y=side)
    point = alt.Chart(rows).mark_point(filled=True, size=60, opacity=1).encode(x=alt.X(mean, type="quantitative"), y=side)
    drawn = _colored(span, color) + _colored(point, color)
    return _sized(drawn, len(rows))


def curves(rows: "DataFrame", x: str, ys: Sequence[str], present: Any = None) -> "Drawing":
    """A curve a column of `ys` over `x`, one below the other; a dashed line stands at the present `x`."""
    alt = _altair()
    # a point and brackets in the name of a column are a path to Altair
    data, name = rows.rename(columns={x: "x"}), x
    drawn = []
    for y in ys:
        below, side = alt.X("x:Q", title=name, scale=alt.Scale(zero=False)), alt.Y(y, type="quantitative", title=words(y))
        line = alt.Chart(data).mark_line(point=True, color=_COLORS[0], interpolate="linear").encode(x=below, y=side)
        if isinstance(present, int | float):
            line += alt.Chart().mark_rule(strokeDash=[4, 4], color="#777").encode(x=alt.datum(present, type="quantitative"))
        drawn.append(line.properties(width=_WIDTH, height=_HEIGHT * 2 // 3))
    return _framed(alt.vconcat(*drawn))


def steps(rows: "DataFrame", x: str, y: str, color: str = "") -> "Drawing":
    """A point a row: which `y` there is at each `x`, a number."""
    alt = _altair()
    data = rows.rename(columns={x: "x"})
    side = alt.Y(y, type="nominal", sort=None, title=None, axis=alt.Axis(labelLimit=_LABEL))
    drawn = alt.Chart(data).mark_square(size=90, opacity=1).encode(x=alt.X("x:Q", title=x), y=side)
    return _sized(_colored(drawn, color), rows[y].nunique())


def _colored(chart: Any, color: str) -> Any:
    alt = _altair()
    if not color:
        return chart.encode(color=alt.value(_COLORS[0]))
    # more kinds than colors would look alike
    many = chart.data[color].nunique() > len(_COLORS)
    scale, legend = alt.Scale(scheme="tableau20") if many else alt.Scale(range=_COLORS), alt.Legend(labelLimit=_LABEL)
    return chart.encode(color=alt.Color(color, type="nominal", title=words(color), scale=scale, legend=legend))


def _sized(chart: Any, rows: int) -> "Drawing":
    return _framed(chart.properties(width=_WIDTH, height=max(2, rows) * _ROW))


def _framed(chart: Any) -> "Drawing":
    # room for letters that are wider where it is looked at than where it was drawn
    framed: Drawing = chart.configure(
        font="Arial, Helvetica, sans-serif", padding={"left": 30, "right": 60, "top": 5, "bottom": 5}
    )
    return framed


def _altair() -> Any:
    # here, not above: it takes half a second, and only who draws needs it
    import altair

    # its own way loads a script from the web; whoever has chosen another one keeps it
    if altair.renderers.active == "default":
        altair.renderers.enable("svg")
    return altair
