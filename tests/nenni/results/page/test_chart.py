import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from page_cases import HOSTILE

from nenni.results.figure_style import COLOURS, MARKERS
from nenni.results.page.chart import _SHAPES, Point, TradeOff, scripts, specification, static

SVG = "{http://www.w3.org/2000/svg}"
POINT = Point("at/none", "pgd", 75.0, 70.0, 80.0, 100, [74.0, 76.0], "0: 74.0, 1: 76.0")


def shown(n: int = 3, **changes: Any) -> TradeOff:
    """Networks under two attacks, with two costs."""
    points = [
        replace(POINT, network=f"at/d{i}", attack=attack, accuracy=70.0 + i, **changes)
        for attack in ("pgd", "fgsm")
        for i in range(n)
    ]
    names = {f"at/d{i}": f"d{i}" for i in range(n)}
    costs = {cost: dict.fromkeys(names, 50.0) for cost in ("BitOPs; all", "time")}
    return TradeOff(points, names, costs)


def marks(svg: str) -> list[ET.Element]:
    """The marks of networks in a picture."""
    root = ET.fromstring(svg)
    groups = [g for g in root.iter(f"{SVG}g") if "mark-symbol role-mark" in g.get("class", "")]
    return [mark for group in groups for mark in group]


def test_the_still_picture_has_a_mark_per_network_of_the_first_attack() -> None:
    found = marks(static(shown(5)))
    assert len(found) == 5
    assert len({mark.get("d") for mark in found}) == 5
    for i, mark in enumerate(found):
        assert f"accuracy (%): {70 + i}" in mark.get("aria-label", "")
        assert "95 % interval: 70.0 to 80.0; seeds: 0: 74.0, 1: 76.0" in mark.get("aria-label", "")
        assert mark.get("fill") == f"var(--series-{i}, {COLOURS[i]})"


def test_it_is_the_same_each_time() -> None:
    assert static(shown()) == static(shown())
    assert json.dumps(specification(shown())) == json.dumps(specification(shown()))


def test_both_can_be_chosen_and_the_first_is() -> None:
    params = {param["name"]: param for param in specification(shown())["params"]}
    assert params["attack"]["value"] == "pgd"
    assert params["attack"]["bind"]["options"] == ["pgd", "fgsm"]
    assert params["cost"]["value"] == "BitOPs; all"
    assert params["cost"]["bind"]["options"] == ["BitOPs; all", "time"]


@pytest.mark.parametrize("n", [1, 8, 30])
def test_any_number_of_defences_is_drawn(n: int) -> None:
    found = marks(static(shown(n)))
    assert len(found) == n
    assert len({(mark.get("d"), mark.get("fill")) for mark in found}) == n


def test_an_unknown_interval_is_none_and_an_unknown_cost_no_mark() -> None:
    what = shown(2, low=None, high=None)
    assert "95 % interval: none" in marks(static(what))[0].get("aria-label", "")
    costs = {"BitOPs; all": {"at/d1": 50.0}}
    assert len(marks(static(replace(what, costs=costs)))) == 1


def test_every_marker_of_the_figures_has_a_shape() -> None:
    assert set(_SHAPES) == set(MARKERS)


def test_names_are_text_in_the_picture() -> None:
    what = shown(1)
    what = replace(what, names={"at/d0": HOSTILE})
    svg = static(what)
    assert "<script" not in svg
    assert any(
        (text.text or "").startswith(HOSTILE[:12]) for text in ET.fromstring(svg).iter(f"{SVG}text")
    )


def test_the_scripts_can_stand_in_a_page_and_draw() -> None:
    found = scripts()
    assert "window.vegaEmbed" in found
    assert "</script" not in found
