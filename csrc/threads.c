/* threads.c: what to know about OpenMP and its threads before a parallel region begins. */
#define _GNU_SOURCE /* syscall(), MAP_STACK */

#include "fastnn.h"

#include <stddef.h>

#ifdef _OPENMP
#include <omp.h>
#include <pthread.h>
#include <sys/mman.h>
#ifndef MAP_STACK
#define MAP_STACK 0
#endif
#endif

#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

int fnn_has_openmp(void)
{
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}

int fnn_max_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

int fnn_in_parallel(void)
{
#ifdef _OPENMP
    return omp_in_parallel();
#else
    return 0;
#endif
}

int fnn_start_team(int threads)
{
    int team = 1;
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
    {
#pragma omp master
        team = omp_get_num_threads();
    }
#endif
    (void)threads;
    return team;
}

void fnn_release_threads(void)
{
#if defined(_OPENMP) && (_OPENMP >= 201811 || __GNUC__ >= 9 || __clang_major__ >= 9) /* had it before they said so */
    omp_pause_resource_all(omp_pause_soft);
#endif
}

#ifdef _OPENMP
typedef struct {
    pthread_t handle;
    pthread_mutex_t *gate;
    void *stack;
    long id;
} trial;

/* Lives until the gate opens. */
static void *live(void *argument)
{
    trial *self = argument;
#ifdef __linux__
    self->id = syscall(SYS_gettid);
#endif
    pthread_mutex_lock(self->gate);
    pthread_mutex_unlock(self->gate);
    return NULL;
}

/* For some microseconds after it was joined, a thread still counts against the limits of the system. */
static void wait_until_gone(const trial *t)
{
#ifdef __linux__
    for (int tries = 0; tries < 1000 && syscall(SYS_tgkill, getpid(), t->id, 0) == 0; tries++)
        sched_yield();
#else
    (void)t;
#endif
}

/* On a stack of ours: the C library would keep its own for later threads, and so that memory from everybody else. */
static int begin(trial *t, size_t stack_bytes)
{
    t->stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (t->stack == MAP_FAILED)
        return 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    const int made = pthread_attr_setstack(&attributes, t->stack, stack_bytes) == 0
                     && pthread_create(&t->handle, &attributes, live, t) == 0;
    pthread_attr_destroy(&attributes);
    if (!made)
        munmap(t->stack, stack_bytes);
    return made;
}

/* The stack of OpenMP's threads with its guard: the given size, or the default where that is 0 or refused. */
static size_t whole_stack(int64_t stack_bytes)
{
    enum { GUARD = 1 << 16 };
    size_t found = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack_bytes)
        pthread_attr_setstacksize(&attributes, (size_t)stack_bytes);
    pthread_attr_getstacksize(&attributes, &found);
    pthread_attr_destroy(&attributes);
    return (found + 2 * GUARD - 1) / GUARD * GUARD;
}

int fnn_try_threads(int count, int64_t stack_bytes)
{
    trial trials[FNN_MOST_TRIALS];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    const size_t stack = whole_stack(stack_bytes);
    int made = 0;
    pthread_mutex_lock(&gate);
    while (made < count && made < FNN_MOST_TRIALS) {
        trials[made].gate = &gate;
        if (!begin(&trials[made], stack))
            break;
        made++;
    }
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < made; i++) {
        pthread_join(trials[i].handle, NULL);
        munmap(trials[i].stack, stack);
    }
    for (int i = 0; i < made; i++)
        wait_until_gone(&trials[i]);
    return made;
}
#else
int fnn_try_threads(int count, int64_t stack_bytes)
{
    (void)stack_bytes;
    return count;
}
#endif
