"""Settings for all tests: no time limit for hypothesis, and chance that starts anew in each."""

import sys

import pytest
from hypothesis import settings

settings.register_profile("nenni", deadline=None, derandomize=True)
settings.load_profile("nenni")


@pytest.fixture(autouse=True, scope="module")
def _chance_of_a_module() -> None:
    _seed()


@pytest.fixture(autouse=True)
def _chance_of_a_test() -> None:
    _seed()


def _seed() -> None:
    """Seed torch where it is loaded, so that no test hangs on those that ran before it."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
