// 16 sums in a register, to which vpdpbusd adds four products each; for files compiled for AVX-512.
#pragma once
#include <immintrin.h>

#include "tiles.h"

namespace nenni {
namespace {

struct Avx512Vnni {
  static constexpr int POSITIONS = 8, BLOCKS = 2; // 16 sums hide the instruction's latency
  using Acc = __m512i;
  using Weights = __m512i;
  using Codes = __m512i;
  using Numbers = __m512;
  struct Affine {
    __m512 factor, offset;
  };

  static Acc zero() { return _mm512_setzero_si512(); }
  static Acc start(const int32_t* at) { return _mm512_loadu_si512(at); }
  static Weights load(const int8_t* at) { return _mm512_loadu_si512(at); }
  static Codes broadcast(const uint8_t* at) {
    int32_t four;
    __builtin_memcpy(&four, at, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static void add_products(Acc& acc, Codes u, Weights w) { acc = _mm512_dpbusd_epi32(acc, u, w); }
  static void add(Acc& total, Acc acc) { total = _mm512_add_epi32(total, acc); }
  static Affine affine(const float* factor, const float* offset) {
    return {_mm512_loadu_ps(factor), _mm512_loadu_ps(offset)};
  }
  static Numbers apply(Acc acc, const Affine& a) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc), a.factor, a.offset);
  }
  static Numbers scaled(Acc total, const float* factor, const float* offset, int n) {
    const __m512 times = _mm512_mul_ps(_mm512_set1_ps(float(n)), _mm512_loadu_ps(offset));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), _mm512_loadu_ps(factor), times);
  }
  static Numbers magnitude(Acc acc, const float* factor, const float* offset) {
    return _mm512_abs_ps(apply(acc, affine(factor, offset)));
  }
  static void plus(Numbers& y, Numbers other) { y = _mm512_add_ps(y, other); }
  static float sum(Numbers y) { return _mm512_reduce_add_ps(y); }
  static void add_residual(Numbers& y, const uint8_t* at, float factor, int lanes) {
    const __m512i codes = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask(lanes), at));
    y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(codes), _mm512_set1_ps(factor), y);
  }
  static void store_codes(Numbers y, float low, float high, int zero, uint8_t* at, int lanes) {
    y = _mm512_min_ps(_mm512_max_ps(y, _mm512_set1_ps(low)), _mm512_set1_ps(high));
    const __m512i code = _mm512_add_epi32(_mm512_cvtps_epi32(y), _mm512_set1_epi32(zero));
    _mm_mask_storeu_epi8(at, mask(lanes), _mm512_cvtepi32_epi8(code));
  }
  static void store_numbers(Numbers y, float low, float high, float* at, int lanes) {
    y = _mm512_min_ps(_mm512_max_ps(y, _mm512_set1_ps(low)), _mm512_set1_ps(high));
    _mm512_mask_storeu_ps(at, mask(lanes), y);
  }
  static __mmask16 mask(int lanes) { return __mmask16((1u << lanes) - 1); }
};

} // namespace
} // namespace nenni
