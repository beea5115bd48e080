"""What a run's config may hold. :mod:`nenni.run.config_file` reads it."""

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nenni.adversary import attack_config
from nenni.core import plugins
from nenni.core.types import Bits, Count, Fraction, Index, NonNegative, Norm, Positive, Ratio
from nenni.networks import architecture

Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Eps = Annotated[float, Field(ge=0, le=255)]
Radius = Annotated[float, Field(gt=0, le=255)]
Plugin = dict[str, Any]


def _plugin(kind: str) -> BeforeValidator:
    return BeforeValidator(partial(plugins.validate, kind))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Data(_Strict):
    """A dataset and its split; see :func:`nenni.data.data_file.decode`."""

    data: Annotated[Plugin, _plugin("data")]
    train: Count | None = None
    val: Count | None = None
    test: Count | None = None
    split_seed: Index = 0


class Recipe(_Strict):
    """How a base is trained; see :class:`nenni.training.recipe.Recipe`. Eps is in 1/255."""

    epochs: Count
    batch_size: Count
    lr: Positive
    method: Annotated[Plugin, _plugin("method")]
    schedule: Annotated[Plugin, _plugin("schedule")] = Field(
        {"name": "cosine"}, validate_default=True
    )
    optimiser: Literal["adam", "sgd"] = "adam"
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 0.0
    accumulate: Count = 1
    shift: Index = 0
    flip: bool = False
    attack: Name | None = None
    eps: Eps = 0.0
    eps_ramp: Fraction = 0.0
    awp: NonNegative = 0.0
    average: Fraction = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False


class Base(_Strict):
    """A network: data x model x recipe, after its last epoch or its best.

    With `weights` it starts from those, and without a recipe stays as they are.
    """

    data: Name
    model: Name
    recipe: Name | None = None
    weights: Annotated[str, Field(min_length=1)] | None = None
    keep: Literal["last", "best"] = "last"


class Profile(_Strict):
    """How bases are profiled, on training images."""

    examples: Count
    checked_channels: Index
    fractions: list[Fraction] = Field(min_length=1)
    noises: list[Positive] = Field(min_length=1)


class _Change(_Strict):
    """What may differ from the shared choices, for a defence or for some of its layers."""

    projection: Annotated[Plugin, _plugin("projection")] | None = None
    noise: Annotated[Plugin, _plugin("noise")] | None = None
    weight_bits: Bits | None = None
    input_bits: Bits | None = None
    projected_bits: Bits | None = None
    exact_bits: Bits | None = None
    score: Literal["signed", "magnitude"] | None = None
    normalise: bool | None = None


class Choices(_Change):
    """Choices for some layers, in place of the shared ones: :class:`nenni.method.spec.Choices`."""

    selection: Annotated[Plugin, _plugin("selection")] | None = None
    fraction: Fraction | None = None


class Injection(_Strict):
    """What defences share unless they say otherwise: :class:`nenni.method.spec.InjectionSpec`."""

    projection: Annotated[Plugin, _plugin("projection")]
    noise: Annotated[Plugin, _plugin("noise")] = Field({"name": "approximation"})
    weight_bits: Bits
    input_bits: Bits
    projected_bits: Bits
    exact_bits: Bits = 32
    score: Literal["signed", "magnitude"]
    normalise: bool
    layers: list[str] = []
    min_inputs: Count
    overrides: dict[str, Choices] = {}


class InjectionChange(_Change):
    """The selection of a defence, and what it changes of the shared choices.

    With ``allocate`` the selection's fraction is a budget: the share of the injected layers' exact
    multiply-accumulates, spent on the layers where it lowers the loss most.
    """

    selection: Annotated[Plugin, _plugin("selection")]
    allocate: bool = False
    layers: list[str] | None = None
    min_inputs: Count | None = None
    overrides: dict[str, Choices] | None = None


class Fit(_Strict):
    """How the approximate path is fitted, see :func:`nenni.method.fit.fit`."""

    examples: Count
    ridge: NonNegative
    epochs: Index
    lr: Positive
    batch_size: Count


class Finetune(_Strict):
    """How a defended network is trained on, with the rest as in its base's recipe."""

    epochs: Count
    lr: Positive
    warmup: Fraction = 0.0
    parameters: Literal["everything", "approximation"]


class Defence(_Strict):
    """What is done to a base: injection, fine-tuning, both or nothing."""

    injection: InjectionChange | None = None
    finetune: Name | None = None


class Source(_Strict):
    """An independently trained network whose gradients a transfer attack uses."""

    base: Name
    seed: Index


class Evaluation(_Strict):
    """An attack on some experiments: those on the bases that `eps` lists radii for, in 1/255."""

    attack: Name
    eps: dict[Name, Annotated[list[Eps], Field(min_length=1)]]
    examples: Count
    batch_size: Count = 250
    draws: Count = 10
    source: Source | None = None
    defences: list[Name] | None = None
    seeds: list[Index] | None = Field(None, min_length=1)


class Suite(_Strict):
    """Several attacks on the same images, of which the least per image counts.

    Radii by base and norm, L-inf in 1/255 and L2 in units of the [0, 1] input; `subsets` lists
    attacks that get fewer examples.
    """

    attacks: list[Name] = Field(min_length=1)
    eps: dict[Name, dict[Norm, Radius]]
    examples: Count
    subsets: dict[Name, Count] = {}
    batch_size: Count = 250
    draws: Count = 10
    defences: list[Name] | None = None
    seeds: list[Index] | None = Field(None, min_length=1)


class Diagnose(_Strict):
    """Which experiments are looked at for masked gradients, and how. Eps is L-inf, in 1/255."""

    eps: dict[Name, Radius]
    examples: Count
    source: Source | None = None
    draws: Count = 10
    defences: list[Name] | None = None
    seeds: list[Index] | None = Field(None, min_length=1)


class Sweep(_Strict):
    """Noise intensity swept on one base, after training. Eps is in 1/255."""

    base: Name
    seed: Index
    ratios: list[Ratio] = Field(min_length=1)
    fractions: list[Fraction] = Field(min_length=1)
    attack: Name
    eps: Eps
    examples: Count
    batch_size: Count = 250


class Describe(_Strict):
    """How the fractions that the cost model uses are measured, on validation images."""

    examples: Count


class Tables(_Strict):
    """Columns of the main table: title -> evaluation, read at one eps for each base, in 1/255."""

    clean: Name
    columns: dict[Name, Name] = Field(min_length=1)
    eps: dict[Name, Eps]
    compare_with: list[Name]
    resamples: Count


class Config(_Strict):
    """A whole run. Every key is explained in config/README.md."""

    run: Name
    threads: Count
    device: Literal["cpu", "cuda"] = "cpu"
    processes: Count = 1
    seeds: list[Index] = Field(min_length=1)
    data: dict[Name, Data]
    models: dict[Name, Annotated[Plugin, BeforeValidator(architecture.validate)]]
    attacks: dict[Name, Annotated[Plugin, BeforeValidator(attack_config.validate)]]
    recipes: dict[Name, Recipe]
    bases: dict[Name, Base]
    profile: Profile
    injection: Injection
    fit: Fit
    finetunes: dict[Name, Finetune]
    defences: dict[Name, Defence]
    experiments: dict[Name, list[Name]]
    evaluations: dict[Name, Evaluation]
    suites: dict[Name, Suite] = {}
    diagnose: Diagnose | None = None
    sweep: Sweep
    describe: Describe
    presets: list[Name] = Field(min_length=1)
    energy_table: Name = "horowitz_45nm"
    tables: Tables
    figures: dict[Name, Annotated[Plugin, _plugin("figure")]]


class Claim(_Strict):
    """One claim of the paper and how to look for it in a run."""

    text: str
    source: str
    dataset: str
    measure: Literal["robust_gain", "clean_gain", "bitops_reduction"]
    value: float
    tolerance: NonNegative = 0.0
    column: Name | None = None
    base: Name
    defence: Name
    bits: Literal["fp32", "fp16", "int8"] | None = None


class Claims(_Strict):
    """The claims of the paper by name."""

    claims: dict[Name, Claim]
