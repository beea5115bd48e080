"""Make the card of the final network of an experiment: evaluate, diagnose, persist, cost.

Inputs: data, weights. Outputs: card (JSON), page (HTML, beside it and of the same name).
"""

from nenni.cards.card import card
from nenni.cards.card_file import write_card
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.data.data_file import load_data
from nenni.data.split import first
from nenni.method.network_file import load
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("test",), device)
    model = load(job.input("weights"), architecture=c["model"]).to(device)
    found = card(
        model,
        first(data["test"], min(c["examples"], len(data["test"]))),
        c["suite"],
        name=c["name"],
        data_name=f"test images of {c['data']}",
        eps=c["eps"],
        norm=c["norm"],
        seed=c["seed"],
        resume=job.checkpoint_file(),
        progress=job.progress,
    )
    _, page = write_card(found, job.output("card"))
    if page != job.output("page"):
        raise UserError(f"card: --output page should be {page}, beside the card")
    return f"{found.least.accuracy:.1%} under all attacks (n = {found.data.n})"
