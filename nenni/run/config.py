"""What a run's config may hold. :mod:`nenni.run.config_file` reads it.

What the method, training and the attacks let one set is stated where it is used, at
:class:`nenni.training.recipe.Recipe`, :class:`nenni.method.spec.InjectionSpec` and so on. Here
stand the parts that only a run has. ``config/README.md`` and ``config/schema.json`` are made from
both by ``make config``.
"""

from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from nenni.adversary import attack_config
from nenni.core import settings
from nenni.core.instruction_set import InstructionSet
from nenni.core.plugins import Ref
from nenni.core.settings import PluginOf
from nenni.core.types import (
    Count,
    Few,
    Folder,
    Fraction,
    Grid,
    Index,
    Name,
    NonNegative,
    Norm,
    Pattern,
    Place,
    Positive,
    Radius,
    Ratio,
    Several,
    different,
)
from nenni.networks import architecture

RadiusAboveZero = Annotated[Radius, Field(gt=0)]


class Settings:
    """Mark of a part that the settings of a class or function check; it becomes a plain dict."""

    KEY = "x-settings"
    known: ClassVar[list["Settings"]] = []

    def __init__(self, model: type[BaseModel], sources: tuple[str, ...]) -> None:
        self.model, self.sources, self._number = model, sources, len(self.known)
        self.known.append(self)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "object", self.KEY: self._number}


def _settings(
    *sources: str, without: tuple[str, ...] = (), optional: bool = False, **further: Any
) -> tuple[BeforeValidator, Settings]:
    """Check by the settings of some classes and functions, ``module:name``.

    With `optional` all may be left out, and are then not in the dict. `further` are those of a run.
    """
    fields: dict[str, Any] = {}
    for source in sources:
        module, _, name = source.partition(":")
        for key, (kind, info) in settings.settings_of(module, name).items():
            if key not in without:
                fields[key] = (kind, None if optional else info)
    config = ConfigDict(extra="forbid", strict=True)
    name = sources[-1].partition(":")[2]
    model: type[BaseModel] = create_model(name, __config__=config, **(fields | further))
    check = BeforeValidator(partial(settings.checked, model, exclude_none=optional))
    return check, Settings(model, sources)


def _plugin(kind: str) -> tuple[BeforeValidator, PluginOf]:
    return BeforeValidator(partial(settings.validate, kind)), PluginOf(kind)


_SPEC = "nenni.method.spec:InjectionSpec"
_OVERRIDE = Annotated[
    Ref, *_settings("nenni.method.spec:Choices", optional=True, fraction=(Fraction, None))
]
_INJECTION = _settings(_SPEC, without=("selection",), overrides=(dict[Pattern, _OVERRIDE], {}))
_CHANGE = _settings(
    _SPEC,
    optional=True,
    selection=(Annotated[Ref, *_plugin("selection")], ...),
    overrides=(dict[Pattern, _OVERRIDE], None),
    allocate=(bool, None),
    order_channels=(bool, None),
)
_FIT = _settings(
    "nenni.method.fit:fit", without=("seed",), examples=(Count, ...), attacked=(bool, False)
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SplitDataset(_Strict):
    """A dataset and its split.

    Test images are the published ones, where there are some; what is not published is held out of
    the training images at random. Training, fitting, profiling and every choice see train and val
    alone.

    Attributes
    ----------
    data
        The dataset.
    train, val, test
        Images of each split; by default all that are left.
    split_seed
        Seed of the random order.
    """

    data: Annotated[Ref, *_plugin("data")]
    train: Count | None = None
    val: Count | None = None
    test: Count | None = None
    split_seed: Index = 0


class Base(_Strict):
    """A network that is trained once per seed and shared by its defences.

    Attributes
    ----------
    data, model, recipe
        By name. Without a recipe the weights stay as they are.
    weights
        A file to start from (safetensors, or tensors alone as torch.save writes them), or
        ``torchvision:DEFAULT`` and the like.
    trained_by
        The method of training that gave weights of a file, for claims on networks that were
        trained so; without it nothing is claimed of them.
    keep
        The last epoch; the one with the highest validation accuracy, under the recipe's attack if
        it has one; or the weights before the first, so that defences are trained from there. Bases
        that differ in it alone are trained once.
    seeds
        Only these of the run's; by default all.
    """

    data: Name
    model: Name
    recipe: Name | None = None
    weights: Place | None = None
    trained_by: Name | None = None
    keep: Literal["last", "best", "initial"] = "last"
    seeds: Several[Index] | None = None


class Profile(_Strict):
    """How bases are profiled.

    Attributes
    ----------
    examples
        Training images.
    checked_channels
        Channels of each layer whose importance is checked by ablation.
    fractions, noises
        Grid of the sensitivities: share of neurons that are spared; deviation of the noise over the
        layer's root mean square.
    """

    examples: Count
    checked_channels: Index
    fractions: Grid[Fraction]
    noises: Grid[Positive]


class Finetune(_Strict):
    """How a defended network is trained on; the rest is as in a recipe.

    Attributes
    ----------
    recipe
        By name; by default that of the base, which has none where it keeps the weights of others.
    epochs
        Length.
    lr
        Rate at its highest; it falls along a cosine.
    warmup
        Share of the steps along which the rate rises.
    eps_ramp
        Share of the steps along which the attack's eps rises from 0.
    parameters
        What is trained: everything, or W~ and b~ alone.
    attack
        By name, the attack to train and to validate on in place of the recipe's; its eps stays. One
        through a surrogate is for injected networks alone.
    mask_temperature
        Of injected networks: training begins with soft masks of this width, in standard deviations
        of a sample's scores, which narrow until they are hard at three quarters of the steps. With
        0 they are hard throughout.
    """

    recipe: Name | None = None
    epochs: Count
    lr: Positive
    warmup: Fraction = 0.0
    eps_ramp: Fraction = 0.0
    parameters: Literal["everything", "approximation"]
    attack: Name | None = None
    mask_temperature: NonNegative = 0.0


class Defence(_Strict):
    """What is done to a base; with no key, nothing.

    Attributes
    ----------
    injection
        A ``selection`` (needed), and any key of the shared injection to change it. With ``allocate:
        true`` the selection's fraction is a budget, the share of the injected layers' exact
        multiply-accumulates, spent on the layers where the injected network's loss on the fit's
        images falls most. With ``order_channels: true``, for block selection, channels first change
        places, so that tiles hold neurons that are essential together on the fit's images.
    baseline
        A defence of others in place of the method, calibrated on one batch of the fit's images.
    without_noise
        The final network of another defence, whose baseline draws, with that noise switched off:
        its ablation. It stands alone.
    finetune
        A fine-tuning by name.
    seeds
        Only these of the run's; by default all.
    """

    injection: Annotated[Ref, *_CHANGE] | None = None
    baseline: Annotated[Ref, *_plugin("baseline")] | None = None
    without_noise: Name | None = None
    finetune: Name | None = None
    seeds: Several[Index] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether its network has the layers of the base."""
        return self.injection is None and self.baseline is None and self.without_noise is None


class TransferSource(_Strict):
    """An independently trained network whose gradients a transfer attack uses.

    Attributes
    ----------
    base, seed
        A base by name, and a seed that is none of the run's.
    """

    base: Name
    seed: Index


class _Part(_Strict):
    """Which experiments a measurement is about.

    Attributes
    ----------
    examples
        The first so many test images.
    defences, seeds
        Only these; by default all.
    """

    examples: Count
    defences: Several[Name] | None = None
    seeds: Several[Index] | None = None


_ATTACKED = "nenni.evaluation.attack_images", "attack_images"
_BATCH, _DRAWS, _TRIES = (
    settings.default(*_ATTACKED, name) for name in ("batch_size", "draws", "tries")
)


class _Scored(_Part):
    """How attacked images are scored.

    Attributes
    ----------
    batch_size
        Images per attack.
    draws
        Passes on which the worst point of each image is chosen, of a randomised defence.
    tries
        Fresh passes on which it is scored; a share of few of them tells little of an attacker who
        may try again.
    """

    batch_size: Count = _BATCH
    draws: Count = _DRAWS
    tries: Count = _TRIES


class Evaluation(_Scored):
    """An attack on some experiments.

    Attributes
    ----------
    attack
        By name.
    eps
        Base -> radii; bases that are not named are not attacked.
    source
        The network whose gradients are used, for a transfer attack.
    """

    attack: Name
    eps: dict[Name, Several[Radius]] = Field(min_length=1)
    source: TransferSource | None = None


class Suite(_Scored):
    """Several attacks on the same images, of which the least per image counts.

    Attacks on injected networks are left out for others.

    Attributes
    ----------
    attacks
        By name.
    eps
        Base -> a radius for each norm.
    subsets
        Attack -> fewer examples.
    """

    attacks: Several[Name]
    eps: dict[Name, dict[Norm, RadiusAboveZero]] = Field(min_length=1)
    subsets: dict[Name, Count] = {}


class Diagnose(_Part):
    """Which experiments are looked at for masked gradients.

    Attributes
    ----------
    eps
        Base -> an L-inf radius.
    draws
        Passes on which a randomised defence is judged, and over which its gradients are averaged.
    source
        An independent network, for the check of transfer.
    """

    eps: dict[Name, RadiusAboveZero] = Field(min_length=1)
    draws: Count = _DRAWS
    source: TransferSource | None = None


class Sweep(_Strict):
    """Noise intensity swept on one base, after training.

    Attributes
    ----------
    base, seed
        Which network.
    selection
        What selects; by default the selection of the first defence that has a fraction.
    ratios, fractions
        k/d of the projection, and shares of essential neurons.
    attack, eps
        By name, and its radius.
    examples, batch_size
        Test images, and how many at once.
    """

    base: Name
    seed: Index
    selection: Annotated[Ref, *_plugin("selection")] | None = None
    ratios: Grid[Ratio]
    fractions: Grid[Fraction]
    attack: Name
    eps: Radius
    examples: Count
    batch_size: Count = _BATCH


class Describe(_Strict):
    """How the shares of essential neurons that the cost model uses are measured.

    Attributes
    ----------
    examples
        Validation images.
    allow_uncounted
        Whether a network may read parameters with operators that the cost model does not count;
        they are then named in ``layers.json``.
    """

    examples: Count
    allow_uncounted: bool = False


class Tables(_Strict):
    """The main table.

    Attributes
    ----------
    clean
        Evaluation whose clean accuracies are shown.
    columns
        Title -> evaluation.
    eps
        Base -> radius at which the columns are read.
    compare_with
        Controls of the paired comparisons.
    controls
        Defence -> what stands in for a part of it, as a random selection does for that of the
        largest: the table ``controls`` has their paired differences.
    """

    clean: Name
    columns: dict[Name, Name] = Field(min_length=1)
    eps: dict[Name, Radius]
    compare_with: Annotated[list[Name], AfterValidator(different)]
    controls: dict[Name, Several[Name]] = {}


class Config(_Strict):
    """A whole run.

    Attributes
    ----------
    run
        Its name and that of its folder; ``reference`` is reserved.
    plugins
        Folders of one's own with plugins in subfolders named as their kinds.
    threads
        Threads of torch in every job. Results depend on it in the last bit, so it is never taken
        from the machine.
    device
        Results are the same bytes on one kind of device only.
    instruction_set
        The widest that torch, oneDNN and MKL may compute with on a CPU, in every job. Results
        depend on it in the last bit, and with ``auto``, which takes what is fastest, on the
        processor: see docs/machines.md. A processor that does not have it is refused.
    deterministic
        On a GPU: the same bytes each time. ``false`` lets cuDNN choose the fastest kernels, whose
        last digits differ from run to run.
    tf32
        On a GPU: products of fp32 numbers round their factors to TF32, 10 bits of mantissa.
    processes
        Processes that share each batch of a training job, one per GPU. Results depend on it in the
        last digits, and batch norms see their own process's images.
    seeds
        Every experiment is run once for each.
    models
        Architectures. ``name: torchvision:resnet50`` is any classifier of torchvision, and
        ``name: my_module:build`` a function of one's own, without arguments, in a module that is
        found from the working directory.
    attacks
        An attack with its parameters; with a ``surrogate``, that is what it differentiates in place
        of an injected network. With ``compile: true`` its passes are those of ``torch.compile``,
        where a compiler is found; they agree with the others within rounding, and a note says so.
    experiments
        Base -> the defences that are applied to it.
    presets
        Platforms of the cost model: files in ``hwmodel/presets/``.
    energy_table
        Picojoules of operations and bytes: a file in ``hwmodel/energy_tables/``.
    figures
        A figure, what it shows and its style.
    """

    run: Name
    plugins: list[Folder] = []
    threads: Few
    device: Literal["cpu", "cuda"] = "cpu"
    instruction_set: InstructionSet = "auto"
    deterministic: bool = True
    tf32: bool = True
    processes: Few = 1
    seeds: Several[Index]
    data: dict[Name, SplitDataset]
    models: dict[Name, Annotated[Ref, BeforeValidator(architecture.validate), PluginOf("model")]]
    attacks: dict[Name, Annotated[Ref, BeforeValidator(attack_config.validate), PluginOf("attack")]]
    recipes: dict[Name, Annotated[Ref, *_settings("nenni.training.recipe:Recipe")]]
    bases: dict[Name, Base]
    profile: Profile
    injection: Annotated[Ref, *_INJECTION]
    fit: Annotated[Ref, *_FIT]
    finetunes: dict[Name, Finetune]
    defences: dict[Name, Defence]
    experiments: dict[Name, Several[Name]] = Field(min_length=1)
    evaluations: dict[Name, Evaluation]
    suites: dict[Name, Suite] = {}
    diagnose: Diagnose | None = None
    sweep: Sweep
    describe: Describe
    presets: Several[Name]
    energy_table: Name = "horowitz_45nm"
    tables: Tables
    figures: dict[Name, Annotated[Ref, *_plugin("figure")]]
