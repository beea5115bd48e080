"""Fingerprints of this machine, as it is and told to use less, and of processors that QEMU plays.

    python workflow/scripts/fingerprints.py --emulate Haswell Skylake-Client EPYC-Rome

One row each of results/reference/fingerprints.csv, by ``nenni fingerprint``: each instruction set;
each library alone told what to use at most, which shows what parts hang on it; and with
``--emulate`` the same program under ``qemu-x86_64 -cpu NAME`` (QEMU 7.2 or newer), minutes each.
An emulated processor tells libraries its own maker, extensions and caches, so that they choose
their code as on a real one; that code is computed as IEEE 754 has it, and approximate instructions
otherwise than any maker's.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from nenni.core.instruction_set import NAMES, STEERING

TABLE = Path(__file__).parents[2] / "results" / "reference" / "fingerprints.csv"
CAPS = (
    {"ATEN_CPU_CAPABILITY": "avx2"}, {"ATEN_CPU_CAPABILITY": "default"},
    {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    {"ONEDNN_MAX_CPU_ISA": "SSE41"}, {"MKL_CBWR": "AUTO"}, {"MKL_CBWR": "AVX2"},
    {"MKL_CBWR": "COMPATIBLE"}, {"MKL_ENABLE_INSTRUCTIONS": "AVX2"},
)  # fmt: skip
"""What one library alone is told."""
EMULATED = ("auto", "avx2")
"""QEMU has no AVX-512."""


def main() -> None:
    """Parse the command line and fill the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--emulate", nargs="*", default=[], metavar="CPU")
    parser.add_argument("--out", type=Path, default=TABLE)
    asked = parser.parse_args()
    for name in NAMES:
        fingerprint(asked.out, "--instruction-set", name)
    for told in CAPS:
        fingerprint(asked.out, told=told)
    for cpu in asked.emulate:
        for name in EMULATED:
            words = ["--instruction-set", name, "--processor", f"QEMU {cpu}"]
            fingerprint(asked.out, *words, emulator=[_qemu(), "-cpu", cpu])


def fingerprint(
    table: Path, *words: str, told: dict[str, str] | None = None, emulator: list[str] | None = None
) -> None:
    """Add a row to the table.

    Raises
    ------
    SystemExit
        If the command fails.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in STEERING}
    command = [*(emulator or []), sys.executable, "-m", "nenni", "fingerprint", *words]
    done = subprocess.run(
        [*command, "--out", str(table)], env=inherited | (told or {}), check=False
    )
    if done.returncode:
        sys.exit(done.returncode)


def _qemu() -> str:
    found = shutil.which("qemu-x86_64")
    if found is None:
        sys.exit("--emulate needs qemu-x86_64, of the package qemu-user")
    return found


if __name__ == "__main__":
    main()
