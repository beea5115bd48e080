import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

import hwmodel
from hwmodel.__main__ import main
from hwmodel.defence_spec import Defence
from hwmodel.preset_files import ENERGY_FOLDER

OUTPUTS = (
    "operations",
    "reductions",
    "latency",
    "energy",
    "crossover",
    "speedup",
    "roofline",
    "traffic",
    "verdict",
)


@pytest.fixture
def layers(tmp_path: Path, network_json: Any, layer_dict: Any) -> Path:
    injection = {"measured_fraction": 0.5003}
    data = network_json(layer_dict(None, name="first"), layer_dict(injection, name="a,b"))
    path = tmp_path / "layers.json"
    path.write_text(json.dumps(data))
    return path


def run(layers: Path, folder: Path, *extra: str) -> int:
    folder.mkdir(exist_ok=True)
    outputs = [part for name in OUTPUTS for part in (f"--{name}", str(folder / f"{name}.csv"))]
    return main([str(layers), *outputs, *extra])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.long
def test_two_runs_give_the_same_bytes(layers: Path, tmp_path: Path, capsys: Any) -> None:
    assert run(layers, tmp_path / "one") == run(layers, tmp_path / "two") == 0
    for name in OUTPUTS:
        one, two = (tmp_path / folder / f"{name}.csv" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
        assert b"\r" not in one.read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(
        f"{name}.csv" for name in OUTPUTS
    )
    assert capsys.readouterr().err == ""


def test_operations_csv(layers: Path, tmp_path: Path) -> None:
    run(layers, tmp_path / "out")
    rows = read(tmp_path / "out" / "operations.csv")
    header = (tmp_path / "out" / "operations.csv").read_text().splitlines()[0]
    assert header == "layer,term,macs,additions,comparisons,roundings,bits,bitops,metric"
    terms = ["exact", "approximation", "projection", "rounding", "selection", "mask"]
    assert [(row["layer"], row["term"]) for row in rows] == [
        ("first", "exact"),
        *(("a,b", term) for term in terms),
    ]
    assert rows[0]["bitops"] == str(903_168 * 1024)
    assert float(rows[1]["macs"]) == 0.5003 * 903_168
    assert rows[3] == {
        "layer": "a,b",
        "term": "projection",
        "macs": "0",
        "additions": "169344",
        "comparisons": "0",
        "roundings": "0",
        "bits": "10",
        "bitops": "1693440",
        "metric": "product",
    }


def test_reductions_csv(layers: Path, tmp_path: Path) -> None:
    run(layers, tmp_path / "out")
    path = tmp_path / "out" / "reductions.csv"
    assert path.read_text().splitlines()[0] == (
        "layer,baseline,variant,evaluated,dense_bitops,bitops_without,bitops_with,"
        "reduction_without,reduction_with,metric"
    )
    rows = read(path)
    expected = hwmodel.reductions(hwmodel.load(layers))
    assert len(rows) == len(expected) == 18
    for row, reduction in zip(rows, expected, strict=True):
        assert row["layer"] == reduction.layer
        assert row["evaluated"] == ("true" if reduction.evaluated else "false")
        assert float(row["reduction_with"]) == reduction.reduction_with
        assert float(row["bitops_without"]) == reduction.bitops_without
    assert rows[-1]["layer"] == "total"


def test_tables_say_their_batch_and_metric(layers: Path, tmp_path: Path) -> None:
    run(layers, tmp_path / "out", "--batch", "7", "--metric", "sum")
    for name in OUTPUTS:
        rows = read(tmp_path / "out" / f"{name}.csv")
        assert {row.get("batch", "7") for row in rows} == {"7"}, name
        assert {row.get("metric", "sum") for row in rows} == {"sum"}, name
    rows = read(tmp_path / "out" / "operations.csv")
    assert rows[0]["bitops"] == str(903_168 * 64)


def test_latency_csv(layers: Path, tmp_path: Path) -> None:
    run(layers, tmp_path / "out", "--preset", "server_cpu", "edge_npu", "server_cpu")
    path = tmp_path / "out" / "latency.csv"
    assert path.read_text().splitlines()[0] == (
        "layer,preset,batch,dense_fp32_s,dense_fp16_s,dense_int8_s,dense_int4_s,injected_s,projection_s,"
        "approximation_s,selection_s,exact_s,bound,essential,executed"
    )
    rows = read(path)
    assert [(row["preset"], row["layer"]) for row in rows] == [
        (preset, layer)
        for preset in ("server_cpu", "edge_npu")
        for layer in ("first", "a,b", "total")
    ]
    total = hwmodel.latency(hwmodel.load(layers), hwmodel.load_preset("server_cpu"))[-1]
    assert float(rows[2]["injected_s"]) == total.injected_s
    assert rows[0]["bound"] in ("compute", "memory")


def test_table_has_totals_and_flags_what_was_not_evaluated(layers: Path, capsys: Any) -> None:
    assert main([str(layers), "--layers"]) == 0
    text = capsys.readouterr().out
    lines = [line.split() for line in text.splitlines()]
    terms = hwmodel.count_operations(hwmodel.load(layers))
    total = f"{sum(term.bitops for term in terms):,.0f}"
    assert any(line[:2] == ["total", "all"] and line[-1] == total for line in lines)
    assert "total  at int8       NO              int8" in text
    assert text.count("Latency in microseconds of a batch of 1 on ") == len(hwmodel.preset_names())
    assert "assumed, neither measured nor from a data sheet: " in text


def test_one_preset_alone(layers: Path, capsys: Any) -> None:
    for words, told in ((["--layers"], "Latency in microseconds of a batch of 1 on "), ([], "")):
        assert main([str(layers), "--preset", "edge_npu", *words]) == 0
        text = capsys.readouterr().out
        assert "server_cpu" not in text
        assert f"{told}edge_npu" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["{layers}", "--preset", "gpu"],
            "unknown preset 'gpu'; known: a100, deployed_core, edge_npu, h100, server_cpu",
        ),
        (["{folder}/none.json"], "none.json: cannot be read: No such file or directory"),
        (
            ["{layers}", "--operations", "{folder}/o.csv", "--latency", "{folder}/no/x.csv"],
            "no/x.csv: there is no folder",
        ),
        (["{layers}", "--latency", "{folder}"], "Is a directory"),
        (["{layers}", "--latency", "{layers}"], "should be different files"),
        (["{layers}", "--latency", "{folder}/a", "--operations", "{folder}/a"], "different files"),
    ],
)
def test_mistakes_are_told_in_one_line(
    layers: Path, tmp_path: Path, capsys: Any, arguments: list[str], expected: str
) -> None:
    before = layers.read_bytes()
    filled = [argument.format(layers=layers, folder=tmp_path) for argument in arguments]
    assert main(filled) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith("hwmodel: ")
    assert expected in output.err
    assert layers.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["layers.json"]


def test_wrong_arguments_are_told_in_one_line(capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--unknown"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_plan_that_cannot_be_made_leaves_nothing(
    layers: Path, tmp_path: Path, capsys: Any
) -> None:
    """FP32 on an array of 8-bit multipliers."""
    words = [str(layers), "--preset", "systolic_32x32", "--plan", str(tmp_path / "plan.json")]
    assert main([*words, "--operations", str(tmp_path / "o.csv")]) == 2
    assert "the platform cannot run 32 bits" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["layers.json"]


def test_the_bits_of_the_exact_path_can_be_said(
    tmp_path: Path, network_json: Any, layer_dict: Any, capsys: Any
) -> None:
    """Of all layers, so that a platform of 8-bit multipliers runs the network, and can be planned."""
    deep = {"in_channels": 64, "out_channels": 64}
    layers = [layer_dict(None, name=name, **deep) for name in ("first", "inner", "last")]
    path, plan = tmp_path / "layers.json", tmp_path / "plan.json"
    path.write_text(json.dumps(network_json(*layers)))
    words = [str(path), "--projection", "ternary", "--preset", "systolic_32x32"]
    assert main([*words, "--plan", str(plan)]) == 2
    assert "cannot run 32 bits" in capsys.readouterr().err
    assert main([*words, "--exact-bits", "8", "--plan", str(plan)]) == 0
    assert {layer.exact_bits for layer in hwmodel.load(plan).layers} == {8}
    assert main([*words, "--exact-bits", "8", "--latency", str(tmp_path / "latency.csv")]) == 0
    total = read(tmp_path / "latency.csv")[-1]
    assert float(total["injected_s"]) > 0
    assert main([str(path), "--exact-bits", "8"]) == 2
    assert "--exact-bits: needs --projection" in capsys.readouterr().err


def test_the_verdict_is_the_same_printed_and_written(
    layers: Path, tmp_path: Path, capsys: Any
) -> None:
    words = ["--preset", "edge_npu", "--batch", "2"]
    assert main(["verdict", str(layers), *words, "--accuracy", "dense FP32=0.9"]) == 0
    printed = capsys.readouterr().out
    assert "On edge_npu, batch 2, against dense INT8" in printed
    (line,) = (line for line in printed.splitlines() if line.startswith("dense FP32"))
    assert line.endswith("90.0 %")
    assert main([str(layers), *words, "--verdict", str(tmp_path / "verdict.csv")]) == 0
    rows = {row["way"]: row for row in read(tmp_path / "verdict.csv")}
    assert rows["dense INT4"]["lacks"] == ""
    assert (
        rows["2:4 weights INT8"] | {"speedup": "", "lacks": "no multipliers that skip them"}
        == (rows["2:4 weights INT8"])
    )
    for way in ("this method", "this method, exact path INT8", "dense FP16"):
        assert f"{float(rows[way]['speedup']):.2f} [" in printed
        assert rows[way]["batch"] == "2"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--accuracy", "0.9"], "should be WAY=SHARE"),
        (["--accuracy", "this method=90"], "should be WAY=SHARE"),
    ],
)
def test_accuracies_that_are_none(
    layers: Path, capsys: Any, words: list[str], expected: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["verdict", str(layers), *words])
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err


def row_of(name: str, printed: str) -> str:
    (row,) = (line for line in printed.splitlines() if line.startswith(f"{name}  "))
    return row


def test_a_verdict_on_another_defence_and_on_those_beside(
    layers: Path, tmp_path: Path, capsys: Any
) -> None:
    noisy = tmp_path / "pni.json"
    network = hwmodel.load(layers)
    noise = Defence(name="pni", draws=500, macs=500)
    plain = [layer.model_copy(update={"injection": None}) for layer in network.layers]
    changed = [layer.model_copy(update={"defence": noise}) for layer in plain]
    noisy.write_text(network.model_copy(update={"layers": tuple(changed)}).model_dump_json())
    assert main(["verdict", str(noisy), "--preset", "edge_npu", "--accuracy", "pni=0.5"]) == 0
    printed = capsys.readouterr().out
    row = row_of("pni", printed)
    assert row.endswith("50.0 %")
    words = ["--preset", "edge_npu", "--beside", f"noise={noisy}"]
    assert main(["verdict", str(layers), *words]) == 0
    beside = capsys.readouterr().out
    assert row_of("noise", beside).split()[1:4] == row.split()[1:4]
    assert row_of("this method", beside)


@pytest.mark.parametrize("given", ["pni.json", "=pni.json", "pni="])
def test_a_network_beside_needs_a_name(given: str, layers: Path, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["verdict", str(layers), "--beside", given])
    assert "should be NAME=layers.json" in capsys.readouterr().err


def test_an_energy_table_of_ones_own(layers: Path, tmp_path: Path, capsys: Any) -> None:
    """Memory at half of the energy; the same buffers and arithmetic."""
    text = (ENERGY_FOLDER / "horowitz_45nm.toml").read_text()
    mine, out = tmp_path / "mine.toml", tmp_path / "energy.csv"
    mine.write_text(text.replace("value = 162.5", "value = 81.25"))
    rows = {}
    for table in ("horowitz_45nm", str(mine)):
        words = [str(layers), "--preset", "server_cpu", "--energy-table", table]
        assert main([*words, "--energy", str(out)]) == 0
        rows[table] = read(out)
    for one, other in zip(*rows.values(), strict=True):
        assert float(one["dense_memory_pj"]) == 2 * float(other["dense_memory_pj"])
        assert one["dense_buffer_pj"] == other["dense_buffer_pj"]
    assert {(row["preset"], row["batch"]) for row in rows[str(mine)]} == {("server_cpu", "1")}
    assert main([str(layers), "--energy-table", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: cannot be read" in capsys.readouterr().err


def test_four_bits_are_compared_where_there_is_a_rate_for_them(
    layers: Path, tmp_path: Path
) -> None:
    run(layers, tmp_path / "out", "--preset", "a100", "h100", "edge_npu")
    latency, energy, crossover = (
        read(tmp_path / "out" / f"{name}.csv") for name in ("latency", "energy", "crossover")
    )
    assert {row["preset"] for row in latency if row["dense_int4_s"]} == {"a100", "edge_npu"}
    for rows in (energy, crossover):
        assert {row["preset"] for row in rows if row["bits"] == "4"} == {"a100", "edge_npu"}
    for row in latency:
        if row["dense_int4_s"]:
            assert float(row["dense_int4_s"]) < float(row["dense_int8_s"])


def test_letters_that_the_terminal_lacks_are_escaped(
    tmp_path: Path, network_json: Any, layer_dict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "layers.json"
    path.write_text(json.dumps(network_json(layer_dict(None, name="größe"))), encoding="utf-8")
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", shown)
    assert main([str(path), "--preset", "server_cpu", "--layers"]) == 0
    assert b"gr\\xf6\\xdfe" in shown.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no such device")
def test_output_that_cannot_be_written(
    layers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main([str(layers)]) == 2
    told = "hwmodel: what is printed cannot be written (No space left on device)"
    assert capsys.readouterr().err.splitlines() == [told]


def test_no_output_at_all(layers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert main([str(layers)]) == 0
