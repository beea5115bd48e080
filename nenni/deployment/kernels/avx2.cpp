// Tiles of 4 positions x 16 channels by vpmaddubsw, which adds two products of bytes in 16 bits.
//
// Codes of 0 to 127 cannot overflow those (2 * 127 * 127 < 2^15). Signed ones are multiplied as
// magnitudes, with their signs on the weights.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC target("avx2,fma")
#endif
#include <immintrin.h>

#include "tiles.h"

namespace nenni {
namespace {

struct Pair {
  __m256i low, high;
};

template <bool SIGNED>
struct Avx2 {
  static constexpr int POSITIONS = 4, BLOCKS = 1;
  using Acc = Pair;
  using Weights = Pair;
  using Codes = __m256i;
  struct Numbers {
    __m256 low, high;
  };
  struct Affine {
    Numbers factor, offset;
  };

  static Acc zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Acc start(const int32_t*) { return zero(); } // the products have no zero to undo
  static Weights load(const int8_t* at) { return {bytes(at), bytes(at + 32)}; }
  static Codes broadcast(const uint8_t* at) {
    int32_t four;
    __builtin_memcpy(&four, at, sizeof four);
    const __m256i u = _mm256_set1_epi32(four);
    return SIGNED ? _mm256_xor_si256(u, _mm256_set1_epi8(char(0x80))) : u;
  }
  static void add_products(Acc& acc, Codes u, const Weights& w) {
    acc.low = _mm256_add_epi32(acc.low, products(u, w.low));
    acc.high = _mm256_add_epi32(acc.high, products(u, w.high));
  }
  static void add(Acc& total, const Acc& acc) {
    total.low = _mm256_add_epi32(total.low, acc.low);
    total.high = _mm256_add_epi32(total.high, acc.high);
  }
  static Affine affine(const float* factor, const float* offset) {
    return {numbers(factor), numbers(offset)};
  }
  static Numbers apply(const Acc& acc, const Affine& a) {
    return {_mm256_fmadd_ps(_mm256_cvtepi32_ps(acc.low), a.factor.low, a.offset.low),
            _mm256_fmadd_ps(_mm256_cvtepi32_ps(acc.high), a.factor.high, a.offset.high)};
  }
  static Numbers scaled(const Acc& total, const float* factor, const float* offset, int n) {
    const __m256 count = _mm256_set1_ps(float(n));
    const Numbers by = numbers(offset);
    return apply(total, {numbers(factor), {_mm256_mul_ps(count, by.low), _mm256_mul_ps(count, by.high)}});
  }
  static Numbers magnitude(const Acc& acc, const float* factor, const float* offset) {
    const Numbers y = apply(acc, affine(factor, offset));
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, y.low), _mm256_andnot_ps(sign, y.high)};
  }
  static void plus(Numbers& y, const Numbers& other) {
    y = {_mm256_add_ps(y.low, other.low), _mm256_add_ps(y.high, other.high)};
  }
  static float sum(const Numbers& y) {
    const __m256 eight = _mm256_add_ps(y.low, y.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  }
  static void add_residual(Numbers& y, const uint8_t* at, float factor, int lanes) {
    alignas(16) uint8_t codes[LANES] = {};
    for (int i = 0; i < lanes; ++i) codes[i] = at[i];
    const __m128i all = _mm_load_si128((const __m128i*)codes);
    const __m256 by = _mm256_set1_ps(factor);
    const __m256i low = _mm256_cvtepu8_epi32(all);
    const __m256i high = _mm256_cvtepu8_epi32(_mm_srli_si128(all, 8));
    y.low = _mm256_fmadd_ps(_mm256_cvtepi32_ps(low), by, y.low);
    y.high = _mm256_fmadd_ps(_mm256_cvtepi32_ps(high), by, y.high);
  }
  static void store_codes(const Numbers& y, float low, float high, int zero, uint8_t* at,
                          int lanes) {
    const __m256i a = code(y.low, low, high, zero), b = code(y.high, low, high, zero);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xd8);
    const __m128i packed =
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (lanes == LANES) return _mm_storeu_si128((__m128i*)at, packed);
    alignas(16) uint8_t codes[LANES];
    _mm_store_si128((__m128i*)codes, packed);
    for (int i = 0; i < lanes; ++i) at[i] = codes[i];
  }
  static void store_numbers(const Numbers& y, float low, float high, float* at, int lanes) {
    alignas(32) float all[LANES];
    spread(y, all);
    for (int i = 0; i < lanes; ++i) at[i] = all[i] < low ? low : all[i] > high ? high : all[i];
  }

 private:
  static __m256i bytes(const int8_t* at) { return _mm256_loadu_si256((const __m256i*)at); }
  static Numbers numbers(const float* at) { return {_mm256_loadu_ps(at), _mm256_loadu_ps(at + 8)}; }
  static void spread(const Numbers& y, float* at) {
    _mm256_store_ps(at, y.low);
    _mm256_store_ps(at + 8, y.high);
  }
  static __m256i products(__m256i u, __m256i w) {
    const __m256i pairs = SIGNED ? _mm256_maddubs_epi16(_mm256_abs_epi8(u), _mm256_sign_epi8(w, u))
                                 : _mm256_maddubs_epi16(u, w);
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  }
  static __m256i code(__m256 y, float low, float high, int zero) {
    y = _mm256_min_ps(_mm256_max_ps(y, _mm256_set1_ps(low)), _mm256_set1_ps(high));
    return _mm256_add_epi32(_mm256_cvtps_epi32(y), _mm256_set1_epi32(zero));
  }
};

} // namespace

void run_avx2(const Product& w, const Output& out, const Score* score, const Images& images,
              int32_t p0, int32_t p1, int32_t c0, int32_t c1) {
  if (w.is_signed)
    run<Avx2<true>>(w, out, score, images, p0, p1, c0, c1);
  else
    run<Avx2<false>>(w, out, score, images, p0, p1, c0, c1);
}

} // namespace nenni
#if defined(__clang__)
#pragma clang attribute pop
#endif
