"""What the report and the histogram measure."""

from collections.abc import Callable

from torch import Tensor, nn

from nenni.method.fit import fit
from nenni.method.injection import inject
from nenni.method.report import error_histogram, report
from nenni.method.selection.inverted import Inverted
from nenni.method.selection.random import Random
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec

MakeSpec = Callable[..., InjectionSpec]


def test_report_measures_error_fraction_and_recall(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    def table(selection: object) -> object:
        noisy = inject(trained, make_spec(selection=selection), digits[0][:1])
        fit(noisy, digits[0][:400], epochs=0)
        return report(noisy, digits[0][400:500])

    topk, inverted, random = table(TopK(0.5)), table(Inverted(0.5)), table(Random(0.5))
    assert (topk["fraction"] == 0.5).all()
    assert (topk["recall"] > 0.8).all()
    assert (inverted["recall"] < 0.2).all()
    assert (random["recall"] - 0.5).abs().max() < 0.03
    assert (topk["relative_error"] == inverted["relative_error"]).all()


def test_error_histogram_is_a_distribution(noisy: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    fit(noisy, digits[0][:300], epochs=0)
    table = error_histogram(noisy, digits[0][300:400])
    sums = table.groupby("layer")[["all", "injected"]].sum()
    assert (sums - 1).abs().max().max() < 1e-5
    spread = (table["bin"] ** 2 * table["all"]).groupby(table["layer"]).sum() ** 0.5
    errors = report(noisy, digits[0][300:400]).set_index("layer")["relative_error"]
    assert (spread / errors - 1).abs().max() < 0.05
