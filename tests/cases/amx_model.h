// The tile unit in plain C++, in the place of its instructions: for processors that have none.
//
// What ldtilecfg, tileloadd, tilezero, tdpbusd and tilestored do, as Intel's reference of
// intrinsics tells it. What the hardware refuses ends the program.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace nenni {
inline bool may_use_amx() { return true; }
} // namespace nenni

namespace amx_model {

struct Tile {
  int rows = 0, bytes = 0;
  uint8_t at[16][64] = {};
};

struct Unit {
  bool configured = false;
  Tile tiles[8];
};

inline thread_local Unit unit;

inline void refuse(const char* why) {
  std::fprintf(stderr, "tile unit: %s\n", why);
  std::abort();
}

inline Tile& tile(int i) {
  if (!unit.configured) refuse("is not configured");
  if (unit.tiles[i].rows == 0) refuse("a tile without rows");
  return unit.tiles[i];
}

inline void load_config(const void* from) {
  uint8_t bytes[64];
  std::memcpy(bytes, from, sizeof bytes);
  if (bytes[0] != 1) refuse("only palette 1 is known");
  for (int i = 1; i < 16; ++i)
    if (bytes[i]) refuse("reserved bytes of a configuration");
  unit = Unit{};
  unit.configured = true;
  for (int i = 0; i < 16; ++i) {
    const int wide = bytes[16 + 2 * i] | bytes[17 + 2 * i] << 8, rows = bytes[48 + i];
    if (i >= 8 && (wide || rows)) refuse("there are eight tiles");
    if (wide > 64 || rows > 16 || !wide != !rows) refuse("a tile has 16 rows of 64 bytes");
    if (i < 8) {
      unit.tiles[i].rows = rows;
      unit.tiles[i].bytes = wide;
    }
  }
}

inline void zero(int i) { std::memset(tile(i).at, 0, sizeof tile(i).at); }

inline void load(int i, const void* from, long stride) {
  Tile& into = tile(i);
  zero(i);
  for (int row = 0; row < into.rows; ++row)
    std::memcpy(into.at[row], static_cast<const uint8_t*>(from) + row * stride, into.bytes);
}

inline void store(int i, void* into, long stride) {
  const Tile& from = tile(i);
  for (int row = 0; row < from.rows; ++row)
    std::memcpy(static_cast<uint8_t*>(into) + row * stride, from.at[row], from.bytes);
}

// Of four pairs of bytes: a without a sign, b with one.
inline void add_products(int sums, int a, int b) {
  Tile &c = tile(sums), &codes = tile(a), &weights = tile(b);
  if (sums == a || sums == b || a == b) refuse("one tile twice");
  if (c.rows != codes.rows || c.bytes != weights.bytes || codes.bytes != 4 * weights.rows)
    refuse("tiles that do not fit one another");
  for (int m = 0; m < c.rows; ++m)
    for (int n = 0; n < c.bytes / 4; ++n) {
      int32_t sum;
      std::memcpy(&sum, c.at[m] + 4 * n, sizeof sum);
      for (int k = 0; k < codes.bytes; ++k)
        sum += int32_t(codes.at[m][k]) * int8_t(weights.at[k / 4][4 * n + k % 4]);
      std::memcpy(c.at[m] + 4 * n, &sum, sizeof sum);
    }
}

inline void release() { unit = Unit{}; }

} // namespace amx_model

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbusd
#define _tile_loadconfig amx_model::load_config
#define _tile_release amx_model::release
#define _tile_loadd amx_model::load
#define _tile_stored amx_model::store
#define _tile_zero amx_model::zero
#define _tile_dpbusd amx_model::add_products
