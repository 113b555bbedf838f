// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

// For functions that are compiled for the processor and for the GPU alike.
#ifdef __CUDACC__
#define BITLOOM_HD __host__ __device__ __forceinline__
#define BITLOOM_BOTH __host__ __device__
#define BITLOOM_UNROLL _Pragma("unroll")
#define BITLOOM_UNROLL_TWICE _Pragma("unroll 2")
#define BITLOOM_ROLLED _Pragma("unroll 1")
#else
#define BITLOOM_HD inline
#define BITLOOM_BOTH
#define BITLOOM_UNROLL
#define BITLOOM_UNROLL_TWICE
#define BITLOOM_ROLLED
#endif
