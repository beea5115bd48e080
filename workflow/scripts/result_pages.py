"""Make the pages of docs/ that hold results, and README.md.

    python workflow/scripts/result_pages.py      # make pages

From the tables of results/reference/ and the sentences of docs/*.md.jinja. They hold no number of a
result and no word that hangs on one: both are computed from the tables. A block of results.md.jinja
stands in README.md too, between ``<!-- results: BLOCK -->`` and ``<!-- end -->``.
"""

import re
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import _bench_tables
import _choice_tables
import _claim_tables
import _constant_tables
import _cost_tables
import _deployed_tables
import _deployment_tables
import _elsewhere_tables
import _machine_tables
import _noise_tables
import _post_training
import _post_training_tables
import _protocol_tables
import _size_tables
import pandas as pd
from _templates import templates
from _words import Row, change, count, difference, factor, fewer, percent, seeds, shown, span
from jinja2 import Environment

from nenni.core import radius
from nenni.core.errors import UserError
from nenni.core.io import read_csv, write_atomically
from nenni.evaluation.scoring import WORST
from nenni.results import verdict
from nenni.results.accuracy import ALL, ANY
from nenni.results.main_columns import titles_among
from nenni.results.main_table import LEGEND, display

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "results" / "reference"
README = ROOT / "README.md"
NAMES = (
    "results", "claims", "protocol", "bench", "speed", "machines", "cost", "constants", "deploy",
    "sizes", "post_training", "train", "baselines",
)  # fmt: skip
TEMPLATE = ROOT / "docs" / "results.md.jinja"
READ = (
    "mnist5k/claims", "mnist5k/main", "mnist5k/suites", "mnist5k/persistence",
    "mnist5k/diagnostics", "mnist5k/energy", "mnist5k/sweep", "mnist_claims/claims",
    "mnist_claims/main", "mnist_claims/suites", "choices/main", "choices/controls",
    "choices/suites", "baselines/suites",
    "cifar10_cpu/claims", "cifar10_cpu/main", "cifar10_cpu/suites", "cifar10_cpu/persistence",
    "cifar10_cpu/sweep",
    "full_width/claims", "full_width/main", "full_width/suites", "given_weights/claims",
    "given_weights/main", "photos/claims", "photos/main", "medical/main", "medical/suites",
    "cost/bench", "autoattack/summary", "autoattack/images", "optimality", "diagnostics",
    "invariance", "evaluation_speed", "attack_speed", "attacks", "published", "speed",
    "speed_parts", "launches", "run_times", "run_times_by_rule", "fgsm_rs_speed", "training_speed",
    "coverage", "verdict_repeats", "bitops_claims", "fingerprints", "instruction_set", "protocol",
    "cost/roofline_errors", "cost/scalesim", "cost/zigzag", "cost/plausibility", "deployment",
    "deployment_predicted", "deployment_constants", "run_sizes", "post_training/resnet20",
    "post_training/resnet32", "post_training/efficientnet_lite0", "fit_choices", "allocation",
    "fit_methods", "tiles", "tiles_recall", "tiles_pgd_20", "defences_elsewhere",
    "deployment_limits", "core_rates", "deployed_accuracy", "deployed_times",
    "deployment_cpu/controls",
)  # fmt: skip
"""Tables that the template reads, without their suffix."""
Tables = dict[str, pd.DataFrame]


def main() -> None:
    """Write the pages."""
    for file, text in pages(read()).items():
        write_atomically(file, partial(Path.write_text, data=text, encoding="utf-8"))


def read() -> Tables:
    """The committed tables by name."""
    return {name: read_csv(TABLES / f"{name}.csv") for name in READ}


def pages(tables: Tables) -> dict[Path, str]:
    """Each file and what it should hold."""
    made = environment(tables)
    found = {ROOT / "docs" / f"{name}.md": _page(made, name) for name in NAMES}
    return found | {README: _filled(README.read_text(encoding="utf-8"), made)}


def page(tables: Tables, name: str) -> str:
    """One of the pages in docs/."""
    return _page(environment(tables), name)


def filled(text: str, tables: Tables) -> str:
    """A page with each of its marked parts made again from the block of that name."""
    return _filled(text, environment(tables))


def _page(made: Environment, name: str) -> str:
    return made.get_template(f"{name}.md.jinja").render()


def _filled(text: str, made: Environment) -> str:
    template = made.get_template(TEMPLATE.name)

    def block(match: re.Match[str]) -> str:
        name = match.group(2)
        if name not in template.blocks:
            raise UserError(f"{README}: {TEMPLATE.name} has no block {name!r}")
        made = "".join(template.blocks[name](template.new_context())).strip()
        return f"{match.group(1)}\n{made}\n<!-- end -->"

    return re.sub(r"(<!-- results: (\w+) -->)\n.*?<!-- end -->", block, text, flags=re.DOTALL)


def environment(tables: Tables) -> Environment:
    """What the template may call."""
    found = templates(TEMPLATE.parent)
    found.globals |= {
        "percent": percent,
        "count": count,
        "shown": shown,
        "factor": factor,
        "rows": partial(rows, tables),
        "row": partial(row, tables),
        "difference": difference,
        "change": change,
        "fewer": fewer,
        "seeds": seeds,
        "span": span,
        "extremes": extremes,
        "markdown": markdown,
        "main_table": lambda name: markdown(display(tables[name], titles(tables[name]))),
        "attacks": lambda name, suite: markdown(attacks(tables[name], suite)),
        "persistent": lambda name, suite: markdown(persistent(tables[name], suite)),
        "energy": partial(energy, tables["mnist5k/energy"]),
        "energy_on": ENERGY_ON,
        "legend": " ".join(LEGEND).replace("*", "\\*"),
        "seeds_needed": verdict.SEEDS_NEEDED,
        "some": verdict.SOME,
        "large": verdict.LARGE,
        "claims": lambda table, *names: markdown(
            getattr(_claim_tables, table)(*(tables[name] for name in names))
        ),
        "choices": lambda: markdown(
            _choice_tables.exchanged(
                *(tables[f"choices/{name}"] for name in ("main", "suites", "controls"))
            )
        ),
        "choices_tally": _choice_tables.tally(tables["choices/controls"]),
        "swept": lambda name: markdown(_noise_tables.swept(tables[name])),
        "aim": _bench_tables.AIM,
        "aim_memory": _bench_tables.AIM_MEMORY,
        "aim_ranked": _bench_tables.AIM_RANKED,
        "aim_others": _bench_tables.AIM_OTHERS,
        "floor_of_aims": _bench_tables.FLOOR_OF_AIMS,
        "bench": lambda table, *files: markdown(
            getattr(_bench_tables, table)(*(tables[f] for f in files))
        ),
        "deployment": lambda table, *how: markdown(
            getattr(_deployment_tables, table)(tables["deployment"], *how)
        ),
        "of_deployment": lambda table, name: markdown(
            getattr(_deployment_tables, table)(tables[name])
        ),
        "elsewhere": _elsewhere_tables.elsewhere(
            tables["defences_elsewhere"],
            {run: tables[f"{run}/suites"] for run in _elsewhere_tables.HERE},
        ),
        "bound_by_bytes": int(tables["deployment_limits"].eval("bytes_s > products_s").sum()),
        "deployed": _deployed_tables.told(
            *(tables[f] for f in ("deployed_accuracy", "deployed_times", "deployment_cpu/controls"))
        ),
        "deployed_aims": _deployment_tables.AIMS,
        "no_loss": _deployment_tables.NO_LOSS,
        "slower": _deployment_tables.slower_than_torch(tables["deployment"]),
        "by_torch_too": _deployment_tables.by_torch_too(tables["deployment"]),
        "recall_gained": partial(_deployment_tables.gained, tables["tiles_recall"]),
        "repeated": _deployment_tables.repeated(tables["deployment"]),
        "touched": partial(_deployment_tables.touched, tables["tiles_recall"]),
        "accuracy_gained": lambda name: _deployment_tables.accuracy_gained(tables[name]),
        "protocol": lambda table: markdown(getattr(_protocol_tables, table)(tables["protocol"])),
        "chosen": (protocol := _protocol_tables.chosen()),
        "moved": partial(_protocol_tables.moved, tables["protocol"], protocol),
        "seeds_of_both": partial(_protocol_tables.seeds_of_both, tables["protocol"], protocol),
        "spread": partial(_protocol_tables.spread, tables["protocol"], protocol),
        "points": _protocol_tables.points,
        "ratio": _protocol_tables.ratio,
        "costs": lambda table, name: markdown(getattr(_cost_tables, table)(tables[name])),
        "constant_files": (held := _constant_tables.files()),
        "constant_counts": lambda: markdown(_constant_tables.counted(held)),
        "constants": lambda model: markdown(_constant_tables.listed(model)),
        "median": statistics.median,
        "post_training": lambda table, *files, **which: getattr(_post_training_tables, table)(
            *(tables[f] for f in files), **which
        ),
        "fit_images": _post_training.FIT_IMAGES,
        "report_images": _post_training.REPORT_IMAGES,
        "draws": _post_training.DRAWS,
        "block_epochs": _post_training.BLOCK_EPOCHS,
        "before": _post_training.BEFORE,
        "default_fit": _post_training.DEFAULT_FIT,
        "sizes": lambda table: markdown(getattr(_size_tables, table)(tables["run_sizes"])),
        "of_measured": _size_tables.of_measured(
            tables["run_sizes"], tables["run_times_by_rule"], tables["run_times"]["processor"][0]
        ),
        "estimated_share": _size_tables.estimated_share(
            tables["run_sizes"], tables["run_times_by_rule"]
        ),
        "machine": _machine_tables.measured_on(tables["fingerprints"]),
        "machines": lambda table, name="fingerprints": markdown(
            getattr(_machine_tables, table)(tables[name])
        ),
    }
    return found


def rows(tables: Tables, file: str, /, **where: object) -> list[Row]:
    """Rows of a table whose columns have these values.

    Raises
    ------
    UserError
        If there is none.
    """
    table = tables[file]
    for column, value in where.items():
        table = table[table[column] == value]
    if table.empty:
        raise UserError(f"{TABLES / file}.csv: has no row with {_told(where)}")
    table = overall(table)
    return [*table.itertuples(index=False)]


def _told(where: dict[str, object]) -> str:
    return ", ".join(f"{column} {value}" for column, value in where.items())


def row(tables: Tables, file: str, /, **where: object) -> Row:
    """The one row of a table whose columns have these values, or the one of most images.

    Raises
    ------
    UserError
        If there is none, or another with as many images.
    """
    found = sorted(rows(tables, file, **where), key=lambda r: getattr(r, "n", 0))
    if len(found) > 1 and getattr(found[-2], "n", 0) == getattr(found[-1], "n", 0):
        raise UserError(f"{TABLES / file}.csv: has several rows with {_told(where)}")
    return found[-1]


def extremes(values: str) -> list[float]:
    """The least and the largest of the seeds' values in a cell."""
    found = sorted(float(part.partition(":")[2]) for part in values.split())
    return [found[0], found[-1]]


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Rows over all seeds, where a table has some; else all."""
    of_all = table["seed"] == ALL if "seed" in table else pd.Series(False, index=table.index)
    return table[of_all] if of_all.any() else table


def titles(table: pd.DataFrame) -> list[str]:
    """Attacks that a main table has columns of; any iterate beside the last only if it differs."""
    return [
        title for title in titles_among(table.columns)
        if title != "clean" and not (
            title.endswith(ANY) and table[title].equals(table[title.removesuffix(ANY)])
        )
    ]  # fmt: skip


def attacks(table: pd.DataFrame, suite: str) -> pd.DataFrame:
    """Accuracy under each attack of a suite, one column per defence, of each base if several."""
    here = overall(table[table["suite"] == suite])
    if len(here["base"].unique()) > 1:
        here = here.assign(defence=here["base"] + "/" + here["defence"])
    here = here[~((here["attack"] == "clean") & (here["norm"] != "linf"))]
    eps = [radius.shown(e, n) if e else "" for e, n in zip(here["eps"], here["norm"], strict=True)]
    norm = here["norm"].map({"linf": "L-inf", "l2": "L2"}).where(here["eps"] > 0, "")
    named = here.assign(eps=eps, norm=norm, accuracy=here["accuracy"].map(percent))
    keys = ["attack", "norm", "eps", "n"]
    order = named[keys].drop_duplicates().sort_values("attack", key=_is_least, kind="stable")
    wide = named.pivot(index=keys, columns="defence", values="accuracy").fillna("")
    wide = wide.loc[pd.MultiIndex.from_frame(order), list(dict.fromkeys(named["defence"]))]
    return wide.reset_index()


def persistent(table: pd.DataFrame, suite: str) -> pd.DataFrame:
    """Accuracy of each randomised network where the attacker may try so often."""
    here = overall(table[table["suite"] == suite])
    told = [
        f"{percent(r.accuracy)} ({percent(r.low)} to {percent(r.high)})" for r in here.itertuples()
    ]
    wide = here.assign(told=told).pivot(index="tries", columns="defence", values="told")
    return wide.reset_index()


def _is_least(attack: "pd.Series[Any]") -> "pd.Series[Any]":
    return attack == WORST


ENERGY_ON = "edge_npu"
"""The platform whose energy results.md tells, of tables that tell platforms apart."""


def energy(table: pd.DataFrame, bits: int, **where: object) -> float:
    """Share of the energy of the whole network that is saved, mean over the seeds."""
    here = table[(table["layer"] == "total") & (table["bits"] == bits)]
    if "preset" in here:
        here = here[here["preset"] == ENERGY_ON]
    for column, value in where.items():
        here = here[here[column] == value]
    return float(here["reduction"].mean())


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown; numbers to the right."""
    cells = [[str(cell).replace("|", "\\|") for cell in line] for line in table.to_numpy()]
    right = [all(re.match(r"[-+]?\d|$", line[i]) for line in cells) for i in range(table.shape[1])]
    head = [str(column).replace("*", "\\*") for column in table.columns]
    marks = ["---:" if r else "---" for r in right]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, marks, *cells])


if __name__ == "__main__":
    main()
