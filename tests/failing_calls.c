/* failing_calls.c: a library to be preloaded, in which system calls on files fail or kill the process when told to.
 *
 * arm(at, error): from now on calls are counted; call number `at` (from 0) sets errno to `error` and fails, or, if
 * `error` is 0, kills the process before it is made. counted() tells how many there were. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int armed, target, failure, calls;

void arm(int at, int error)
{
    armed = 1, target = at, failure = error, calls = 0;
}

int counted(void)
{
    armed = 0;
    return calls;
}

/* Whether this call fails. */
static int fails(void)
{
    if (!armed || calls++ != target)
        return 0;
    if (!failure)
        kill(getpid(), SIGKILL);
    errno = failure;
    return 1;
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) \
        real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int open_as(const char *name, const char *path, int flags, int mode)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
    return fails() ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    return open_as("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const int mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    return open_as("open64", path, flags, mode);
}

ssize_t write(int file, const void *data, size_t size)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    return fails() ? -1 : real(file, data, size);
}

int fsync(int file)
{
    REAL(int, "fsync", int);
    return fails() ? -1 : real(file);
}

int fchmod(int file, mode_t mode)
{
    REAL(int, "fchmod", int, mode_t);
    return fails() ? -1 : real(file, mode);
}

int close(int file)
{
    REAL(int, "close", int);
    if (fails()) {
        const int error = errno;
        real(file);
        errno = error;
        return -1;
    }
    return real(file);
}

int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    return fails() ? -1 : real(from, to);
}

int unlink(const char *path)
{
    REAL(int, "unlink", const char *);
    return fails() ? -1 : real(path);
}
