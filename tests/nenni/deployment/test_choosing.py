import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from deployment_cases import images, small

from nenni.core.errors import UserError
from nenni.core.io import read_json, write_json
from nenni.deployment import choosing
from nenni.deployment.choosing import (
    Measured,
    described,
    fastest_kernel,
    kept_kernel,
    measure,
    read,
    write,
)
from nenni.deployment.simulation import simulation

NAMES = ["3.conv1", "3.conv2", "4.conv1", "4.conv2"]
LAYERS = dict.fromkeys(NAMES, "8 channels at 9 positions")


def test_a_turn_begins_with_the_caches_that_it_fills_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clock that only calls move: whoever comes after another takes ten times as long."""
    now, last = 0.0, ""

    def called(name: str, seconds: float) -> None:
        nonlocal now, last
        now, last = now + seconds * (1 if last == name else 10), name

    monkeypatch.setattr(choosing.time, "perf_counter", lambda: now)
    for slow in (0.001, 0.03, 7.0):
        calls = {name: partial(called, name, s) for name, s in (("a", slow), ("b", 0.0005))}
        found = choosing.fastest(calls, seconds=0.02)
        assert found == pytest.approx({"a": slow, "b": 0.0005}, rel=1e-6)


def test_each_injected_layer_is_timed_both_ways() -> None:
    x = images(2)
    found = measure(simulation(small(), x), x, "torch")
    assert [*found] == NAMES
    assert all(0 < min(t.dense, t.skipping) < 1 for t in found.values())


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = {name: Measured(0.1 * i, 0.2, i % 2 == 0) for i, name in enumerate(NAMES, 1)}
    write(tmp_path / "x.json", LAYERS, found, "torch", 4)
    assert read(tmp_path / "x.json", LAYERS, "torch", 4) == found


@pytest.mark.parametrize(
    ("seconds", "skipping"),
    [
        ((2.0, 3.0, 3.0), NAMES[2:]),
        ((2.0, 1.9, 3.0), []),
        ((2.0, 3.0, 1.9), NAMES),
        ((2.0, 1.97, 1.97), NAMES[2:]),
    ],
)
def test_a_network_that_is_clearly_faster_as_a_whole_overrules_what_layers_do_alone(
    seconds: tuple[float, ...], skipping: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = {name: Measured(0.1 * i, 0.25, 0.1 * i > 0.25) for i, name in enumerate(NAMES, 1)}
    x, left, timed = images(2), [], []

    def network(dense: tuple[str, ...]) -> Any:
        left.append(dense)
        return simulation(small(), x, dense)

    def fastest(calls: Any, device: Any, least: float) -> dict[Any, float]:
        assert least == 0.02
        timed.append([call().shape for call in calls.values()])
        return dict(zip(calls, seconds, strict=True))

    monkeypatch.setattr(choosing, "fastest", fastest)
    found = choosing.in_a_network(alone, network, x, "torch")
    assert left == [(*NAMES[:2],), (*NAMES,), ()]
    assert timed == [[(2, 5)] * 3]
    assert [name for name in NAMES if found[name].skips] == skipping
    assert {name: (m.dense, m.skipping) for name, m in found.items()} == {
        name: (m.dense, m.skipping) for name, m in alone.items()
    }


def test_what_times_hang_on_is_told_of_each_layer() -> None:
    """Sizes, tiles and share: times of other ones would choose other layers."""
    x = images(2)
    found = described(simulation(small(), x), "torch")
    assert [*found] == NAMES
    assert found["3.conv1"] == "24 channels at 81 positions, 216 products each, 17 tiles of 16x4 exact"  # fmt: skip
    for changed in ({"fraction": 0.1}, {"tile": (16, 8)}, {"width": 20}):
        assert described(simulation(small(**changed), x), "torch") != found
    larger = images(2, 12)
    assert described(simulation(small(), larger), "torch") != found


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("batch", 64, "batch 64 (now 4)"),
        ("threads", 99, "threads 99 (now "),
        ("processor", "an abacus", "processor an abacus (now "),
        ("kernel", "avx2", "kernel avx2 (now torch)"),
        ("layers", LAYERS | {"3.conv2": "large"}, "3.conv2 large (now 8 channels at 9 positions)"),
    ],
)
def test_what_was_measured_otherwise_holds_with_a_word(
    key: str, value: object, told: str, tmp_path: Path
) -> None:
    found = {name: Measured(0.1, 0.2, False) for name in NAMES}
    write(tmp_path / "x.json", LAYERS, found, "torch", 4)
    write_json(tmp_path / "x.json", read_json(tmp_path / "x.json") | {key: value})
    with pytest.warns(UserWarning, match=re.escape(f"x.json: was measured on {told}")):
        assert read(tmp_path / "x.json", LAYERS, "torch", 4) == found


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"kernel": "torch", "seconds": {"a": {"dense": 1, "skipping": 1}}}, "holds the choices of other layers (a) than the network's"),
        ({"seconds": {"3.conv1": {"dense": 1}}}, "is no file of nenni.deploy's choices"),
        ({"seconds": {"3.conv1": {"dense": 1, "skipping": "fast"}}}, "is no file of nenni.deploy's choices"),
        ({"kernel": "torch", "seconds": {"3.conv1": {"dense": 1, "skipping": -1}}}, "is no file of nenni.deploy's choices (-1 is no time)"),
        ({"kernel": "torch", "seconds": {"3.conv1": {"dense": "nan", "skipping": 1}}}, "is no file of nenni.deploy's choices"),
        ({"seconds": {"3.conv1": {"dense": 1, "skipping": 1, "skips": "no"}}, "kernel": "torch"}, "is no file of nenni.deploy's choices (skips should be true or false, got no)"),
        ([], "is no file of nenni.deploy's choices"),
        ({}, "is no file of nenni.deploy's choices"),
    ],
)  # fmt: skip
def test_another_file_is_refused(tmp_path: Path, content: object, told: str) -> None:
    write_json(tmp_path / "x.json", content)
    with pytest.raises(UserError, match=f"x.json: {re.escape(told)}"):
        read(tmp_path / "x.json", LAYERS, "torch", 4)


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    assert kept_kernel(tmp_path / "x.json") is None
    with pytest.raises(UserError, match=r"choices .*; remove it, and they are measured again"):
        read(tmp_path / "x.json", LAYERS, "torch", 4)


def test_a_file_of_before_does_not_tell_its_layers_nor_which_skip(tmp_path: Path) -> None:
    found = {name: Measured(0.1, 0.2, False) for name in NAMES}
    write(tmp_path / "x.json", LAYERS, found, "torch", 4)
    older = {key: value for key, value in read_json(tmp_path / "x.json").items() if key != "layers"}
    for times in older["seconds"].values():
        del times["skips"]
    write_json(tmp_path / "x.json", older)
    assert read(tmp_path / "x.json", LAYERS, "torch", 4) == found


def test_without_tiles_the_first_kernel_is_taken_unmeasured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "fastest", None)
    x = images(2)
    assert fastest_kernel(simulation(small(), x), x, ("avx2", "torch")) == "avx2"
    assert fastest_kernel(simulation(small(), x), x, ("torch",)) == "torch"


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, "tiles"), (3.0, "torch")])
def test_tiles_are_taken_where_they_are_faster(
    seconds: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = images(2)
    _pretend_tiles(monkeypatch, lambda codes: codes)
    monkeypatch.setattr(
        choosing, "fastest", lambda calls: dict(zip(calls, (seconds, 2.0), strict=True))
    )
    assert fastest_kernel(simulation(small(), x), x, ("tiles", "torch")) == expected


def test_tiles_that_give_other_codes_are_left_out_with_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = images(2)
    _pretend_tiles(monkeypatch, lambda codes: codes + (codes.shape[3] == 40))
    monkeypatch.setattr(choosing, "fastest", lambda calls: dict.fromkeys(calls, 0.0))
    told = re.escape(
        "tiles gives other codes than torch on this machine, for layers 4.conv1, 4.conv2"
    )
    with pytest.warns(UserWarning, match=told):
        assert fastest_kernel(simulation(small(), x), x, ("tiles", "torch")) == "torch"


def _pretend_tiles(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    real = choosing.computing

    def computing(kernel: str, layer: Any) -> Any:
        compute = real("torch", layer)
        return (lambda *codes: change(compute(*codes))) if kernel == "tiles" else compute

    monkeypatch.setattr(choosing, "AMX", "tiles")
    monkeypatch.setattr(choosing, "computing", computing)


@pytest.mark.parametrize(
    ("content", "expected"), [({"kernel": "avx2"}, "avx2"), ({}, None), ([], None), ("x", None)]
)
def test_the_kernel_of_a_file_is_kept(
    tmp_path: Path, content: object, expected: str | None
) -> None:
    write_json(tmp_path / "x.json", content)
    assert kept_kernel(tmp_path / "x.json") == expected
