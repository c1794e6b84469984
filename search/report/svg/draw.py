"""A figure's data as an SVG element: for a page, whose style sheet colours it, or a file that stands alone."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import assert_never

from search.report.figures.figure import Bar, Cell, Figure, Layer, Line, Points, Whisker
from search.report.styles import LIGHT, LOOKS, figure_css
from search.report.svg.axes import Scale, extent, ticks, values
from search.report.svg.shapes import IDS, definitions

WIDTH, PLOT_HEIGHT, ROW_HEIGHT, CELLS = 560, 290, 42, 400
LEFT, RIGHT, BOTTOM = 54, 14, 44
LEGEND_COLUMN, LEGEND_ROW = 184, 20
LONGEST_NAME = 56
LONGEST_CLASS, SHORT_NAME, MOST_NAMED = 14, 6, 12
SHADE = 0.88  # of the fullest cell


@dataclass(frozen=True)
class Frame:
    """Where the plot lies in the picture, and its two scales."""

    x: Scale
    y: Scale
    height: int

    def at(self, x: float, y: float) -> tuple[str, str]:
        """Return the place of a value, to a tenth of a unit."""
        return _short(self.x(x)), _short(self.y(y))


def svg(figure: Figure) -> str:
    """Return the figure as an element for a page that holds the shapes (`definitions`) and the rules (`figure_css`)."""
    frame = _frame(figure)
    parts = [*_legend(figure), *_axes(figure, frame), *(_layer(layer, frame, figure) for layer in figure.layers)]
    label = escape(f"{figure.title}. {figure.caption}")
    return (
        f'<svg class="figure" viewBox="0 0 {WIDTH} {frame.height}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def standalone(figure: Figure) -> str:
    """Return the figure as a file: with its own shapes, its own colours on white, and its title."""
    head = (
        f"<title>{escape(figure.title)}</title><desc>{escape(figure.caption)}</desc>"
        f"<style>{figure_css(LIGHT)}</style><defs>{definitions()}</defs>"
        f'<rect width="{WIDTH}" height="{_frame(figure).height}" fill="{LIGHT["ground"]}"/>'
    )
    size = f'xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{_frame(figure).height}" '
    opening, _, rest = svg(figure).partition(">")
    return f"{opening.replace('<svg ', f'<svg {size}', 1)}>{head}{rest}\n"


def _frame(figure: Figure) -> Frame:
    top = _legend_height(figure) + (24 if figure.y.label else 10)
    horizontal, vertical = values(figure)
    x_ends, y_ends = extent(figure.x, horizontal), extent(figure.y, vertical)
    match figure.x.names, figure.y.names:
        case (_, *_), (_, *_):
            left, plot = 150, CELLS
            right = WIDTH - RIGHT
        case _, (_, *_) as rows:
            left, right, plot = 12, WIDTH - 40, ROW_HEIGHT * len(rows)
        case _:
            left, right, plot = LEFT, WIDTH - RIGHT, PLOT_HEIGHT
    low_y, high_y = (top, top + plot) if figure.y.names else (top + plot, top)
    return Frame(
        Scale(*x_ends, left, right, figure.x.log),
        Scale(*y_ends, low_y, high_y, figure.y.log),
        top + plot + BOTTOM,
    )


def _axes(figure: Figure, frame: Frame) -> list[str]:
    top, bottom = sorted((frame.y.start, frame.y.end))
    left, right = frame.x.start, frame.x.end
    if figure.x.names and figure.y.names:
        return _matrix_names(figure, frame)
    parts = []
    for mark, label in ticks(figure.x, frame.x.low, frame.x.high):
        at = _short(frame.x(mark))
        parts.append(f'<path class="grid" d="M{at} {_short(top)}V{_short(bottom)}"/>')
        parts.append(_text(frame.x(mark), bottom + 17, label, "middle", "quiet"))
    if figure.y.names:
        for row, name in enumerate(figure.y.names):
            parts.append(_text(left, frame.y(row) - 9, _cut(name, LONGEST_NAME), look="name", title=name))
    else:
        for mark, label in ticks(figure.y, frame.y.low, frame.y.high):
            at = _short(frame.y(mark))
            parts.append(f'<path class="grid" d="M{_short(left)} {at}H{_short(right)}"/>')
            parts.append(_text(left - 7, frame.y(mark) + 4, label, "end", "quiet"))
        parts.append(_text(8, top - 11, figure.y.label))
    parts.append(f'<path class="axis" d="M{_short(left)} {_short(bottom)}H{_short(right)}"/>')
    parts.append(_text((left + right) / 2, bottom + 37, figure.x.label, "middle"))
    return parts


def _matrix_names(figure: Figure, frame: Frame) -> list[str]:
    top, bottom = frame.y.start, frame.y.end
    left, right = frame.x.start, frame.x.end
    names = figure.x.names
    short = len(names) <= MOST_NAMED and max(map(len, names)) <= SHORT_NAME  # else columns bear the rows' numbers
    rows = [
        _text(left - 8, frame.y(row) + 4, _cut(name, LONGEST_CLASS) + f" · {row + 1}" * (not short), "end", title=name)
        for row, name in enumerate(names)
    ]
    columns = [
        _text(frame.x(column), bottom + 17, name if short else str(column + 1), "middle", title=name)
        for column, name in enumerate(names)
    ]
    labels = [_text(left - 8, top - 9, figure.y.label, "end", "quiet")]
    return [*rows, *columns, *labels, _text((left + right) / 2, bottom + 37, figure.x.label, "middle", "quiet")]


def _layer(layer: Layer, frame: Frame, figure: Figure) -> str:
    match layer:
        case Points():
            return _points(layer, frame, below=bool(figure.y.names))
        case Line():
            return _line(layer, frame)
        case Bar(kind=kind, y=row, length=length, label=label):
            if not frame.x.holds(length):
                return ""
            place, start = frame.y(row), frame.x.start
            long = max(0.0, frame.x(length) - start)
            return (
                f'<rect class="marks k-{kind}" x="{_short(start)}" y="{_short(place - 2)}" width="{_short(long)}" '
                f'height="12"><title>{escape(label)}</title></rect>{_text(start + long + 6, place + 8, label)}'
            )
        case Whisker():
            return _whisker(layer, frame)
        case Cell():
            return _cell(layer, frame)
        case _:
            assert_never(layer)


def _points(layer: Points, frame: Frame, *, below: bool) -> str:
    shape = IDS[LOOKS[layer.kind].shape]
    lower = 5 if below else 0  # a row's name stands above its marks
    marks = []
    for point in layer.points:
        if frame.x.holds(point.x) and frame.y.holds(point.y):
            x, y = _short(frame.x(point.x)), _short(frame.y(point.y) + lower)
            marks.append(f'<use href="#{shape}" x="{x}" y="{y}"><title>{escape(point.title)}</title></use>')
    more = " hollow" * layer.hollow + " dim" * layer.dim
    return f'<g class="marks k-{layer.kind}{more}">{"".join(marks)}</g>' if marks else ""


def _line(layer: Line, frame: Frame) -> str:
    corners = [frame.at(x, y) for x, y in layer.points if frame.x.holds(x) and frame.y.holds(y)]
    if not corners:
        return ""
    path = "M" + "L".join(f"{x} {y}" for x, y in (corners if len(corners) > 1 else corners * 2))
    look = "faint" if layer.faint else f"lines l-{layer.kind}"
    return f'<path class="{look}" d="{path}"><title>{escape(layer.title)}</title></path>'


def _whisker(layer: Whisker, frame: Frame) -> str:
    along, across = (frame.y, frame.x) if layer.upright else (frame.x, frame.y)
    if not all(along.holds(end) for end in (layer.low, layer.middle, layer.high)) or not across.holds(layer.at):
        return ""
    at = across(layer.at) + (0 if layer.upright else 5)
    low, middle, high = (_short(along(end)) for end in (layer.low, layer.middle, layer.high))
    near, far = _short(at - 5), _short(at + 5)
    if layer.upright:
        path = f"M{_short(at)} {low}V{high}M{near} {low}H{far}M{near} {high}H{far}M{_short(at - 8)} {middle}h16"
    else:
        path = f"M{low} {_short(at)}H{high}M{low} {near}V{far}M{high} {near}V{far}M{middle} {_short(at - 8)}v16"
    return f'<path class="whisker" d="{path}"><title>{escape(layer.title)}</title></path>'


def _cell(cell: Cell, frame: Frame) -> str:
    left, right = frame.x(cell.column - 0.5), frame.x(cell.column + 0.5)
    top, bottom = frame.y(cell.row - 0.5), frame.y(cell.row + 0.5)
    size = f'width="{_short(right - left - 1)}" height="{_short(bottom - top - 1)}"'
    box = f'<rect class="cell k-plain" x="{_short(left)}" y="{_short(top)}" {size}'
    drawn = f'{box} fill-opacity="{cell.shade * SHADE + 0.04:.2f}"><title>{escape(cell.title)}</title></rect>'
    if not cell.text:
        return drawn
    look = "on" if cell.shade > 0.5 else ""
    return drawn + _text((left + right) / 2, (top + bottom) / 2 + 4, cell.text, "middle", look)


def _legend(figure: Figure) -> list[str]:
    parts = []
    for index, kind in enumerate(figure.legend):
        x, y = _legend_place(index)
        look = LOOKS[kind]
        parts.append(f'<g class="marks k-{kind}"><use href="#{IDS[look.shape]}" x="{x + 6}" y="{y - 4}"/></g>')
        parts.append(_text(x + 16, y, look.words))
    if figure.hollow:
        x, y = _legend_place(0)
        parts.append(_text(x, _legend_height(figure) - 6, figure.hollow, look="quiet"))
    return parts


def _legend_place(index: int) -> tuple[int, int]:
    columns = (WIDTH - 8) // LEGEND_COLUMN
    return 8 + index % columns * LEGEND_COLUMN, 16 + index // columns * LEGEND_ROW


def _legend_height(figure: Figure) -> int:
    columns = (WIDTH - 8) // LEGEND_COLUMN
    rows = -(-len(figure.legend) // columns) + bool(figure.hollow)
    return rows * LEGEND_ROW + 4 if rows else 0


def _text(x: float, y: float, words: str, anchor: str = "", look: str = "", title: str = "") -> str:
    more = f' class="{look}"' * bool(look) + f' text-anchor="{anchor}"' * bool(anchor)
    tip = f"<title>{escape(title)}</title>" if title and title != words else ""
    return f'<text x="{_short(x)}" y="{_short(y)}"{more}>{escape(words)}{tip}</text>'


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
