"""What one core can do at the most: products of bytes, and bytes read, a second.

Products are independent ones in registers, by the instruction that the kernels of nenni.deploy use
here: vpdpbusd of AVX-512 VNNI, or vpmaddubsw, vpmaddwd and an addition of AVX2. Bytes are read in a
row from a buffer that one level of the caches holds.
"""

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LEVELS = {"L2": 256 * 2**10, "L3": 8 * 2**20, "memory": 512 * 2**20}
"""Level -> bytes of a buffer that it holds and the one above does not."""
_SOURCE = r"""
#include <cstdint>
#include <immintrin.h>

#if defined(__AVX512VNNI__)
using Sum = __m512i;
static Sum ones() { return _mm512_set1_epi8(1); }
static Sum add(Sum acc, Sum u, Sum w) { return _mm512_dpbusd_epi32(acc, u, w); }
static Sum load(const void* p) { return _mm512_loadu_si512(p); }
static Sum merge(Sum a, Sum b) { return _mm512_or_si512(a, b); }
#else
using Sum = __m256i;
static Sum ones() { return _mm256_set1_epi8(1); }
static Sum add(Sum acc, Sum u, Sum w) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(u, w), _mm256_set1_epi16(1)));
}
static Sum load(const void* p) { return _mm256_loadu_si256((const __m256i*)p); }
static Sum merge(Sum a, Sum b) { return _mm256_or_si256(a, b); }
#endif

constexpr int CHAINS = 16;

extern "C" int64_t products_of_a_round() { return CHAINS * sizeof(Sum); }

extern "C" int products(int64_t rounds) {
  Sum acc[CHAINS];
  for (auto& a : acc) a = ones();
  Sum u = ones(), w = ones();
  for (int64_t i = 0; i < rounds; ++i) {
    for (auto& a : acc) a = add(a, u, w);
    asm volatile("" : "+x"(u), "+x"(w)); // nothing is known of them in the next round
  }
  int32_t out[sizeof(Sum) / 4];
  for (int i = 1; i < CHAINS; ++i) acc[0] = merge(acc[0], acc[i]);
  __builtin_memcpy(out, &acc[0], sizeof out);
  return out[0];
}

extern "C" int read(const uint8_t* bytes, int64_t n) {
  Sum a = ones(), b = a, c = a, d = a;
  constexpr int64_t s = sizeof(Sum);
  for (int64_t i = 0; i < n; i += 4 * s) {
    a = merge(a, load(bytes + i)), b = merge(b, load(bytes + i + s));
    c = merge(c, load(bytes + i + 2 * s)), d = merge(d, load(bytes + i + 3 * s));
  }
  int32_t out[sizeof(Sum) / 4];
  a = merge(merge(a, b), merge(c, d));
  __builtin_memcpy(out, &a, sizeof out);
  return out[0];
}
"""
_SECONDS = 0.2
_REPEATS = 5


def core_rates() -> dict[str, float]:
    """Products a nanosecond, and bytes a nanosecond of each level, the best of several."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "rates.cpp", Path(folder) / "rates.so"
        source.write_text(_SOURCE, encoding="ascii")
        command = ["c++", "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o"]
        subprocess.run([*command, str(library)], check=True)
        code = ctypes.CDLL(str(library))
    code.products_of_a_round.restype = ctypes.c_int64
    rounds = 10**6
    each = code.products_of_a_round() * rounds / 1e9
    found = {"products": each / _least(lambda: code.products(ctypes.c_int64(rounds)))}
    for level, size in LEVELS.items():
        buffer = ctypes.create_string_buffer(size)
        ctypes.memset(buffer, 1, size)
        times = max(1, 2**26 // size)

        def read(buffer: object = buffer, size: int = size, times: int = times) -> None:
            for _ in range(times):
                code.read(buffer, ctypes.c_int64(size))

        found[level] = size * times / 1e9 / _least(read)
    return found


def _least(run: Callable[[], object]) -> float:
    """Seconds of a call, the least of several, once it is warm."""
    run()
    least, end = float("inf"), time.perf_counter() + _REPEATS * _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - start)
    return least
