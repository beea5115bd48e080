"""A layer's random numbers."""

import copy

import pytest
import torch

from nenni.method.draws import Draws

CPU = torch.device("cpu")


def numbers(draws: Draws, device: torch.device = CPU) -> list[float]:
    return torch.rand(5, generator=draws.on(device), device=device).tolist()


def test_a_seed_starts_them_again_and_a_state_goes_on() -> None:
    draws = Draws()
    first = numbers(draws)
    draws.seed(0)
    assert numbers(draws) == first
    state = draws.on(CPU).get_state()
    expected = numbers(draws)
    draws.seed(9)
    assert numbers(draws) not in (first, expected)
    draws.on(CPU).set_state(state)
    assert numbers(draws) == expected


def test_a_copy_draws_for_itself() -> None:
    draws = Draws()
    draws.seed(3)
    twin = copy.deepcopy(draws)
    assert numbers(twin) == numbers(draws)
    numbers(twin)
    assert numbers(twin) != numbers(draws)


def test_each_sample_has_an_index_of_its_own() -> None:
    draws = Draws()
    assert set(draws.indices(3, 40, CPU).tolist()) == {0, 1, 2}
    assert draws.indices(3, 40, CPU).tolist() != draws.indices(3, 40, CPU).tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_another_device_they_start_from_the_seed() -> None:
    device = torch.device("cuda", 0)
    draws = Draws()
    draws.seed(4)
    numbers(draws)
    expected = torch.rand(5, generator=torch.Generator(device).manual_seed(4), device=device)
    assert numbers(draws, device) == expected.tolist()
