/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts the allocations of a test program: in place of the C library's functions, or through the
 * sanitizer where that has taken their place already. */
#include "common/alloc-count.h"

#include <stdlib.h>

static guint64 count;

#ifdef __SANITIZE_ADDRESS__

/* From sanitizer/common_interface_defs.h, which gcc does not install. */
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));

static void
on_malloc(const volatile void *block, size_t size)
{
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
}

static void
on_free(const volatile void *block)
{
}

guint64
alloc_count(void)
{
    static gboolean installed;

    if (!installed && __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) == 0)
        g_error("the sanitizer takes no hooks");
    installed = TRUE;
    return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);

void *
malloc(size_t size)
{
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    return __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    return __libc_calloc(n, size);
}

void *
realloc(void *block, size_t size)
{
    __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    return __libc_realloc(block, size);
}

guint64
alloc_count(void)
{
    return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

#endif
