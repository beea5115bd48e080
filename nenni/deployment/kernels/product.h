// Products of codes: acc = sum of w (u - zero) over a patch, and what becomes of each acc.
#pragma once
#include <cstdint>

#if defined(__x86_64__) && defined(__linux__) && __has_include(<amxint8intrin.h>)
#define NENNI_AMX // the compiler knows tiles, and the system saves them
#endif

namespace nenni {

constexpr int LANES = 16; // channels in a block of packed weights
constexpr int QUAD = 4;   // input channels whose products one instruction adds
constexpr int NARROW = 4; // positions of a register tile where rows are short
constexpr int TOGETHER = 2; // images whose short rows may share one

// Inputs (N, H, W, C) of bytes with their padding, and weights [block][step][LANES][QUAD]. A step is
// QUAD input channels at a tap. Taps that lie in the padding for all positions of a register tile
// are left out.
struct Product {
  const uint8_t* codes;
  int64_t image_stride;    // bytes from one image to the next
  const int32_t* position; // bytes from an image to the first tap of each output position
  const int32_t* step;     // bytes from there to each step
  const int64_t* inside;   // of each position: bit t is set where tap t lies within the image
  int64_t all_taps;        // the bits of a position whose taps all do
  int32_t positions, steps, taps, channels;
  bool narrow; // rows are four positions wide, or four times an odd number
  const int8_t* weights;
  const int32_t* start; // [tap][channel]: -zero * (sum of the weights there); last that of all taps
  bool is_signed;       // codes are stored with 128 added, else they are 0 to 127
};

// code = clip(round(factor acc + offset + residual_factor residual), low, high) + zero
struct Output {
  const float* factor;
  const float* offset;
  const uint8_t* residual; // nullptr: none
  const int32_t* residual_position;
  int64_t residual_stride;
  float residual_factor, low, high;
  int32_t zero;
  uint8_t* codes; // nullptr: numbers are written, not codes
  float* numbers;
  const int32_t* position; // elements from an image to each position's first channel
  int64_t image_stride;    // elements
};

// Adds factor acc + offset, or its magnitude, to the sum of the tile that holds the neuron.
struct Score {
  const float* factor;
  const float* offset;
  bool magnitude;
  int32_t tile_positions, tile_channels, tiles_along_positions;
  float* sums; // [image][tile along channels][tile along positions]
  int64_t image_stride; // elements
};

struct Images { // first, first + apart, ...
  int64_t first, apart;
  int32_t count;
};

// Neurons of some images: positions [p0, p1) of channels [c0, c1), c0 a multiple of LANES.
using Run = void (*)(const Product&, const Output&, const Score*, const Images&, int32_t p0,
                     int32_t p1, int32_t c0, int32_t c1);

void run_avx2(const Product&, const Output&, const Score*, const Images&, int32_t, int32_t, int32_t,
              int32_t);
void run_avx512_vnni(const Product&, const Output&, const Score*, const Images&, int32_t, int32_t,
                     int32_t, int32_t);
#ifdef NENNI_AMX
void run_amx(const Product&, const Output&, const Score*, const Images&, int32_t, int32_t, int32_t,
             int32_t);
bool may_use_amx();
#endif

} // namespace nenni
