"""The Grafana dashboard asks only for what the app measures, and for all of it."""

import json
import re
from pathlib import Path

from prometheus_client import Metric

from app.core.fleet import Fleet
from app.core.post import LocalPost
from app.observability.prometheus import CallMetrics

DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana-dashboard.json"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
OWN_LABELS = {"instance", "le"}


def families():
    metrics = CallMetrics()
    alone = Fleet(LocalPost("a"))
    metrics.watch(open_chats=lambda: 1, turns=lambda: 1, queue=lambda: {"ollama": 1}, fleet=alone)
    return list(metrics.registry.collect())


def names_of(family: Metric):
    return {family.name + suffix for suffix in SUFFIXES.get(family.type, ("",))}


def expressions():
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    panels = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    variables = [v["query"]["query"] for v in dashboard["templating"]["list"] if "refresh" in v]
    return [*panels, *variables]


def asked():
    return set(re.findall(r"\b(?:konsilium|process)_\w+", " ".join(expressions())))


def test_every_metric_it_names_exists():
    assert asked() - {name for family in families() for name in names_of(family)} == set()


def test_every_metric_of_ours_is_on_it():
    ours = [family for family in families() if family.name.startswith("konsilium_")]
    assert [family.name for family in ours if not names_of(family) & asked()] == []


def test_every_label_it_groups_by_or_filters_on_exists():
    dashboard = DASHBOARD.read_text("utf-8")
    named = {
        label for group in re.findall(r"by \(([\w, ]+)\)", dashboard) for label in group.split(", ")
    }
    named |= set(re.findall(r"\{\{(\w+)\}\}", dashboard))
    named |= set(re.findall(r"(\w+)=~", dashboard))
    source = Path(__file__).parents[3] / "app" / "observability" / "prometheus.py"
    known = set(re.findall(r'"(\w+)"', source.read_text("utf-8"))) | OWN_LABELS
    assert named - known == set()


def test_no_two_panels_lie_on_each_other():
    taken = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
