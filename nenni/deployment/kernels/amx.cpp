// Tiles of 32 positions x 32 channels by tdpbusd, which adds 64 products to each of 16 x 16 sums.
//
// A tile register has 16 rows of 64 bytes: the codes of 16 positions at 16 steps, the weights of 16
// channels at those steps, just as they are packed, or sums. Taps in the padding are not left out:
// their codes are those of 0, so that the start of all taps holds.
#include "product.h"

#ifdef NENNI_AMX // older compilers know not even the name of the target
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC target("amx-tile,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#include "avx512_vnni.h"

namespace nenni {
namespace {

constexpr int32_t ROWS = 16, STEPS = 16, ROW_BYTES = STEPS * QUAD;
constexpr int32_t GROUPS = 2, BLOCKS = 2; // of rows, and of channels, that share what is loaded

struct alignas(64) Configuration { // what ldtilecfg reads
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

constexpr Configuration eight_tiles() {
  Configuration all;
  for (int i = 0; i < 8; ++i) {
    all.row_bytes[i] = ROW_BYTES;
    all.rows[i] = ROWS;
  }
  return all;
}

constexpr Configuration EIGHT_TILES = eight_tiles();

// What was stored is in memory, where a compiler does not know that a tile is loaded from it.
inline void settle() { __asm__ volatile("" ::: "memory"); }

struct Rows {
  const uint8_t* first;
  int64_t stride;
};

// 16 rows from one image: bytes from it to their positions, the last one repeated.
struct Group {
  int32_t position[ROWS];
  bool even; // whether they lie at equal distances

  Group(const Product& w, int32_t p0, int32_t count) {
    for (int32_t i = 0; i < ROWS; ++i) position[i] = w.position[p0 + (i < count ? i : count - 1)];
    even = true;
    for (int32_t i = 2; i < ROWS; ++i) even &= position[i] - position[i - 1] == stride();
  }

  int32_t stride() const { return position[1] - position[0]; }
};

// Codes of a group at steps [s, stop): where they lie, or gathered. What is beyond meets weights of 0.
inline Rows rows(const Product& w, const uint8_t* codes, const Group& group, int32_t s,
                 int32_t stop, uint8_t* gathered) {
  // Each step is QUAD bytes or more from the one before.
  if (group.even && stop - s == STEPS && w.step[stop - 1] - w.step[s] == (STEPS - 1) * QUAD)
    return {codes + group.position[0] + w.step[s], group.stride()};
  for (int32_t from = s, to; from < stop; from = to) { // steps that follow one another
    for (to = from + 1; to < stop && w.step[to] - w.step[from] == (to - from) * QUAD;) ++to;
    const __mmask64 bytes = ~__mmask64(0) >> (ROW_BYTES - (to - from) * QUAD);
    const uint8_t* const first = codes + w.step[from];
    uint8_t* const into = gathered + (from - s) * QUAD;
    for (int32_t i = 0; i < ROWS; ++i)
      _mm512_mask_storeu_epi8(into + i * ROW_BYTES, bytes,
                              _mm512_maskz_loadu_epi8(bytes, first + group.position[i]));
  }
  return {gathered, ROW_BYTES};
}

// Weights of a block at steps [s, stop): where they lie, or copied, with zeros up to 16 steps.
inline const int8_t* weights(const Product& w, int32_t block, int32_t s, int32_t stop,
                             int8_t* copied) {
  const int8_t* const first = w.weights + (int64_t(block) * w.steps + s) * LANES * QUAD;
  if (stop - s == STEPS) return first;
  for (int32_t i = 0; i < STEPS; ++i) {
    const __m512i step = s + i < stop ? _mm512_loadu_si512(first + i * LANES * QUAD) : _mm512_setzero_si512();
    _mm512_store_si512(copied + i * LANES * QUAD, step);
  }
  return copied;
}

struct alignas(64) Sums {
  int32_t of[GROUPS][BLOCKS][ROWS][LANES];
};

// Tile registers: 0 to 3 sums, 4 and 5 codes of each group, 6 and 7 weights of each block.
template <int B>
inline void multiply(const Product& w, const uint8_t* codes, const Group (&groups)[GROUPS],
                     bool both, int32_t block, Sums& sums) {
  alignas(64) uint8_t gathered[GROUPS][ROWS * ROW_BYTES];
  alignas(64) int8_t copied[BLOCKS][STEPS * LANES * QUAD];
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int32_t s = 0; s < w.steps; s += STEPS) {
    const int32_t stop = s + STEPS < w.steps ? s + STEPS : w.steps;
    const int8_t* const first = weights(w, block, s, stop, copied[0]);
    const int8_t* const second = B == 2 ? weights(w, block + 1, s, stop, copied[1]) : nullptr;
    const Rows low = rows(w, codes, groups[0], s, stop, gathered[0]);
    const Rows high = both ? rows(w, codes, groups[1], s, stop, gathered[1]) : low;
    settle();
    _tile_loadd(4, low.first, low.stride);
    _tile_loadd(6, first, LANES * QUAD);
    _tile_dpbusd(0, 4, 6);
    if (B == 2) {
      _tile_loadd(7, second, LANES * QUAD);
      _tile_dpbusd(1, 4, 7);
    }
    if (both) {
      _tile_loadd(5, high.first, high.stride);
      _tile_dpbusd(2, 5, 6);
      if (B == 2) _tile_dpbusd(3, 5, 7);
    }
    settle();
  }
  _tile_stored(0, sums.of[0][0], LANES * sizeof(int32_t));
  if (B == 2) _tile_stored(1, sums.of[0][1], LANES * sizeof(int32_t));
  if (both) {
    _tile_stored(2, sums.of[1][0], LANES * sizeof(int32_t));
    if (B == 2) _tile_stored(3, sums.of[1][1], LANES * sizeof(int32_t));
  }
  settle();
}

template <int B>
inline void finish_all(const Product& w, const Output& out, const Score* score, int64_t image,
                       int32_t p0, int32_t count, int32_t block, const Sums& sums) {
  constexpr int P = Avx512Vnni::POSITIONS;
  const int64_t blocks = (w.channels + LANES - 1) / LANES;
  for (int32_t p = 0; p < count; p += P) {
    __m512i acc[P][B];
    for (int i = 0; i < P; ++i)
      for (int b = 0; b < B; ++b)
        acc[i][b] = _mm512_add_epi32(
            _mm512_load_si512(sums.of[(p + i) / ROWS][b][(p + i) % ROWS]),
            _mm512_loadu_si512(w.start + (w.taps * blocks + block + b) * LANES));
    finish<Avx512Vnni, B>(w, out, score, image, p0 + p, count - p < P ? count - p : P, block, acc);
  }
}

template <int B>
inline void along_positions(const Product& w, const Output& out, const Score* score, int64_t image,
                            int32_t p0, int32_t p1, int32_t block) {
  const uint8_t* const codes = w.codes + image * w.image_stride;
  Sums sums;
  for (int32_t p = p0; p < p1; p += GROUPS * ROWS) {
    const int32_t count = p1 - p < GROUPS * ROWS ? p1 - p : GROUPS * ROWS;
    const bool both = count > ROWS;
    const Group low(w, p, both ? ROWS : count);
    const Group groups[GROUPS] = {low, both ? Group(w, p + ROWS, count - ROWS) : low};
    multiply<B>(w, codes, groups, both, block, sums);
    finish_all<B>(w, out, score, image, p, count, block, sums);
  }
}

} // namespace

void run_amx(const Product& w, const Output& out, const Score* score, const Images& images,
             int32_t p0, int32_t p1, int32_t c0, int32_t c1) {
  settle();
  _tile_loadconfig(&EIGHT_TILES);
  const int32_t end = (c1 + LANES - 1) / LANES;
  for (int32_t n = 0; n < images.count; ++n) {
    int32_t block = c0 / LANES;
    for (; block + BLOCKS <= end; block += BLOCKS)
      along_positions<BLOCKS>(w, out, score, nth(images, n), p0, p1, block);
    if (block < end) along_positions<1>(w, out, score, nth(images, n), p0, p1, block);
  }
  _tile_release(); // other libraries may use tiles too
}

} // namespace nenni
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
