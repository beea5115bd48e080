"""A run whose files of every kind are damaged one at a time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nenni.core.errors import UserError
from nenni.core.io import sha256
from nenni.run import manifests

FILES = {
    "data/digits": ["data/digits.safetensors"],
    "pretrain/at/seed0": ["bases/at/seed0/history.csv", "bases/at/seed0/weights.safetensors"],
    "describe/at/none/seed0": ["experiments/at/none/seed0/layers.json"],
    "figures/main": ["figures/main.pdf", "figures/main.png"],
    "tables/main": ["tables/main.csv", "tables/main.tex"],
}
ALL = [file for files in FILES.values() for file in files]
NAMED = "no manifest names it"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the run, from the folder that its workflow ran in, which is the current one."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/r")
    for manifest, files in FILES.items():
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(f"{file}\0 and more\n".encode())
        manifests.write(folder / f"manifests/{manifest}.sha256", [folder / file for file in files])
    assert list(manifests.problems(folder)) == []
    return folder


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n")


def replaced_by_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def replaced_by_a_dead_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("nothing")


DAMAGES: dict[Callable[[Path], None], str] = {
    truncated: "is not what was written", flipped: "is not what was written",
    longer: "is not what was written", emptied: "is empty", Path.unlink: "is missing",
    replaced_by_a_folder: "is a folder", replaced_by_a_dead_link: "is missing",
}  # fmt: skip


@pytest.mark.parametrize("file", ALL)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_a_damaged_file_is_named_with_the_command_that_makes_it_again(
    run: Path, file: str, damage: Callable[[Path], None]
) -> None:
    before = {run / name: sha256(run / name) for name in ALL}
    damage(run / file)
    told = (
        f"results/r/{file}: {DAMAGES[damage]}; `snakemake --force results/r/{file}` makes it again"
    )
    assert list(manifests.problems(run)) == [told]
    assert manifests.problem(run / file) == told
    assert [manifests.problem(run / name) for name in ALL].count(None) == len(ALL) - 1
    if (run / file).is_file():
        now = before | {run / file: sha256(run / file)}
        with pytest.raises(UserError, match=DAMAGES[damage]):
            manifests.check(now, run)
    manifests.check({name: digest for name, digest in before.items() if name != run / file}, run)


def test_two_files_that_were_exchanged_are_both_named(run: Path) -> None:
    one, other = run / ALL[1], run / ALL[4]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    told = list(manifests.problems(run))
    assert {line.split(":")[0] for line in told} == {str(one), str(other)}
    assert all("is not what was written" in line for line in told)


@pytest.mark.parametrize("manifest", FILES)
def test_a_lost_manifest_is_noticed_by_what_it_named(run: Path, manifest: str) -> None:
    (run / f"manifests/{manifest}.sha256").unlink()
    told = list(manifests.problems(run))
    assert [line.split(":")[0] for line in told] == [str(run / file) for file in FILES[manifest]]
    assert all(NAMED in line for line in told)
    file = run / FILES[manifest][0]
    assert NAMED in str(manifests.problem(file))
    with pytest.raises(UserError, match=NAMED):
        manifests.check({file: sha256(file)}, run)


@pytest.mark.parametrize("manifest", FILES)
@pytest.mark.parametrize(
    "damage",
    [emptied, replaced_by_a_folder, lambda f: f.write_bytes(b"\xff\0\x80" * 40), truncated],
    ids=["emptied", "folder", "binary", "truncated"],
)
def test_a_damaged_manifest_is_named(
    run: Path, manifest: str, damage: Callable[[Path], None]
) -> None:
    damage(run / f"manifests/{manifest}.sha256")
    told = list(manifests.problems(run))
    assert any(f"manifests/{manifest}.sha256: is damaged" in line for line in told)
    last = FILES[manifest][-1]
    assert any(line.startswith(f"{run / last}: {NAMED}") for line in told)


def test_a_lost_line_and_one_that_another_manifest_contradicts_are_noticed(run: Path) -> None:
    manifest = run / "manifests/tables/main.sha256"
    first, second = manifest.read_text().splitlines(keepends=True)
    manifest.write_text(second)
    assert [NAMED in line for line in manifests.problems(run)] == [True]
    manifest.write_text(first + second)
    (run / "manifests/tables/other.sha256").write_text(first.replace(first[:4], "0000"))
    assert ["two manifests name it" in line for line in manifests.problems(run)] == [True]


def test_a_line_of_another_run_is_damage(run: Path) -> None:
    manifest = run / "manifests/tables/main.sha256"
    manifest.write_text(manifest.read_text().replace("results/r/tables", "results/q/tables", 1))
    (told,) = manifests.problems(run)
    assert told.startswith(f"{manifest}: is damaged")


@pytest.mark.parametrize(
    "line", ["results/r/../../secret", "results/r", "/etc/passwd", "other/r/x"]
)
def test_a_line_that_leaves_the_run_is_damage(run: Path, line: str) -> None:
    manifest = run / "manifests/tables/main.sha256"
    manifest.write_text(f"{manifest.read_text()}{'0' * 64}  {line}\n")
    (told,) = manifests.problems(run)
    assert told.startswith(f"{manifest}: is damaged")


@given(content=st.binary(max_size=300))
def test_no_manifest_is_a_traceback(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = tmp_path_factory.getbasetemp() / "any"
    (run / "manifests").mkdir(parents=True, exist_ok=True)
    (run / "manifests" / "m.sha256").write_bytes(content)
    (run / "manifests" / "n.sha256").write_bytes(b"0" * 64 + b"  results/any/" + content)
    assert list(manifests.problems(run))


def test_another_folder_and_another_place_change_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From where the command is called another run of that name may be seen."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(run, elsewhere / run)
    flipped(elsewhere / run / ALL[0])
    monkeypatch.chdir(elsewhere)
    assert list(manifests.problems(tmp_path / run)) == []
    assert len(list(manifests.problems(run))) == 1
    shutil.move(tmp_path / run, tmp_path / "kept")
    assert list(manifests.problems(tmp_path / "kept")) == []
    with pytest.raises(UserError, match="holds no manifests"):
        manifests.run_of(tmp_path)


def test_what_is_not_of_the_run_and_what_a_kill_left_is_no_matter(run: Path) -> None:
    (run / "tables" / ".main.csv.123.part").write_text("half")
    assert list(manifests.problems(run)) == []
    outside = Path("digits.npz")
    outside.write_text("x")
    manifests.check({outside: "0" * 64}, run)
    (run / "tables" / "mine.csv").write_text("x")
    assert [NAMED in line for line in manifests.problems(run)] == [True]
