// Tiles of 8 positions x 32 channels by vpdpbusd.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#include "avx512_vnni.h"

namespace nenni {

void run_avx512_vnni(const Product& w, const Output& out, const Score* score, const Images& images,
                     int32_t p0, int32_t p1, int32_t c0, int32_t c1) {
  run<Avx512Vnni>(w, out, score, images, p0, p1, c0, c1);
}

} // namespace nenni
#if defined(__clang__)
#pragma clang attribute pop
#endif
