import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nenni.method import profile
from nenni.method.profile import channel_importance, output_distribution, sensitivities

LAYERS = ["conv2", "fc1"]


def test_distribution(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    x = digits[0][:100]
    table = output_distribution(trained, LAYERS, x).set_index("layer")
    z = trained.get_submodule("conv2")(torch.relu(trained.get_submodule("conv1")(x)))
    row = table.loc["conv2"]
    assert row["neurons"] == 8 * 7 * 7
    assert row["macs"] == 8 * 7 * 7 * 8 * 9
    assert row["rms"] == pytest.approx(float(z.square().mean().sqrt().detach()), rel=1e-4)
    assert row["positive"] == pytest.approx(float((z > 0).float().mean()), abs=1e-4)
    assert row["q01"] < row["q25"] < row["q50"] < row["q75"] < row["q99"]


def test_importance_is_the_taylor_term(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    """fc1 -> relu -> fc2: dL/dz = relu'(z) * W2^T (softmax - onehot), by hand."""
    x, y = digits[0][:60], digits[1][:60]
    table = channel_importance(trained, LAYERS, x, y, checked=3)
    with torch.no_grad():
        z = nn.Sequential(*list(trained)[:-2])(x)  # type: ignore[call-overload]
        delta = trained(x).softmax(1) - F.one_hot(y, 10)
        gradient = (delta @ trained.get_submodule("fc2").weight) * (z > 0)
    expected = (z * gradient).abs().mean(0)
    found = table[table["layer"] == "fc1"]
    assert found["importance"].tolist() == pytest.approx(expected.tolist(), rel=1e-3, abs=1e-7)
    assert found["ablation"].notna().tolist() == [True] * 3 + [False] * 29
    with torch.no_grad():
        z[:, 1] = z[:, 1].mean()
        ablated = F.cross_entropy(trained.get_submodule("fc2")(torch.relu(z)), y)
        rise = float(ablated - F.cross_entropy(trained(x), y))
    assert found["ablation"].iloc[1] == pytest.approx(rise, abs=1e-5)


def test_sensitivity_rises_with_noise_and_falls_with_protection(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    x, y = digits[0][:200], digits[1][:200]
    table = sensitivities(trained, LAYERS, x, y, [0, 0.5, 1], [0.1, 2.0], seed=0)
    rise = table.set_index(["layer", "fraction", "noise"])["rise"]
    for layer in LAYERS:
        assert rise[layer, 0, 2.0] > rise[layer, 0, 0.1]
        assert rise[layer, 0, 2.0] > rise[layer, 0.5, 2.0]
        assert rise[layer, 1, 2.0] == 0
    again = sensitivities(trained, LAYERS, x, y, [0, 0.5, 1], [0.1, 2.0], seed=0)
    assert again.equals(table)


def test_quantiles_do_not_keep_step_with_the_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "_SAMPLED", 10_000)
    model = nn.Sequential(nn.Linear(8, 64)).eval()
    with torch.no_grad():
        model[0].bias[1::2] += 10
    x = torch.randn(5000, 8)
    row = output_distribution(model, ["0"], x).iloc[0]
    assert row["q25"] < 2
    assert row["q75"] > 8
    assert output_distribution(model, ["0"], x).iloc[0].equals(row)
