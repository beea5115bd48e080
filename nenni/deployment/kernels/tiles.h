// The loop over register tiles, for one vector type V; included by a file for each instruction set.
//
// V::Acc is LANES sums of 32 bits. This file and those that include it call no library: a function
// that is compiled for one instruction set may be linked in the place of its twin for all.
#pragma once
#include "product.h"

namespace nenni {
namespace {

// Of more than 62 taps (nenni/deployment/plane.py) all are taken.
inline bool has(int64_t taps, int32_t t) { return taps >> (t & 63) & 1; }

// acc[p][b] = start + the sum of w u over the steps of some taps, for P positions and B blocks.
//
// The sums stay in registers: all loops over them are unrolled, and nothing else sees their array.
template <class V, int P, int B>
inline void multiply(const Product& w, const uint8_t* const (&rows)[P], int64_t taps, int32_t block,
                     typename V::Acc (&acc)[P][B]) {
  const int32_t blocks = (w.channels + LANES - 1) / LANES, quads = w.steps / w.taps;
  const int64_t block_bytes = int64_t(w.steps) * LANES * QUAD;
  typename V::Acc from[B], sums[P][B];
  if (taps == w.all_taps) {
    for (int b = 0; b < B; ++b)
      from[b] = V::start(w.start + (int64_t(w.taps) * blocks + block + b) * LANES);
  } else {
    for (int b = 0; b < B; ++b) from[b] = V::zero();
    for (int32_t t = 0; t < w.taps; ++t)
      if (has(taps, t))
        for (int b = 0; b < B; ++b)
          V::add(from[b], V::start(w.start + (int64_t(t) * blocks + block + b) * LANES));
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
    for (int b = 0; b < B; ++b) sums[p][b] = from[b];
  for (int32_t t = 0, stop; t < w.taps; t = stop) { // taps that follow one another
    for (stop = t + 1; stop < w.taps && has(taps, stop) == has(taps, t);) ++stop;
    if (!has(taps, t)) continue;
    const int8_t* weights = w.weights + block * block_bytes + int64_t(t) * quads * LANES * QUAD;
    for (const int32_t *step = w.step + t * quads, *end = w.step + stop * quads; step < end; ++step) {
      const int64_t at = *step;
      typename V::Weights loaded[B];
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b) loaded[b] = V::load(weights + b * block_bytes);
      weights += LANES * QUAD;
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        const typename V::Codes u = V::broadcast(rows[p] + at);
#pragma GCC unroll 8
        for (int b = 0; b < B; ++b) V::add_products(sums[p][b], u, loaded[b]);
      }
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
    for (int b = 0; b < B; ++b) acc[p][b] = sums[p][b];
}

// What a block's sums at `count` positions add to the score of their tile, channel by channel.
template <class V, int B>
inline typename V::Numbers scores(const Score& score, const typename V::Acc (*acc)[B], int b,
                                  int count, int32_t c) {
  const float *const factor = score.factor + c, *const offset = score.offset + c;
  if (score.magnitude) {
    typename V::Numbers y = V::magnitude(acc[0][b], factor, offset);
    for (int p = 1; p < count; ++p) V::plus(y, V::magnitude(acc[p][b], factor, offset));
    return y;
  }
  typename V::Acc total = acc[0][b];
  for (int p = 1; p < count; ++p) V::add(total, acc[p][b]);
  return V::scaled(total, factor, offset, count);
}

template <class V, int B>
inline void add_scores(const Score& score, int64_t image, int32_t p0, int32_t count, int32_t block,
                       const typename V::Acc (*acc)[B]) {
  float* const sums = score.sums + image * score.image_stride;
  for (int32_t p = 0, stop; p < count; p = stop) { // the positions of one tile at a time
    const int32_t place = (p0 + p) / score.tile_positions;
    stop = (place + 1) * score.tile_positions - p0;
    if (stop > count) stop = count;
    for (int b = 0; b < B;) { // and its channels
      const int32_t row = (block + b) * LANES / score.tile_channels;
      typename V::Numbers y = scores<V, B>(score, acc + p, b, stop - p, (block + b) * LANES);
      for (++b; b < B && (block + b) * LANES / score.tile_channels == row; ++b)
        V::plus(y, scores<V, B>(score, acc + p, b, stop - p, (block + b) * LANES));
      sums[row * score.tiles_along_positions + place] += V::sum(y);
    }
  }
}

// Scores the sums of `count` positions of an image from p0 on, and writes what becomes of them.
//
// `out` is a copy: what is written to its codes cannot change it, which the compiler has to know.
template <class V, int B>
inline void finish(const Product& w, const Output out, const Score* score, int64_t image,
                   int32_t p0, int32_t count, int32_t block, const typename V::Acc (*acc)[B]) {
  if (score) add_scores<V, B>(*score, image, p0, count, block, acc);
  for (int b = 0; b < B; ++b) {
    const int32_t c = (block + b) * LANES;
    const int32_t lanes = w.channels - c < LANES ? w.channels - c : LANES;
    const typename V::Affine affine = V::affine(out.factor + c, out.offset + c);
    for (int p = 0; p < count; ++p) {
      typename V::Numbers y = V::apply(acc[p][b], affine);
      if (out.residual)
        V::add_residual(y, out.residual + image * out.residual_stride +
                               out.residual_position[p0 + p] + c, out.residual_factor, lanes);
      const int64_t place = image * out.image_stride + out.position[p0 + p] + c;
      if (out.codes)
        V::store_codes(y, out.low, out.high, out.zero, out.codes + place, lanes);
      else
        V::store_numbers(y, out.low, out.high, out.numbers + place, lanes);
    }
  }
}

inline int64_t nth(const Images& images, int32_t n) { return images.first + n * images.apart; }

// `count` of P positions from p0 on, in each of I images from the nth on.
template <class V, int I, int P, int B>
inline void tile(const Product& w, const Output& out, const Score* score, const Images& images,
                 int32_t n, int32_t p0, int32_t count, int32_t block) {
  const uint8_t* rows[I * P];
  int64_t taps = 0;
  for (int i = 0; i < I; ++i) {
    const int64_t image = nth(images, n + i);
    for (int p = 0; p < P; ++p) {
      const int32_t place = p0 + (p < count ? p : count - 1);
      rows[i * P + p] = w.codes + image * w.image_stride + w.position[place];
      taps |= w.inside[place];
      if (out.residual) // which is read after the products, all at once
        __builtin_prefetch(out.residual + image * out.residual_stride +
                           out.residual_position[place] + block * LANES);
    }
  }
  typename V::Acc acc[I * P][B];
  multiply<V, I * P, B>(w, rows, taps, block, acc);
  for (int i = 0; i < I; ++i)
    finish<V, B>(w, out, score, nth(images, n + i), p0, count, block, acc + i * P);
}

template <class V, int I, int P, int B>
inline void along_positions(const Product& w, const Output& out, const Score* score,
                            const Images& images, int32_t n, int32_t p0, int32_t p1,
                            int32_t block) {
  for (int32_t p = p0; p < p1; p += P)
    tile<V, I, P, B>(w, out, score, images, n, p, p1 - p < P ? p1 - p : P, block);
}

template <class V, int I, int P>
inline void by_tiles(const Product& w, const Output& out, const Score* score, const Images& images,
                     int32_t n, int32_t p0, int32_t p1, int32_t c0, int32_t c1) {
  const int32_t end = (c1 + LANES - 1) / LANES;
  int32_t block = c0 / LANES;
  for (; block + V::BLOCKS <= end; block += V::BLOCKS)
    along_positions<V, I, P, V::BLOCKS>(w, out, score, images, n, p0, p1, block);
  for (; block < end; ++block)
    along_positions<V, I, P, 1>(w, out, score, images, n, p0, p1, block);
}

template <class V>
inline void run(const Product& w, const Output& out, const Score* score, const Images& images,
                int32_t p0, int32_t p1, int32_t c0, int32_t c1) {
  constexpr int FILL = V::POSITIONS / NARROW; // images whose rows fill a register tile
  static_assert(FILL <= TOGETHER, "more images would never come together");
  int32_t n = 0;
  for (; w.narrow && n + FILL <= images.count; n += FILL)
    by_tiles<V, FILL, NARROW>(w, out, score, images, n, p0, p1, c0, c1);
  for (; w.narrow && n < images.count; ++n)
    by_tiles<V, 1, NARROW>(w, out, score, images, n, p0, p1, c0, c1);
  for (; n < images.count; ++n)
    by_tiles<V, 1, V::POSITIONS>(w, out, score, images, n, p0, p1, c0, c1);
}

} // namespace
} // namespace nenni
