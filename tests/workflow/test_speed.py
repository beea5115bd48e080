"""The table of time and memory of injected networks."""

import sys

import pytest
from scripts import script_named

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux alone")


@pytest.mark.long
@LINUX
def test_training_takes_at_most_half_as_much_memory_again_and_each_time_as_much() -> None:
    """Of the setting that takes the most."""
    memory = script_named("speed").memory_in_own_process
    plain, *injected = (
        memory("small_cnn", setting, None)
        for setting in ("plain", "top-k, sparse", "top-k, sparse")
    )
    assert 1.2 < injected[0] / plain < 1.5
    assert injected[0] == pytest.approx(injected[1], rel=0.01)
