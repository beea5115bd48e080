"""Passes of an image through a network in training and in attacks, counted on small stand-ins.

What an attack asks for hangs on whether the network is injected, for attacks on such alone, and
whether it draws; not on its size or on what is injected. So each is counted once, on a network that
it does not break: so many passes at most.
"""

import json
from collections import Counter
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from nenni.adversary import attack_config
from nenni.adversary.attack_choice import AttackChoice
from nenni.core import plugins
from nenni.core.checkpoint import Checkpoint
from nenni.data.split import Images, InMemory
from nenni.evaluation.attack_images import attack_images
from nenni.method.defend import set_noise, with_baseline
from nenni.method.injection import inject, is_randomised
from nenni.method.spec import InjectionSpec
from nenni.networks.models.small_cnn import small_cnn
from nenni.training.recipe import Recipe
from nenni.training.train import train

Passes = Counter[str]
"""How many of each of `KINDS`; shares of one where a batch makes them."""
KINDS = ("forward", "gradient", "training")
"""A forward pass; one and the gradient for the images; one and that for the parameters."""
Defended = dict[str, Any]
"""Of a slice: ``injection`` or ``baseline``, and ``noise`` where it is off."""
_SHAPE, _FEW, _CLASSES = (1, 16, 16), 2, 10
_EXAMINED = 32
"""Images on which a job looks at its network before it attacks, whatever its batch."""
_SURE = 50.0
"""What the logit of the right class has over the others: no attack of a small radius breaks it."""
_CHEAPEST = json.dumps(attack_config.validate({"name": "fgsm"}))
_EPS = {"linf": 1 / 255, "l2": 0.05}


class _Tally:
    """What copies of a network count together."""

    def __init__(self) -> None:
        self.passes: Passes = Counter()

    def __deepcopy__(self, memo: dict[int, object]) -> "_Tally":
        return self


class Counted(nn.Module):
    """A network whose passes are counted, and those of its copies.

    Attributes
    ----------
    network : Module
        Itself.
    tally : _Tally
        Its passes, one for each image.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.tally = network, _Tally()
        self.train(network.training)

    def forward(self, x: Tensor) -> Tensor:
        """Count and pass on."""
        graded = "training" if self.training else "gradient"
        self.tally.passes[graded if torch.is_grad_enabled() else "forward"] += len(x)
        logits: Tensor = self.network(x)
        return logits


def draws(defended: Defended) -> bool:
    """Whether two passes of such a network differ."""
    return _draws(json.dumps(_alone(defended)))


@cache
def _draws(defended: str) -> bool:
    return is_randomised(_defended(defended))


def of_training(recipe: dict[str, Any], defended: Defended) -> tuple[Passes, Passes]:
    """Passes of each training image, and of each validation image, in an epoch."""
    return _of_training(json.dumps(recipe), json.dumps(_alone(defended)))


@cache
def _of_training(recipe: str, defended: str) -> tuple[Passes, Passes]:
    made = Recipe.from_config({**json.loads(recipe), "epochs": 1, "batch_size": _FEW})
    images, labels = _images()
    spent = []
    for batches in (1, 2):
        model = Counted(_defended(defended))
        data: dict[str, Images] = {
            "train": InMemory.of(images.repeat(batches, 1, 1, 1), labels.repeat(batches)),
            "val": InMemory.of(images, labels),
        }
        learnt = [*model.parameters()]
        train(model, data, made, (0,), parameters=learnt, checkpoint=Checkpoint())
        spent.append(model.tally.passes)
    of_train = _less(spent[1], spent[0])
    return _over(of_train, _FEW), _over(_less(spent[0], of_train), _FEW)


def of_attack(
    attack: dict[str, Any], defended: Defended, n_draws: int, tries: int
) -> tuple[Passes, Passes]:
    """Passes of each image that is attacked and scored, and those with which a job begins.

    `n_draws` are those on which the worst points of a network that draws are chosen.
    """
    randomised = draws(defended)
    counts = (n_draws, tries) if randomised else (1, 1)
    return _of_attack(json.dumps(attack), attack_config.injected_only(attack), randomised, *counts)


@cache
def _of_attack(
    attack: str, injected: bool, randomised: bool, n_draws: int, tries: int
) -> tuple[Passes, Passes]:
    spent = _spent(attack, injected, randomised, n_draws, tries, _FEW)
    of_images = _less(spent, _of_job(injected, randomised, _FEW))
    return _over(of_images, _FEW), _of_job(injected, randomised, _EXAMINED)


@cache
def _of_job(injected: bool, randomised: bool, images: int) -> Passes:
    """Passes of a job beside those of the images that it attacks, of a job of the cheapest."""
    how = injected, randomised, 1, 1, images
    once = _spent(_CHEAPEST, *how)
    return _less(once, _less(_spent(_CHEAPEST, *how, 2), once))


def _spent(
    attack: str,
    injected: bool,
    randomised: bool,
    n_draws: int,
    tries: int,
    count: int,
    batches: int = 1,
) -> Passes:
    """All passes of a job on so many batches of so many images."""
    made = AttackChoice.from_config(json.loads(attack))
    images, labels = _images(count)
    model = Counted(_stand_in(injected, randomised)).eval()
    table, _ = attack_images(
        model, images.repeat(batches, 1, 1, 1), labels.repeat(batches), made,
        [_EPS[made.norm]], seed=0, name="count", batch_size=count, draws=n_draws, tries=tries,
        checkpoint=Checkpoint(),
    )  # fmt: skip
    if table["any_correct"].min() < 1:
        raise RuntimeError(f"{attack} breaks what it should not")
    passes = model.tally.passes
    passes["gradient"] = max(passes["gradient"], int(table["backwards"].sum()))
    return passes


def _stand_in(injected: bool, randomised: bool) -> nn.Module:
    """A network of that kind, as small as it can be."""
    if injected:
        selection = {"name": "random" if randomised else "topk", "fraction": 0.5}
        return _defended(json.dumps({"injection": {"selection": selection}}))
    torch.manual_seed(0)
    wide = _SHAPE[1] * _SHAPE[2]
    model = nn.Sequential(nn.Flatten(), nn.Linear(wide, 4), nn.ReLU(), nn.Linear(4, _CLASSES))
    network = _sure(model.eval())
    if not randomised:
        return network
    noise = plugins.build("baseline", {"name": "gaussian", "sigma": 0.1})
    return with_baseline(network, noise, _images()[0][:1])


def _defended(text: str) -> nn.Module:
    """A small network with the layers of a defence, which takes all for the first class."""
    given: Defended = json.loads(text)
    torch.manual_seed(0)
    model = _sure(small_cnn(_SHAPE, _CLASSES, channels=[4, 4, 4, 4], hidden=16).eval())
    image = _images()[0][:1]
    if (injection := given.get("injection")) is not None:
        choices = {"projection": {"name": "sparse", "ratio": 0.5}, **injection}
        everywhere = {"min_inputs": 1, "layers": [], "overrides": {}}
        spec = InjectionSpec.from_config({**choices, **everywhere})
        return inject(model, spec, image)
    if (baseline := given.get("baseline")) is not None:
        network = with_baseline(model, plugins.build("baseline", baseline), image)
        if not given.get("noise", True):
            set_noise(network, on=False)
        return network
    return model


def _sure(model: nn.Module) -> nn.Module:
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        last.bias[0] += _SURE
    return model


def _images(count: int = _FEW) -> tuple[Tensor, Tensor]:
    images = torch.rand(count, *_SHAPE, generator=torch.Generator().manual_seed(0))
    return images, torch.zeros(count, dtype=torch.long)


def _alone(part: dict[str, Any]) -> Defended:
    return {key: part[key] for key in ("injection", "baseline", "noise") if key in part}


def _less(more: Passes, less: Passes) -> Passes:
    return Counter({kind: more[kind] - less[kind] for kind in KINDS})


def _over(passes: Passes, images: int) -> Passes:
    return Counter({kind: n / images for kind, n in passes.items()})  # type: ignore[misc]
