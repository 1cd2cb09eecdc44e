"""What tests read off a figure: its data file, its drawing and the words on its marks."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from bench.reports.charts.figures import FigureView
from bench.reports.pages.suite import suite_view
from bench.result import FigureInfo, Plan, Result
from tests.reports.figure_sweep import figure_sweep, without

SVG = "{http://www.w3.org/2000/svg}"


def views(plan: Plan, results: Mapping[str, Result]) -> dict[str, FigureView]:
    found = suite_view(plan.suite, plan, results).figures
    return {view.info.kind if view.slug[7] != "2" else "options": view for view in found}


def one(figure: FigureInfo, drop: str | None = None) -> FigureView:
    plan, results = figure_sweep([figure])
    kept = without(results, drop) if drop else results
    return suite_view(plan.suite, plan, kept).figures[0]


def lines_of(view: FigureView) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(view.csv)))


def drawing(view: FigureView) -> ET.Element:
    assert view.svg is not None
    return ET.fromstring(str(view.svg))  # noqa: S314 - our own text


def tooltips(view: FigureView) -> list[str]:
    return [each.text or "" for each in drawing(view).iter(f"{SVG}title")]
