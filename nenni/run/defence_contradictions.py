"""Defences of a config that contradict themselves, their base, or each other."""

from collections.abc import Iterator

from nenni.core import plugins
from nenni.core.plugins import Ref
from nenni.run.config import Config, Defence
from nenni.run.experiment import seeds_of
from nenni.run.problems import Problem, unknown


def defence_contradictions(config: Config) -> Iterator[Problem]:
    """All of them."""
    runs = list(map(str, config.seeds))
    for name, defence in config.defences.items():
        yield from unknown(map(str, defence.seeds or []), runs, "defences", name, "seeds")
        if defence.finetune is not None:
            yield from unknown([defence.finetune], config.finetunes, "defences", name, "finetune")
        yield from _of_baseline(config, name, defence)
        change = defence.injection
        if change is not None:
            yield from _unfit_injection(config.injection, change, "defences", name, "injection")
        if (
            defence.injection is None
            and defence.finetune in config.finetunes
            and config.finetunes[defence.finetune].parameters == "approximation"
        ):
            yield (
                ("defences", name, "finetune"),
                f"'{defence.finetune}' trains the approximation alone, and nothing is injected",
            )
    for base_name, defences in config.experiments.items():
        yield from unknown([base_name], config.bases, "experiments")
        base = config.bases.get(base_name)
        if base is not None and base.recipe is None and base.weights is not None:
            known = [name for name in defences if name in config.defences]
            tunings = {n: config.finetunes.get(config.defences[n].finetune or "") for n in known}
            if tuned := [name for name, t in tunings.items() if t is not None and not t.recipe]:
                message = (
                    f"{', '.join(tuned)} need the recipe of their base, which has none; "
                    "name one in their finetunes"
                )
                yield ("experiments", base_name), message
        yield from unknown(defences, config.defences, "experiments", base_name)
        for name in defences:
            if base is not None and name in config.defences:
                yield from _without_seeds(config, base_name, name)


def _without_seeds(config: Config, base: str, defence: str) -> Iterator[Problem]:
    if not seeds_of(config, base, defence):
        message = f"'{defence}' has no seed: none of the run's is one of this base and this defence"
        yield ("experiments", base), message


def _of_baseline(config: Config, name: str, defence: Defence) -> Iterator[Problem]:
    """A baseline beside an injection, and noise switched off where there is none."""
    loc = ("defences", name)
    if defence.baseline is not None and defence.injection is not None:
        yield (*loc, "baseline"), "cannot stand beside an injection: leave one of them out"
    if (noisy := defence.without_noise) is None:
        return
    yield from unknown([noisy], config.defences, *loc, "without_noise")
    for key in ("injection", "baseline", "finetune"):
        if getattr(defence, key) is not None:
            message = f"takes the network of '{noisy}' as it is: leave {key} out"
            yield (*loc, "without_noise"), message
    baseline = config.defences[noisy].baseline if noisy in config.defences else None
    draws = baseline is not None and plugins.constant(
        "baseline", baseline["name"], "randomised", otherwise=False
    )
    if noisy in config.defences and not draws:
        yield (
            (*loc, "without_noise"),
            f"'{noisy}' has no baseline whose noise could be switched off",
        )


def _unfit_injection(shared: Ref, change: Ref, *loc: str) -> Iterator[Problem]:
    own = shared | change
    yield from _unfit_choices(own, *loc, "noise")
    for pattern, changes in own["overrides"].items():
        where = (*loc, "overrides", pattern)
        if pattern.startswith("!"):
            yield where, "names no layer: '!' leaves layers exact, and is for the key layers"
        yield from _unfit_choices(own | changes, *where)
        selection = (own | changes)["selection"]
        if "fraction" in changes and "fraction" not in selection:
            yield (*where, "fraction"), f"selection '{selection['name']}' has no fraction to change"
    selection = change["selection"]
    if change.get("order_channels", False) and not _in_tiles(selection["name"]):
        named = " or ".join(f"'{name}'" for name in plugins.names("selection") if _in_tiles(name))
        message = f"is for tiles, and selection '{selection['name']}' has none; {named} has"
        yield (*loc, "order_channels"), message
    for pattern, changes in own["overrides"].items() if change.get("order_channels") else ():
        for key in {"selection", "score", "normalise"} & changes.keys():
            message = "cannot differ between layers where channels are ordered for one kind of tile"
            yield (*loc, "overrides", pattern, key), message
    if not change.get("allocate", False):
        return
    if "fraction" not in selection:
        yield (*loc, "allocate"), f"selection '{selection['name']}' has no fraction to allocate"
    selections = [
        selection,
        *(c["selection"] for c in own["overrides"].values() if "selection" in c),
    ]
    for name in {each["name"] for each in selections}:
        if plugins.constant("selection", name, "calibrated", otherwise=False):
            message = (
                f"selection '{name}' has a threshold that the fit sets, so that no fraction "
                "that is tried would change a mask"
            )
            yield (*loc, "allocate"), message
    for key in {"min_inputs", "layers"} & change.keys():
        message = "cannot differ where fractions are allocated: the profile has other layers"
        yield (*loc, key), message


def _in_tiles(selection: str) -> bool:
    return bool(plugins.constant("selection", selection, "in_tiles", otherwise=False))


def _unfit_choices(choices: Ref, *loc: str) -> Iterator[Problem]:
    """A pool of projections that are all the same."""
    projection, noise = choices["projection"]["name"], choices["noise"]
    learned = plugins.constant("projection", projection, "learned", otherwise=False)
    if learned and noise.get("pool", 1) > 1:
        yield loc, f"'{noise['name']}' draws one of several projections; '{projection}' learns one"
