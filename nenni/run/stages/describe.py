"""Describe the final network of an experiment for the cost model, masks measured on data.

Inputs: data, weights. Outputs: layers (JSON, the schema of hwmodel.layer_spec).
"""

from nenni.core import runtime
from nenni.core.io import write_json
from nenni.cost.describe import describe
from nenni.data.data_file import load_data
from nenni.data.split import first
from nenni.method.network_file import load
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("val",), device)
    images, _ = first(data["val"], c["describe"]["examples"])
    model = load(job.input("weights"), architecture=c["model"]).to(device)
    layers = describe(
        model, images, seed=c["seed"], allow_uncounted=c["describe"]["allow_uncounted"]
    )
    write_json(job.output("layers"), layers)
    injected = [layer for layer in layers["layers"] if layer["injection"]]
    return f"{len(layers['layers'])} layers, {len(injected)} injected"
