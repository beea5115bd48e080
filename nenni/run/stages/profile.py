"""Profile a base on training images: distribution, importance, sensitivity.

Inputs: data, weights. Outputs: distribution, importance, sensitivities (CSV).
"""

from nenni.core import runtime
from nenni.core.io import write_csv
from nenni.data.data_file import load_data
from nenni.data.split import first
from nenni.method.injection import injectable
from nenni.method.network_file import load
from nenni.method.profile import channel_importance, output_distribution, sensitivities
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("train",), device)
    images, labels = first(data["train"], c["profile"]["examples"])
    model = load(job.input("weights"), architecture=c["model"]).to(device)
    layers = injectable(model, c["layers"], c["min_inputs"], images[:1])
    write_csv(job.output("distribution"), output_distribution(model, layers, images))
    job.progress(f"distribution of z in {len(layers)} layers on {len(images)} images")
    importance = channel_importance(model, layers, images, labels, c["profile"]["checked_channels"])
    write_csv(job.output("importance"), importance)
    agreement = importance.dropna()[["importance", "ablation"]].corr("spearman").iloc[0, 1]
    job.progress(f"importance of {len(importance)} channels; rank correlation {agreement:.2f}")
    grid = c["profile"]["fractions"], c["profile"]["noises"]
    table = sensitivities(model, layers, images, labels, *grid, seed=c["seed"])
    write_csv(job.output("sensitivities"), table)
    worst = table.loc[table["rise"].idxmax()]
    return (
        f"{len(layers)} layers; most sensitive {worst['layer']} (loss +{worst['rise']:.2f}); "
        f"importance against ablation: rank correlation {agreement:.2f}"
    )
