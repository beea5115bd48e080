"""What a card says of the network, the images, the attacks asked for and the machine."""

from typing import Any, Literal

from nenni.cards.schema_part import Checksum, Counts, Identifiers, NotNegative, Part, Some, Whole


class Network(Part):
    """The network.

    Attributes
    ----------
    sha256
        Checksum of its weights: of the names, types, shapes and bytes of all tensors.
    model
        Its architecture by name, with its arguments; null where it is not known.
    input_shape
        Of one image: channels, height, width.
    classes
        Number of outputs; null where it gives labels alone.
    parameters
        Numbers in it that training sets.
    injected
        Whether it is of the method of this project.
    randomised
        Whether two passes on the same image differ.
    defence
        Of an injected network, the choices of each layer: projection, selection, noise, bits.
    """

    sha256: Checksum
    model: dict[str, Any] | None
    input_shape: list[Whole]
    classes: Whole | None
    parameters: Whole
    injected: bool
    randomised: bool
    defence: dict[str, Any] | None


class Images(Part):
    """The images that were attacked.

    Attributes
    ----------
    name
        What they are called; decides nothing.
    sha256
        Checksum of all pixels, and then all labels.
    n
        How many.
    images
        A hash of what each image shows, 16 hexadecimal digits.
    labels
        The class of each.
    """

    name: str
    sha256: Checksum
    n: Some
    images: Identifiers
    labels: Counts


class Protocol(Part):
    """What was asked for.

    Attributes
    ----------
    suite
        Name of the suite of attacks; ``own`` for attacks of one's own.
    norm
        What is bounded: the largest change of a pixel, or the length of the change of the image.
    eps
        By how much, in units of the [0, 1] input.
    seed
        Root of all random choices.
    draws
        Passes on which a randomised network's worst points are chosen, and over which its gradients
        are averaged.
    scored_on
        Other passes on which these are scored; 1 for a network that is not randomised.
    batch_size
        Images at once.
    diagnosed
        Images of the diagnosis and of the cost, the first so many.
    """

    suite: str
    norm: Literal["linf", "l2"]
    eps: NotNegative
    seed: Whole
    draws: Some
    scored_on: Some
    batch_size: Some
    diagnosed: Some


class Machine(Part):
    """What it was computed with: another kind of processor gives other last digits.

    Attributes
    ----------
    versions
        Package -> version.
    processor
        Its name, family and model.
    instruction_set
        The widest that was allowed; ``auto`` leaves it to the processor.
    device
        ``cpu`` or ``cuda``.
    gpu
        Its name, or null.
    threads
        Of torch.
    """

    versions: dict[str, str]
    processor: str
    instruction_set: str
    device: str
    gpu: str | None
    threads: Some
