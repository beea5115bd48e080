import re
from pathlib import Path

import pytest
from deployment_cases import images, small

from nenni.core.errors import UserError
from nenni.core.io import read_json, write_json
from nenni.deployment.choosing import Measured, measure, read, write
from nenni.deployment.simulation import simulation

NAMES = ["3.conv1", "3.conv2", "4.conv1", "4.conv2"]


def test_each_injected_layer_is_timed_both_ways() -> None:
    x = images(2)
    found = measure(simulation(small(), x), x, "torch")
    assert [*found] == NAMES
    assert all(0 < min(t.dense, t.skipping) < 1 for t in found.values())


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = {name: Measured(0.1 * i, 0.2) for i, name in enumerate(NAMES)}
    write(tmp_path / "x.json", found, "torch", 4)
    assert read(tmp_path / "x.json", NAMES, "torch", 4) == found
    assert [name for name in NAMES if found[name].skips] == ["4.conv2"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("batch", 64, "batch 64 (now 4)"),
        ("threads", 99, "threads 99 (now "),
        ("processor", "an abacus", "processor an abacus (now "),
        ("kernel", "avx2", "kernel avx2 (now torch)"),
    ],
)
def test_what_was_measured_otherwise_holds_with_a_word(
    key: str, value: object, told: str, tmp_path: Path
) -> None:
    found = {name: Measured(0.1, 0.2) for name in NAMES}
    write(tmp_path / "x.json", found, "torch", 4)
    write_json(tmp_path / "x.json", read_json(tmp_path / "x.json") | {key: value})
    with pytest.warns(UserWarning, match=re.escape(f"x.json: was measured on {told}")):
        assert read(tmp_path / "x.json", NAMES, "torch", 4) == found


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"kernel": "torch", "seconds": {"a": {"dense": 1, "skipping": 1}}}, "holds the choices of other layers (a) than the network's"),
        ({"seconds": {"3.conv1": {"dense": 1}}}, "is no file of nenni.deploy's choices"),
        ({"seconds": {"3.conv1": {"dense": 1, "skipping": "fast"}}}, "is no file of nenni.deploy's choices"),
        ([], "is no file of nenni.deploy's choices"),
        ({}, "is no file of nenni.deploy's choices"),
    ],
)  # fmt: skip
def test_another_file_is_refused(tmp_path: Path, content: object, told: str) -> None:
    write_json(tmp_path / "x.json", content)
    with pytest.raises(UserError, match=f"x.json: {re.escape(told)}"):
        read(tmp_path / "x.json", NAMES, "torch", 4)
