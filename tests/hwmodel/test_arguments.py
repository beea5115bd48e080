from typing import get_args

from hwmodel import arguments
from hwmodel.hypothetical import Matrix
from hwmodel.injection_spec import Algorithm, Bits


def test_choices_are_those_of_the_file() -> None:
    """Listed apart, so that --help loads no pydantic."""
    assert get_args(Matrix) == arguments._MATRICES
    assert get_args(Bits) == arguments._BITS
    assert get_args(Algorithm) == arguments._ALGORITHMS
