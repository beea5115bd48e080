// Whether tiles may be used: the processor has them, and Linux lets this process.
//
// Its tile registers are 8 KiB more that Linux saves for a thread, for which a process asks once.
#include "product.h"

#ifdef NENNI_AMX

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nenni {

bool may_use_amx() {
  constexpr long ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18; // of Linux's asm/prctl.h
  constexpr unsigned AMX_TILE = 1u << 24, AMX_INT8 = 1u << 25; // of cpuid 7, in edx
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(edx & AMX_TILE) || !(edx & AMX_INT8))
    return false;
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
}

} // namespace nenni

#endif
