/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entry of a fuzz target: libFuzzer calls it, and run-corpus.c where there is none. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Aborts when a promise is broken; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
