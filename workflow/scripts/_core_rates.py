"""What one core can do at the most: products of bytes, and bytes read, a nanosecond.

Products are independent ones in registers, by the instruction that the kernels of nenni.deploy use
here: vpdpbusd of AVX-512 VNNI, or vpmaddubsw, vpmaddwd and an addition of AVX2. Bytes are read in a
row, again and again, from a buffer of half the size of each cache, and from one that none holds.
"""

import ctypes
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from nenni.core import processor

PRODUCTS, MEMORY = "products", "memory"
BEYOND = 512 * 2**20
"""Bytes of a buffer that no cache holds."""
_SOURCE = r"""
#include <cstdint>
#include <immintrin.h>

#if defined(__AVX512VNNI__)
using Sum = __m512i;
#define ADD(acc) asm volatile("vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(u), "x"(w))
static Sum ones() { return _mm512_set1_epi8(1); }
static Sum load(const void* p) { return _mm512_loadu_si512(p); }
static Sum merge(Sum a, Sum b) { return _mm512_or_si512(a, b); }
#else
using Sum = __m256i;
#define ADD(acc)                                                                    \
  asm volatile("vpmaddubsw %2, %1, %%ymm15\n\tvpmaddwd %3, %%ymm15, %%ymm15\n\t"    \
               "vpaddd %%ymm15, %0, %0" : "+x"(acc) : "x"(u), "x"(w), "x"(one) : "ymm15")
static Sum ones() { return _mm256_set1_epi8(1); }
static Sum load(const void* p) { return _mm256_loadu_si256((const __m256i*)p); }
static Sum merge(Sum a, Sum b) { return _mm256_or_si256(a, b); }
#endif

constexpr int64_t SIZE = sizeof(Sum);

static int first(Sum a) {
  int32_t out[SIZE / 4];
  __builtin_memcpy(out, &a, SIZE);
  return out[0];
}

extern "C" int64_t products_of_a_round() { return 10 * SIZE; }

extern "C" int products(int64_t rounds) { // ten chains, more than an addition takes cycles
  Sum a = ones(), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a;
  Sum u = ones(), w = u;
#if !defined(__AVX512VNNI__)
  Sum one = _mm256_set1_epi16(1);
#endif
  for (int64_t k = 0; k < rounds; ++k) {
    ADD(a); ADD(b); ADD(c); ADD(d); ADD(e);
    ADD(f); ADD(g); ADD(h); ADD(i); ADD(j);
  }
  Sum left = merge(merge(a, b), merge(c, d)), right = merge(merge(e, f), merge(g, h));
  return first(merge(merge(left, right), merge(i, j)));
}

extern "C" int read(const uint8_t* bytes, int64_t n, int64_t times) {
  Sum a = ones(), b = a, c = a, d = a;
  for (int64_t t = 0; t < times; ++t) {
    asm volatile("" : : : "memory"); // what was read may have changed
    for (int64_t i = 0; i < n; i += 4 * SIZE) {
      a = merge(a, load(bytes + i)), b = merge(b, load(bytes + i + SIZE));
      c = merge(c, load(bytes + i + 2 * SIZE)), d = merge(d, load(bytes + i + 3 * SIZE));
    }
  }
  return first(merge(merge(a, b), merge(c, d)));
}
"""
_SECONDS = 1.0
_ROUNDS = 10**6
_BYTES = 2**28
"""Read in one call."""


def core_rates() -> pd.DataFrame:
    """Rates of a core, the best of several tries.

    Returns
    -------
    DataFrame
        ``what``: products, each cache, memory; ``bytes`` that the cache holds, none of products and
        memory; ``per_ns``, products or bytes a nanosecond.
    """
    code = _built()
    each = code.products_of_a_round() * _ROUNDS
    spent = _least(lambda: code.products(ctypes.c_int64(_ROUNDS)))
    rows: list[tuple[str, float, float]] = [(PRODUCTS, float("nan"), each / spent / 1e9)]
    for level, held in [*cache_sizes().items(), (MEMORY, float("nan"))]:
        size = BEYOND if level == MEMORY else int(held) // 2
        buffer = ctypes.create_string_buffer(size)
        ctypes.memset(buffer, 1, size)
        times = max(1, _BYTES // size)
        asked = buffer, ctypes.c_int64(size), ctypes.c_int64(times)
        rows.append(
            (level, held, size * times / _least(lambda asked=asked: code.read(*asked)) / 1e9)
        )
    return pd.DataFrame(rows, columns=["what", "bytes", "per_ns"])


def cache_sizes() -> dict[str, int]:
    """Bytes of each cache of the first core that holds data, the nearest first."""
    found = re.findall(r"(L\d)d? (\d+)K", processor.caches())
    return {level: int(size) * 2**10 for level, size in found}


def _built() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "rates.cpp", Path(folder) / "rates.so"
        source.write_text(_SOURCE, encoding="ascii")
        command = ["c++", "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o"]
        subprocess.run([*command, str(library)], check=True)
        code = ctypes.CDLL(str(library))
    code.products_of_a_round.restype = ctypes.c_int64
    return code


def _least(run: Callable[[], object]) -> float:
    """Seconds of a call, the least of several, once it is warm."""
    run()
    least, end = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - start)
    return least
