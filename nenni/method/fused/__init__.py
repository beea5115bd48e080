"""What a GPU does in one pass over memory where torch's own operators would take several.

Each module registers one operator ``torch.ops.nenni.<name>``: its formula in torch's operators,
which every device has, and for CUDA one kernel, in torch's jiterator where it is elementwise and in
Triton where it is not; both come with torch. A CPU calls the formulas directly.
"""
