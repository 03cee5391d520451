"""The table of metrics is the one place that names them, and everything else agrees with it."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch

from sketchy.config import ZeroShot
from sketchy.evaluation import protocol
from sketchy.evaluation.metrics import HEADLINE, METRICS, PROTOCOLS, Metric, label
from sketchy.evaluation.protocol import Queries, score, summarize

DOCS = Path(__file__).parents[2] / "docs"


def test_each_metric_is_filed_under_its_key():
    assert all(key == metric.key for key, metric in METRICS.items())
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


def test_every_protocol_reports_known_metrics_and_every_metric_is_reported():
    assert {key for keys in PROTOCOLS.values() for key in keys} == set(METRICS)
    assert set(HEADLINE) <= set(METRICS)
    assert {name for name in PROTOCOLS if name.startswith("zero-shot")} == set(get_args(ZeroShot))


def test_a_label_is_known_by_key_and_by_its_name_in_a_history():
    assert label("map_all") == label("val_map_all") == "mAP@all"
    assert label("loss") == "loss"


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_the_docs_explain_every_metric(metric):
    text = (DOCS / "protocols.md").read_text(encoding="utf-8")
    family = metric.key.rstrip("0123456789")
    assert f"`{metric.key}`" in text or f"`{family}k`" in text
    assert metric.label in text or f"{metric.label.rstrip('0123456789')}k" in text


def test_a_metric_is_added_by_one_row_and_named_by_a_protocol(monkeypatch):
    """As the README says where to change what: its value, its chance and its label follow."""
    added = Metric("p_at_2", "P@2", "right photos among the 2 nearest", lambda ranked: ranked.precision(2))
    for table in (METRICS, protocol.METRICS):
        monkeypatch.setitem(table, added.key, added)
    monkeypatch.setitem(PROTOCOLS, "category", ("p_at_2",))
    queries = Queries(torch.zeros(1, 1), torch.tensor([0]), torch.tensor([-1]))
    gallery, categories = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([0, 1, 1])
    found = summarize(score(queries, gallery, categories), queries, categories, ("ant", "bee"), "category")
    assert found.metrics == {"p_at_2": 0.5}
    assert found.chance["p_at_2"] == pytest.approx(1 / 3)
    assert label("p_at_2") == "P@2"


def test_labels_need_no_torch():
    code = "import sys, sketchy.evaluation.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
