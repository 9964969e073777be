"""Charts, drawn by pygal as SVG, and reduced to shapes and text: an allow-list of elements and attributes.

Nothing that could run, load or style comes through, whatever pygal or a label may hold: the page's own style
sheet colours the classes, in light and dark. Each bar keeps its value as a `title`, which browsers show on
hovering.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from zeekpop3.errors import QueryError
from zeekpop3.views.visible import visible

#: Most bars of a timeline.
_MOST_BUCKETS = 48
_STEPS_S = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400, 28 * 86400, 364 * 86400)
_SVG = "{http://www.w3.org/2000/svg}"
_SHAPES = frozenset(("svg", "g", "path", "rect", "circle", "line", "text", "title"))
_ATTRIBUTES = frozenset(
    (
        "viewBox", "class", "d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry", "width",
        "height", "transform",
    )
)  # fmt: skip
#: A chart is drawn for a wide and for a narrow page: text keeps its size on both.
_WIDTHS = {"wide": 600, "narrow": 330}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of time: its beginning as text, and what was fetched in it."""

    label: str
    whole: int
    incomplete: int
    size: int


def buckets(minutes: Mapping[int, list[int]]) -> tuple[str, list[Bucket]]:
    """Minutes gathered into at most 48 stretches of one length, empty ones, too; and the length's name."""
    if not minutes:
        return "minute", []
    first, last = min(minutes), max(minutes)
    step = next((step for step in _STEPS_S if last // step - first // step < _MOST_BUCKETS), _STEPS_S[-1])
    while last // step - first // step >= _MOST_BUCKETS:
        step *= 2
    start = first // step
    sums = [[0, 0, 0] for _ in range(last // step - start + 1)]
    for minute, counts in minutes.items():
        bucket = sums[minute // step - start]
        for number, count in enumerate(counts):
            bucket[number] += count
    form = "%m-%d %H:%M" if step < 86400 else "%Y-%m-%d"
    return _named(step), [
        Bucket(_moment((start + number) * step).strftime(form), *counts) for number, counts in enumerate(sums)
    ]


def timeline(
    labels: list[str], series: Iterable[tuple[str, list[int]]], formatter: Callable[[Any], str]
) -> str:
    """Stacked bars over time, as two SVG elements, a wide and a narrow one."""
    return _drawn("StackedBar", labels, series, formatter, height=190)


def ranking(entries: list[tuple[str, int]], formatter: Callable[[Any], str]) -> str:
    """A bar per entry, the first on top, its value beside it."""
    entries = entries[::-1]
    return _drawn(
        "HorizontalBar",
        [visible(name) for name, _ in entries],
        [("", [value for _, value in entries])],
        formatter,
        height=44 + 26 * len(entries),
    )


def _drawn(
    kind: str,
    labels: list[str],
    series: Iterable[tuple[str, list[int]]],
    formatter: Callable[[Any], str],
    *,
    height: int,
) -> str:
    try:
        import pygal
        from pygal.style import Style
    except ImportError as error:
        raise QueryError("report needs pygal and Jinja: install zeekpop3[report]") from error
    across = kind == "HorizontalBar"
    series = list(series)
    drawn = []
    for name, width in _WIDTHS.items():
        wide = name == "wide"
        options: dict[str, Any] = {
            "js": (), "width": width, "height": height, "margin": 2, "spacing": 4, "no_prefix": True,
            "show_legend": False, "value_formatter": formatter, "truncate_label": -1,
            "print_values": across, "print_values_position": "top", "print_zeroes": False,
            "include_x_axis": True, "rounded_bars": 1,
            "margin_left": 2 if across else 10, "margin_right": 40 if across else 26,
            # Widths are reckoned from it; the page's own letters may be wider than pygal's.
            "style": Style(label_font_size=12, major_label_font_size=12, value_font_size=12),
        }  # fmt: skip
        if across:
            options |= {"show_x_labels": False, "show_y_guides": False}
        else:
            options |= {
                "x_labels_major_count": min(len(labels), 5 if wide else 3), "show_minor_x_labels": False,
                "y_labels_major_count": 4, "show_minor_y_labels": False,
            }  # fmt: skip
        chart = getattr(pygal, kind)(**options)
        # pygal would cut the labels of a vertical chart only, so it is told to cut none.
        chart.x_labels = [_cut(label, 36 if wide else 18) for label in labels]
        for title, values in series:
            chart.add(title, [value or None for value in values])
        drawn.append(_reduced(chart.render_tree(), f"chart {name}", width, height))
    return "".join(drawn)


def _reduced(tree: Any, classes: str, width: int, height: int) -> str:
    """The SVG's allowed part, as text."""
    root = _copy(tree)
    assert root is not None
    root.set("class", classes)
    root.set("viewBox", f"0 0 {width} {height}")
    # The figure that it stands in is named, and has its figures as a table.
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    return ElementTree.tostring(root, encoding="unicode")


def _copy(element: Any) -> ElementTree.Element | None:
    tag = _tag(element)
    classes = (element.get("class") or "").split()
    if tag not in _SHAPES or "tooltip" in classes or "titles" in classes:
        return None
    copy = ElementTree.Element(tag, {name: value for name, value in element.items() if name in _ATTRIBUTES})
    copy.text = visible(element.text) if element.text else None
    about: list[str] = []
    for child in element:
        if (_tag(child), child.get("class")) in (("desc", "value"), ("desc", "x_label")):
            about.insert(0, child.text or "")
        kept = _copy(child)
        if kept is not None and not (tag == "svg" and kept.tag == "title"):
            copy.append(kept)
    if about:
        title = ElementTree.Element("title")
        title.text = visible(": ".join(about))
        copy.insert(0, title)
    return copy


def _tag(element: Any) -> str:
    """An element's name; none for comments, whose tag is no text."""
    return element.tag.removeprefix(_SVG) if isinstance(element.tag, str) else ""


def _cut(label: str, length: int) -> str:
    return label if len(label) <= length else label[: length - 1] + "…"


def _moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _named(step_s: int) -> str:
    for length, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if step_s % length == 0:
            count = step_s // length
            return name if count == 1 else f"{count} {name}s"
    return f"{step_s} s"
