"""``nenni inject``: put NENNI into a trained network, fit it, and write it to a file."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nenni.cli import arguments
from nenni.core.errors import UserError, refusal
from nenni.core.progress import Progress

if TYPE_CHECKING:
    from nenni.method.spec import InjectionSpec

TEACHES = f"""examples:
  nenni inject weights.pt --model my_module:build --data train --out noisy.safetensors
  nenni inject base.safetensors --data x.npz --selection n_m:n=2,m=4 --out noisy.safetensors

Fits the approximations on training images, prints for each layer how well they do (the reference
explains nenni.report) and writes a file that nenni.load and the other commands read. --spec takes
a YAML file with the keys of a config's `injection` block: layers, overrides, noise and the rest.

{arguments.NETWORK}

{arguments.DATA}

For what others proposed in its place there is nenni defend."""
_DEFAULTS = {"selection": "topk:fraction=0.5", "projection": "sparse:ratio=0.125"}
"""As the paper selects and projects; a half and an eighth are this project's."""


def add(commands: Any) -> None:
    """Add the command's arguments."""
    does = "inject NENNI into a network, fit it on images and write it to a file"
    parser = arguments.command(commands, "inject", does, TEACHES)
    arguments.add_network(parser)
    arguments.add_images(parser)
    arguments.add_amount(parser)
    arguments.add_batch_size(parser, "nenni.method.fit", "fit")
    parser.add_argument(
        "--selection",
        metavar=arguments.PLUGIN,
        help=f"which neurons stay exact ({_DEFAULTS['selection']})",
    )
    parser.add_argument("--fraction", type=float, metavar="F", help="share of them")
    parser.add_argument(
        "--projection",
        metavar=arguments.PLUGIN,
        help=f"how inputs are projected ({_DEFAULTS['projection']})",
    )
    parser.add_argument("--ratio", type=float, metavar="R", help="rows per input, k/d")
    parser.add_argument(
        "--bits", type=int, metavar="B", help="of the approximation's weights and inputs (4)"
    )
    parser.add_argument("--spec", type=Path, metavar="YAML", help="further choices; flags win")
    parser.add_argument(
        "--order-channels",
        action="store_true",
        help="first let channels change places, so that tiles of block selection hold neurons that "
        "are essential together",
    )
    arguments.add_machine(parser)
    parser.add_argument("--out", type=Path, required=True, help="the network, safetensors")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.data.batches import one_image
    from nenni.evaluation.preconditions import check_classifier
    from nenni.method.channel_order import ordered_for
    from nenni.method.fit import fit
    from nenni.method.injection import inject
    from nenni.method.network_file import save
    from nenni.method.report import report

    device = arguments.prepare(parsed)
    spec = read_spec(parsed)
    images = arguments.read_images(parsed, shuffled=True)
    network = arguments.read_network(parsed, images).to(device)
    check_classifier(network, one_image(images, network))
    if parsed.order_channels:
        network = ordered_for(network, images, spec)
    noisy = inject(network, spec, images, seed=parsed.seed)
    fit(noisy, images, seed=parsed.seed, progress=Progress())
    table = report(noisy, images)
    save(noisy, parsed.out)
    print(table.to_string(index=False, float_format=lambda x: f"{x:.3f}"))  # noqa: T201
    print(f"\n{parsed.out}: {len(table)} layers injected")  # noqa: T201


def read_spec(parsed: argparse.Namespace) -> "InjectionSpec":
    """The choices that the flags and the file of --spec make.

    Raises
    ------
    UserError
        If a key, a name or a value is wrong.
    """
    from nenni.core import plugins
    from nenni.method.spec import Choices, InjectionSpec
    from nenni.run.config_file import read_yaml

    block = {} if parsed.spec is None else read_yaml(parsed.spec)
    known = [field.name for field in fields(InjectionSpec)]
    if unknown := block.keys() - set(known):
        listed = ", ".join(known)
        raise UserError(f"{parsed.spec}: {min(unknown)}: unknown key; known are: {listed}")
    for kind, given in (("selection", parsed.fraction), ("projection", parsed.ratio)):
        default = arguments.plugin(_DEFAULTS[kind], f"--{kind}")
        if (flag := getattr(parsed, kind)) is not None:
            block[kind] = arguments.plugin(flag, f"--{kind}")
        ((key, share),) = plugins.arguments(default).items()
        block[kind] = _with_share(kind, block.get(kind, default), key, given, share)
    if parsed.bits is not None:
        block |= dict.fromkeys(("weight_bits", "input_bits", "projected_bits"), parsed.bits)
    overrides = block.pop("overrides", {})
    if not isinstance(overrides, dict):
        raise UserError(f"{parsed.spec}: overrides: should be a mapping of patterns to choices")
    where = "inject" if parsed.spec is None else str(parsed.spec)
    return InjectionSpec(
        **Choices.read(_checked(block, where)),
        overrides={
            pattern: Choices.read(_checked(changes, where, "overrides", pattern))
            for pattern, changes in overrides.items()
        },
    )


def _with_share(kind: str, config: Any, key: str, given: float | None, default: float) -> Any:
    """A plugin's config with its share: the given one, or a default where it needs one."""
    from nenni.core import plugins, settings

    if not isinstance(config, dict) or config.get("name") not in plugins.names(kind):
        return config
    if given is not None:
        return config | {key: given}
    takes = key in settings.schema(kind, config["name"]).model_fields
    return {**config, key: default} if takes and key not in config else config


def _checked(config: Any, where: str, *place: str) -> dict[str, Any]:
    """Choices whose plugins are checked."""
    from pydantic_core import PydanticCustomError

    from nenni.core import settings
    from nenni.method.spec import PLUGINS

    if not isinstance(config, dict):
        raise refusal(where, [(place, f"should be a mapping of choices, got {config!r}")])
    checked = dict(config)
    for kind in config.keys() & set(PLUGINS):
        try:
            checked[kind] = settings.validate(kind, config[kind])
        except PydanticCustomError as error:
            found = settings.problems_in(error)
            raise refusal(where, [((*place, kind, *key), said) for key, said in found]) from None
    return checked
