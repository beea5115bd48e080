"""Put a baseline defence into a base and calibrate it.

Inputs: data, weights. Outputs: weights (the defended network).
"""

from nenni.core import plugins, runtime
from nenni.data.data_file import load_data
from nenni.data.split import first
from nenni.method.baseline import baseline_layers
from nenni.method.defend import defend
from nenni.method.network_file import load, save
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("train",), device)
    images, _ = first(data["train"], c["images"])
    base = load(job.input("weights"), architecture=c["model"]).to(device)
    baseline = plugins.build("baseline", c["baseline"])
    defended = defend(base, baseline, images, batch_size=c["images"], seed=c["seed"])
    save(defended, job.output("weights"))
    return f"{baseline} in {len(dict(baseline_layers(defended)))} layers"
