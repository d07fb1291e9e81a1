/* preload.c: put before the C library by LD_PRELOAD, counts allocations and lets one of them fail. glibc only. */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_int counting;
static atomic_size_t least;
static atomic_long seen, failing;

/* From now on count allocations of so many bytes or more, in all threads; the n-th one fails, none if n is 0. */
void preload_start(size_t bytes, long n)
{
    least = bytes;
    failing = n;
    seen = 0;
    counting = 1;
}

/* Count no longer; returns how many there were. */
long preload_stop(void)
{
    counting = 0;
    return seen;
}

static int fails(size_t size)
{
    if (!counting || size < least || atomic_fetch_add(&seen, 1) + 1 != failing)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return fails(size) ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) { return fails(count * size) ? NULL : __libc_calloc(count, size); }

void *realloc(void *memory, size_t size) { return fails(size) ? NULL : __libc_realloc(memory, size); }

void *memalign(size_t alignment, size_t size) { return fails(size) ? NULL : __libc_memalign(alignment, size); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *made = memalign(alignment, size);
    if (!made)
        return ENOMEM;
    *memory = made;
    return 0;
}
