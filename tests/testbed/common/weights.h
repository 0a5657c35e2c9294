/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages that are accessed at random, each as often as its weight says, so that the shares of
 * samples can be held against those of accesses. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WEIGHTS_PAGES 100

/* Small pages, locked and filled; NULL when memory is short. */
uint8_t *weights_pages(void);

/* One load of one page a round. Page p is drawn with a probability in proportion to 20 + p. */
void weights_load(const uint8_t *pages, size_t rounds);
