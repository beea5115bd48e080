from typing import Any

from hwmodel.product import Product, projection_product

TAP = {"projection": "tap_shared", "k": 18, "k_c": 2, "nonzeros": 3}


GROUPED = {
    "in_channels": 8,
    "out_channels": 12,
    "groups": 2,
    "in_size": [5, 5],
    "stride": [1, 1],
}


def test_projection_as_matrix(make_layer: Any) -> None:
    sparse = make_layer({"k": 6, "nonzeros": 50}, **GROUPED)
    assert projection_product(sparse, sparse.injection) == Product(25, 6, 36, 2, taps=9)
    shared = make_layer(TAP, **GROUPED)
    assert projection_product(shared, shared.injection).macs == 25 * 2 * 8
