import torch

from nenni.method.fitting.projections import covariance


def test_covariances_from_summed_products() -> None:
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 3
    rows = torch.cat([x, torch.ones(50, 1, dtype=torch.float64)], 1)
    torch.testing.assert_close(covariance(rows.T @ rows), x.T.cov(correction=0))
