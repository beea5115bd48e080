"""Switch off the noise of a network with a baseline defence: its ablation.

Inputs: weights. Outputs: weights (the same network, which draws nothing).
"""

from nenni.core import runtime
from nenni.method.defend import set_noise
from nenni.method.network_file import load, save
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    network = load(job.input("weights"), architecture=c["model"]).to(runtime.prepare(c))
    set_noise(network, on=False)
    save(network, job.output("weights"))
    return f"{c['baseline']['name']} draws nothing"
