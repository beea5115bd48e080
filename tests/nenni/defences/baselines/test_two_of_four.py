"""The mask, where it is, and that training keeps it."""

import torch
from baseline_cases import Digits, defended, fresh, learned
from torch import Tensor, nn

from nenni.defences.baselines.two_of_four import SparseLayer, TwoOfFour, mask_of
from nenni.method.baseline import baseline_layers
from nenni.method.defend import defend


def test_the_largest_two_of_four_input_channels_stay() -> None:
    weight = torch.tensor([3.0, -4.0, 1.0, 2.0, 0.5, 0.1, -0.6, 0.2]).view(1, 8, 1, 1)
    assert mask_of(weight).flatten().tolist() == [1, 1, 0, 0, 1, 0, 1, 0]
    assert mask_of(weight.view(1, 8)).flatten().tolist() == [1, 1, 0, 0, 1, 0, 1, 0]
    assert mask_of(torch.ones(2, 4)).tolist() == [[1, 1, 0, 0]] * 2, "of equal ones the first"


def test_neighbours_are_the_channels_of_one_tap() -> None:
    weight = torch.randn(5, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    mask = mask_of(weight)
    fours = mask.unflatten(1, (2, 4))
    assert (fours.sum(2) == 2).all()
    kept = weight.abs().unflatten(1, (2, 4)).masked_fill(~fours, 9).amin(2)
    assert (kept >= weight.abs().unflatten(1, (2, 4)).masked_fill(fours, 0).amax(2)).all()


def test_what_four_do_not_divide_stays_dense() -> None:
    mask = mask_of(torch.randn(2, 1, 3, 3))
    assert mask.flatten(1).sum(1).tolist() == [5, 5]
    assert mask.flatten(1)[:, 8].all()


def test_grouped_and_narrow_layers_stay_as_they_are() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 4, 1), nn.Flatten(),
        nn.Linear(64, 3),
    )  # fmt: skip
    found = defend(network, TwoOfFour(), torch.rand(2, 3, 6, 6))
    assert [name for name, _ in baseline_layers(found)] == ["2", "4"]


def sparse(network: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Name -> mask and weights in use."""
    return {
        name: (layer.mask.clone(), layer.used_weight().detach().clone())
        for name, layer in baseline_layers(network)
        if isinstance(layer, SparseLayer)
    }


def test_fine_tuning_keeps_the_mask(trained: nn.Module, digits: Digits) -> None:
    network = defended(trained, TwoOfFour(), digits)
    before = sparse(network)
    learned(network, digits, 1, weight_decay=0.01)
    after = sparse(network)
    assert list(after) == ["conv1", "conv2", "conv3", "conv4", "fc1", "fc2"]
    for name, (mask, weight) in after.items():
        assert torch.equal(mask, before[name][0])
        assert (weight[mask == 0] == 0).all()
        assert not torch.isclose(weight[mask == 1], before[name][1][mask == 1]).all()
        assert torch.equal(mask, mask_of(trained.get_submodule(name).weight).to(mask))  # type: ignore[arg-type]
    x = digits[0][:3]
    plain = fresh()
    plain.load_state_dict(
        {
            name.replace("wrapped.", ""): tensor
            for name, tensor in network.state_dict().items()
            if not name.endswith("mask")
        }
    )
    for name, (_, weight) in after.items():
        plain.get_submodule(name).weight.data = weight
    assert torch.allclose(network(x), plain(x), atol=1e-5)
