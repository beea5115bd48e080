"""Decode a dataset and split it into training, validation and test images.

Outputs: data (safetensors with images, labels and the indices of each split).
"""

from nenni.data.data_file import decode, save_data
from nenni.data.sizes import Split
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    sizes: dict[Split, int] = {"train": c["train"], "val": c["val"], "test": c["test"]}
    tensors, meta, found = decode(c["data"], sizes, c["split_seed"])
    job.progress(found)
    save_data(job.output("data"), tensors, meta)
    shape = "x".join(map(str, meta["input_shape"]))
    parts = ", ".join(f"{n} {split}" for split, n in sizes.items())
    return f"{c['data']['name']}: images {shape}, {meta['n_classes']} classes; {parts}"
