"""Figures of docs/lsm.md are those of the committed runs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("lsm_tables", DOCS / "lsm_tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_tables_of_the_committed_runs(tables) -> None:
    page = (DOCS / "lsm.md").read_text(encoding="utf-8")
    assert all(f"<!-- table {name} -->" in page for name in tables.TABLES)
    assert tables.written(page) == page, "run 'python docs/lsm_tables.py'"


def test_a_table_says_how_far_a_mean_is_below_its_bar(tables) -> None:
    group = [{"seed": seed, "accuracy": 0.959 + 0.001 * seed} for seed in range(3)]
    assert (
        tables.said_mean(group, 96.0) == "**96.00**" and tables.said_mean(group, 96.1) == "96.00 (0.10 below)"
    )
    assert tables.said_mean(group[:2], 90.0) == "95.95 (2 of 3)"
    more = [*group, {"seed": 7, "accuracy": 0.90}]
    assert tables.said_mean(more, 96.0) == "**96.00**" and tables.said_seeds(more) == "95.90, 96.00, 96.10"
    assert tables.said_all(group) == "" and tables.said_all(more) == "94.50 ± 3.00 (4)"


def test_a_dot_for_every_network(tables, tmp_path) -> None:
    tables.draw(tmp_path / "accuracy.png")
    assert (tmp_path / "accuracy.png").stat().st_size > 10_000
