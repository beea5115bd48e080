"""Dense variants answer as the network does, and the bench measures each."""

import math
import subprocess
import sys
import threading
import time

import pytest
import torch
from torch import nn

import nenni
from nenni.core.errors import UserError
from nenni.cost.bench import FORWARD, TRAINING, measure, measure_layers, prepare, seconds
from nenni.cost.dense_variants import ENGINES, convolution_of_bytes
from nenni.cost.layer_bench import WAYS, crossing
from nenni.method.injection import noisy_layers


@pytest.mark.long
@pytest.mark.parametrize("variant", [*FORWARD, *TRAINING])
def test_every_variant_is_measured(
    variant: str, noisy: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nenni.cost.bench._REPEATS", 1)  # not how long, but that
    monkeypatch.setattr("nenni.cost.bench._LEAST_SECONDS", 0.01)
    found = measure(noisy, torch.rand(8, 1, 28, 28), variant, batch_size=8)
    assert found["seconds"] > 0
    assert found["wall_seconds"] > 0
    assert found["peak_mib"] >= 0


@pytest.mark.long
def test_memory_is_that_of_a_pass() -> None:
    """A pass that takes 64 MiB and gives them back, in one piece and in small ones.

    In a process of its own, as the command has.
    """
    code = """
import torch
from nenni.cost.bench import added_mib
small = lambda: [torch.ones(2**14) for _ in range(1024)]
print(added_mib(lambda: None), added_mib(lambda: torch.ones(16 * 2**20)), added_mib(small))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    nothing, large, small = (float(word) for word in done.stdout.split())
    assert nothing < 4
    assert large == pytest.approx(64, abs=4)
    assert small == pytest.approx(64, abs=8)


def test_training_steps_leave_no_gradients(noisy: nn.Module) -> None:
    prepare(noisy, torch.rand(4, 1, 28, 28), "train_injected")()
    assert all(p.grad is None for p in noisy.parameters())


def test_processor_time_is_that_of_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that each work for a while take twice the clock; a call that waits takes none."""
    monkeypatch.setattr("nenni.cost.bench._LEAST_SECONDS", 0.01)
    a = torch.rand(700, 700)

    def at_once() -> None:
        both = [threading.Thread(target=lambda: a @ a) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone, _ = seconds(lambda: a @ a)
        cpu, _ = seconds(at_once)
    finally:
        torch.set_num_threads(before)
    assert cpu > 1.4 * alone
    cpu, clock = seconds(lambda: time.sleep(0.02))
    assert cpu < 0.5 * clock


def test_layers_of_a_deployed_network_are_timed_in_every_way() -> None:
    """A layer that is called twice has a row for each call."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.again = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
            self.head = nn.Linear(2048, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x).relu()
            x = self.again(self.again(x).relu()).relu()
            return self.head(x.flatten(1))

    images = torch.rand(4, 3, 8, 8)
    spec = nenni.InjectionSpec(
        nenni.Block(0.5, channels=32, positions=8), nenni.TapShared(0.25), layers=("again",), exact_bits=8, input_bits=8,
        projected_bits=8,
    )  # fmt: skip
    noisy = nenni.inject(Twice().eval(), spec, images)
    nenni.fit(noisy, images)
    before = torch.get_num_threads()
    engine = torch.backends.quantized.engine
    found = measure_layers(noisy, images, batch_size=2, threads=before)
    assert torch.backends.quantized.engine == engine
    assert [*found] == ["again", "again:2"]
    for layer in found.values():
        assert [*layer.seconds] == [*WAYS]
        assert min(layer.seconds.values()) > 0
        assert 0 <= layer.crossover <= 1
    assert [layer.choices.selection.fraction for _, layer in noisy_layers(noisy)] == [0.5]


def test_what_torch_has_no_kernel_for_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor without AVX-512, or a torch without one of its engines."""

    def none(*_: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr("nenni.cost.layer_bench.convolution_of_bytes", none)
    model = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.Flatten(), nn.Linear(2048, 3)).eval()  # fmt: skip
    images = torch.rand(2, 3, 8, 8)
    spec = nenni.InjectionSpec(
        nenni.Block(0.5, channels=32, positions=8), nenni.TapShared(0.25), layers=("2",), exact_bits=8, input_bits=8,
        projected_bits=8,
    )  # fmt: skip
    noisy = nenni.inject(model, spec, images)
    nenni.fit(noisy, images)
    found = measure_layers(noisy.train(), images, threads=torch.get_num_threads())["2"]
    assert math.isnan(found.seconds["int8"])
    assert min(found.seconds[way] for way in WAYS if way != "int8") > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_convolution_of_bytes_is_the_layer_and_relu(engine: str) -> None:
    torch.manual_seed(0)
    layer, x = nn.Conv2d(8, 16, 3, stride=2, padding=1, dilation=2), torch.rand(2, 8, 9, 9)
    with torch.no_grad():
        layer.weight[3] = 0
        before = torch.backends.quantized.engine
        found = convolution_of_bytes(layer, x, engine)().dequantize()
        assert torch.backends.quantized.engine == before
        torch.testing.assert_close(found, layer(x).relu(), rtol=0, atol=0.06)


def test_one_share_of_tiles_is_no_line() -> None:
    assert math.isnan(crossing((0.5, 0.5, 0.5), (0.7, 0.8, 0.9)))


@pytest.mark.parametrize(
    ("over_dense", "told"),
    [
        ((0.6, 0.7, 0.9), 0.5), ((1.1, 1.2, 1.4), 0.0), ((0.2, 0.3, 0.5), 0.9), ((0.1, 0.15, 0.25), 1.0),
        ((1.25, 1.27, 1.24), 0.0), ((0.73, 0.72, 0.70), 1.0), ((0.8, 0.8, 0.8), 1.0),
    ],
)  # fmt: skip
def test_skipping_pays_up_to_where_its_line_of_times_meets_that_of_dense(
    over_dense: tuple[float, ...], told: float
) -> None:
    assert crossing((0.1, 0.2, 0.4), over_dense) == pytest.approx(told, abs=1e-6)


def test_a_network_that_fails_is_told_before_it_is_measured(noisy: nn.Module) -> None:
    with pytest.raises(UserError, match=r"does not accept images, .* of shape .*1, 20, 28"):
        measure(noisy, torch.rand(2, 1, 20, 28), "fp32", batch_size=1)


def test_a_network_elsewhere_is_refused(noisy: nn.Module) -> None:
    with pytest.raises(UserError, match="times are those of a CPU, and the network is on meta"):
        measure(noisy.to("meta"), torch.rand(1, 1, 28, 28), "fp32")


def test_rows_that_are_no_images_are_measured_too() -> None:
    model = nn.Sequential(nn.Linear(40, 40), nn.Linear(40, 40), nn.Linear(40, 3)).eval()
    spec = nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(0.25), min_inputs=4)
    noisy = nenni.inject(model, spec, torch.rand(2, 40))
    assert measure(noisy, torch.rand(2, 40), "injected", batch_size=2)["seconds"] > 0
