"""The committed comparison with ZigZag is what the script makes, on all rows, and near."""

import csv
from pathlib import Path

import pandas as pd
import pytest
import yaml
from scripts import script_named

from hwmodel.export_zigzag import zigzag_layer
from hwmodel.network_spec import Network
from hwmodel.workload import workloads

script = script_named("zigzag_comparison")


@pytest.fixture(scope="module")
def kept() -> pd.DataFrame:
    return pd.read_csv(script.TABLE)


def test_the_table_is_of_this_model(kept: pd.DataFrame) -> None:
    assert len(kept) == 2 * len(script.layers()) == 62
    pd.testing.assert_frame_equal(script.compared(), kept, rtol=1e-6)


@pytest.mark.parametrize("accelerator", ["tpu_like", "edge_tpu_like"])
def test_medians_are_near_and_no_row_is_outside(kept: pd.DataFrame, accelerator: str) -> None:
    rows = kept[kept["accelerator"] == accelerator]
    assert rows["cycles_ratio"].median() == pytest.approx(1, abs=0.05)
    assert rows["pj_ratio"].median() == pytest.approx(1, abs=0.05)
    assert rows["cycles_ratio"].between(0.7, 1.3).all()
    assert rows["pj_ratio"].between(0.5, 1.5).all()
    assert not rows["outside"].any()


def test_rows_of_an_independent_run_are_the_same(kept: pd.DataFrame) -> None:
    """Those that were made from an ONNX file, before there was an export."""
    golden = script.DATA / "zigzag_tpu_like_resnet18_32x32.csv"
    lines = [line for line in golden.read_text().splitlines() if not line.startswith("#")]
    rows = {
        (row.layer, row.kind): row for row in kept.itertuples() if row.accelerator == "tpu_like"
    }
    expected = list(csv.DictReader(lines))
    assert len(expected) == 12
    for row in expected:
        found = rows[row["layer"], row["kind"]]
        assert found.zigzag_cycles == float(row["latency_cycles"])
        assert found.zigzag_pj == pytest.approx(float(row["energy_pJ"]), rel=1e-6)


def test_the_workload_holds_every_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "workload.yaml"
    monkeypatch.setattr(script.sys, "argv", ["script", "--workload", str(out)])
    script.main()
    found = yaml.safe_load(out.read_text(encoding="utf-8"))
    layers = tuple(script.layers().values())
    network = Network(version=4, model="rows", input_shape=(3, 32, 32), layers=layers)
    made = workloads(network, script.hwmodel.load_preset("systolic_32x32"))
    assert found == [zigzag_layer(i, workload) for i, workload in enumerate(made)]
    assert len(found) == len(layers)
