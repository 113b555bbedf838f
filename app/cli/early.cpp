// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include <cstdlib>

namespace {

/// libgomp, which runs torch's loops, lets idle threads spin for milliseconds before they sleep.
/// On a machine whose cores are busy elsewhere they then burn the time that the working thread
/// needs: measured beside four busy programs, an evaluation ran at 2,500 tokens/s, and at 6,700 so.
/// A short spin keeps the quick hand-over between the small loops of one token. Who sets the
/// standard variables is obeyed.
void shortenSpinning(int, char**, char**) {
    if (!std::getenv("OMP_WAIT_POLICY")) ::setenv("GOMP_SPINCOUNT", "20000", /*overwrite=*/0);
}

} // namespace

/// libgomp reads the environment when it is loaded, which is before any constructor of the
/// program; the dynamic linker runs this array before it initializes any library.
[[gnu::section(".preinit_array"),
  gnu::used]] static void (*const beforeLibraries)(int, char**, char**) = shortenSpinning;
