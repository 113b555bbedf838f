// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Stand-ins for libbitloom_cuda.so: one that knows only versions to come, and, without the entry,
// some other library.
#ifdef WITH_ENTRY
extern "C" __attribute__((visibility("default"))) const void* bitloomCudaApi(unsigned version) {
    return version > 1000 ? "" : nullptr;
}
#else
extern "C" __attribute__((visibility("default"))) int somethingElse() {
    return 1;
}
#endif
