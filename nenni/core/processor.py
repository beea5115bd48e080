"""The processor that this runs on, as the system tells it."""

import platform
import subprocess
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def name() -> str:
    """What its maker calls it; its kind, such as ``aarch64``, where the system does not say."""
    if platform.system() == "Darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    else:
        told = _cpuinfo().get("model name", "")
    return told or platform.machine()


def model() -> str:
    """Family, model and stepping: processors of one name may differ in them. May be empty."""
    found = _cpuinfo()
    keys = {"cpu family": "family", "model": "model", "stepping": "stepping"}
    return ", ".join(f"{word} {found[key]}" for key, word in keys.items() if key in found)


def features() -> frozenset[str]:
    """Its extensions as Linux names them on x86, ``avx2`` among them; none where it does not."""
    return frozenset(_cpuinfo().get("flags", "").split())


def caches() -> str:
    """Kind and size of the caches of the first core, ``L1d 32K, L2 1024K``. May be empty."""
    told = []
    for folder in sorted(_CACHES.glob("index*")):
        level, kind, size = (_read(folder / key) for key in ("level", "type", "size"))
        told += [f"L{level}{'d' * (kind == 'Data')} {size}"] if kind != "Instruction" else []
    return ", ".join(told)


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first core."""
    first = _read(_CPUINFO).partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
