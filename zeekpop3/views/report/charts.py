"""Charts as data: where each bar, line and label of an SVG is; `charts.html` writes the elements.

A chart is laid out for a wide and for a narrow page, so that its text keeps its size on both. Each bar has
its value as a title, which browsers show on hovering. Colours come from the page's style sheet, by class.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zeekpop3.views.text import cut_to_width

#: Most bars of a timeline.
MAX_BUCKETS = 48
#: Lengths of a bucket; each is a multiple of the one before it.
_STEPS_S = (1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400, 28 * 86400, 364 * 86400)
#: More buckets than this are merged while counting.
_MAX_COUNTED = 4096
_WIDTHS = {"wide": 600, "narrow": 330}
#: Pixels of an average letter at the chart's font size, of a row of a ranking, of a timeline's height.
_LETTER, _ROW, _HEIGHT = 6.3, 26, 190


@dataclass(frozen=True, slots=True)
class Bucket:
    """A span of time: its start as text, and what was fetched in it."""

    label: str
    complete: int
    incomplete: int
    size: int


class Timeline:
    """Counts mails by time, in buckets that become longer as the time covered grows."""

    def __init__(self) -> None:
        self._step = 0
        self._counts: dict[int, list[int]] = {}

    def add(self, ts: dt.datetime, *, complete: bool, size: int) -> None:
        """Count one mail of `size` bytes."""
        counts = self._counts.setdefault(int(ts.timestamp()) // _STEPS_S[self._step], [0, 0, 0])
        counts[0 if complete else 1] += 1
        counts[2] += size
        if len(self._counts) > _MAX_COUNTED and self._step + 1 < len(_STEPS_S):
            self._step += 1
            self._counts = self._merged(_STEPS_S[self._step] // _STEPS_S[self._step - 1])

    def buckets(self) -> tuple[str, list[Bucket]]:
        """At most `MAX_BUCKETS` buckets of one length, empty ones included; and the name of the length."""
        if not self._counts:
            return "minute", []
        base = _STEPS_S[self._step]
        first, last = min(self._counts) * base, max(self._counts) * base
        steps = _STEPS_S[self._step :]
        step = next((step for step in steps if last // step - first // step < MAX_BUCKETS), steps[-1])
        while last // step - first // step >= MAX_BUCKETS:
            step *= 2
        sums = self._merged(step // base)
        form = "%Y-%m-%d" if step >= 86400 else "%m-%d %H:%M" if step >= 60 else "%m-%d %H:%M:%S"
        buckets = []
        for number in range(first // step, last // step + 1):
            label = dt.datetime.fromtimestamp(number * step, dt.UTC).strftime(form)
            buckets.append(Bucket(label, *sums.get(number, (0, 0, 0))))
        return _step_name(step), buckets

    def _merged(self, factor: int) -> dict[int, list[int]]:
        merged: dict[int, list[int]] = {}
        for start, counts in self._counts.items():
            sums = merged.setdefault(start // factor, [0, 0, 0])
            for index, count in enumerate(counts):
                sums[index] += count
        return merged


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; `series` chooses its colour."""

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a point; `anchor` is the side of the text at that point: start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str


@dataclass(slots=True)
class Chart:
    """What one SVG holds. `guides` are the heights of horizontal lines between `left` and the right edge."""

    name: str
    width: int
    height: int
    left: float = 0
    guides: list[float] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


def stacked_bars(labels: list[str], series: list[list[int]], text: Callable[[Any], str]) -> list[Chart]:
    """Stacked bars over time, a wide and a narrow chart; `text` formats values."""
    return [_stacked(name, labels, series, text) for name in _WIDTHS]


def ranking(entries: list[tuple[str, int]], text: Callable[[Any], str]) -> list[Chart]:
    """A horizontal bar per entry, the first on top, with its value; a wide and a narrow chart."""
    largest = max((value for _, value in entries), default=1) or 1
    charts = []
    for name, width in _WIDTHS.items():
        chart = Chart(name, width, _ROW * len(entries) + 4)
        letters = 34 if name == "wide" else 17
        left = letters * _LETTER + 8
        room = width - left - _LETTER * (2 + max((len(text(value)) for _, value in entries), default=1))
        for index, (label, value) in enumerate(entries):
            y, length = index * _ROW + 4, max(1.0, round(room * value / largest, 1))
            shown = cut_to_width(label, letters)
            chart.bars.append(Bar(left, y, length, _ROW - 8, 0, f"{label}: {text(value)}"))
            chart.labels.append(Label(0, y + 13, shown, "start"))
            chart.labels.append(Label(left + length + 6, y + 13, text(value), "start"))
        charts.append(chart)
    return charts


def _stacked(name: str, labels: list[str], series: list[list[int]], text: Callable[[Any], str]) -> Chart:
    width, top = _WIDTHS[name], _ceiling(max(map(sum, zip(*series, strict=True))))
    ticks = sorted({0, top // 2, top}) if top > 1 else [0, top]
    left = round(_LETTER * max(len(text(tick)) for tick in ticks) + 8, 1)
    chart = Chart(name, width, _HEIGHT, left)
    low, room = _HEIGHT - 22, _HEIGHT - 32
    for tick in ticks:
        y = round(low - room * tick / top, 1)
        chart.guides.append(y)
        chart.labels.append(Label(left - 6, y + 4, text(tick), "end"))
    step = (width - left - 2) / len(labels)
    for index, label in enumerate(labels):
        y = float(low)
        for number, values in enumerate(series):
            if values[index]:
                height = max(1.0, room * values[index] / top)
                y -= height
                x = round(left + step * (index + 0.1), 1)
                title = f"{label}: {text(values[index])}"
                chart.bars.append(Bar(x, round(y, 1), round(step * 0.8, 1), round(height, 1), number, title))
    chart.labels += _time_labels(labels, left, step, most=5 if name == "wide" else 3)
    return chart


def _time_labels(labels: list[str], left: float, step: float, most: int) -> list[Label]:
    """Some of the labels below the bars, evenly spaced, none over another; the outer ones stay inside."""
    count = min(most, len(labels))
    chosen = sorted({round(index * (len(labels) - 1) / max(1, count - 1)) for index in range(count)})
    stop = left + step * (len(labels) - 0.1) - _LETTER * (len(labels[-1]) + 1)  # where the last one starts
    made: list[Label] = []
    free = 0.0
    for index in chosen:
        anchor = "start" if index == 0 else "end" if index == len(labels) - 1 else "middle"
        x = left + step * (index + {"start": 0.1, "middle": 0.5, "end": 0.9}[anchor])
        length = _LETTER * len(labels[index])
        if anchor != "middle" or free <= x - length / 2 <= stop - length:
            made.append(Label(round(x, 1), _HEIGHT - 6, labels[index], anchor))
            free = x + (length if anchor == "start" else length / 2) + _LETTER
    return made


def _ceiling(value: int) -> int:
    """The next number of the form 1, 2, 4, 5 or 10 times a power of ten."""
    power = int(10 ** int(math.log10(max(1, value))))
    return next(factor * power for factor in (1, 2, 4, 5, 10) if factor * power >= value)


def _step_name(step_s: int) -> str:
    units = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    length, name = next(unit for unit in units if step_s % unit[0] == 0)
    return name if step_s == length else f"{step_s // length} {name}s"
