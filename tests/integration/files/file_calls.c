/* Counts the calls of this process that change files below a directory, and ends it at one of them.
 *
 * Loaded with LD_PRELOAD; does nothing until file_calls_arm() is called in a child that was forked. Of reads it knows
 * nothing: a process that is killed between two of the counted calls leaves what it would leave at the next one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT = 0, KILL = 1, HALF = 2, STOP = 3, FAIL = 4 };

static atomic_int calls;
static int armed, wanted, mode, log_descriptor = -1;
static char root[PATH_MAX], excluded[PATH_MAX];

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, name)

void file_calls_arm(const char *below, const char *but, int number, int how, int log)
{
    strncpy(root, below, sizeof root - 1);
    strncpy(excluded, but, sizeof excluded - 1);
    wanted = number;
    mode = how;
    log_descriptor = log;
    atomic_store(&calls, 0);
    armed = 1;
}

static int is_ours(const char *path)
{
    size_t length = strlen(root);
    if (strncmp(path, root, length) || (path[length] && path[length] != '/')) return 0;
    return !(excluded[0] && !strncmp(path, excluded, strlen(excluded)));
}

/* Return 1 where the call is to fail; does not return where it is the end. */
static int call(const char *name, const char *path, int may_be_half)
{
    int number = atomic_fetch_add(&calls, 1) + 1;
    if (log_descriptor >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%d %s %s\n", number, name, path);
        syscall(SYS_write, log_descriptor, line, (size_t)length);
    }
    if (number != wanted) return 0;
    if (mode == KILL || (mode == HALF && !may_be_half)) syscall(SYS_kill, getpid(), SIGKILL);
    if (mode == STOP) syscall(SYS_kill, getpid(), SIGSTOP);
    if (mode == FAIL) { errno = EACCES; return 1; }
    return mode == HALF ? 2 : 0;
}

static int at_path(const char *name, int directory, const char *path)
{
    char full[PATH_MAX * 2];
    if (!armed || !path) return 0;
    if (path[0] != '/') {
        char link[64], base[PATH_MAX];
        if (directory == AT_FDCWD) strcpy(link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = 0;
        snprintf(full, sizeof full, "%s/%s", base, path);
        path = full;
    }
    return is_ours(path) ? call(name, path, 0) : 0;
}

static int at_descriptor(const char *name, int descriptor, int may_be_half)
{
    char link[64], path[PATH_MAX];
    if (!armed) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_ours(path) ? call(name, path, may_be_half) : 0;
}

static int opens_to_write(int flags) { return flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR); }

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(int, #name, const char *, int, ...); \
        va_list list; va_start(list, flags); mode_t rights = va_arg(list, mode_t); va_end(list); \
        if (opens_to_write(flags) && at_path("open", AT_FDCWD, path)) return -1; \
        return real(path, flags, rights); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int directory, const char *path, int flags, ...) \
    { \
        REAL(int, #name, int, const char *, int, ...); \
        va_list list; va_start(list, flags); mode_t rights = va_arg(list, mode_t); va_end(list); \
        if (opens_to_write(flags) && at_path("open", directory, path)) return -1; \
        return real(directory, path, flags, rights); \
    }
OPENAT(openat)
OPENAT(openat64)

static void end(void) { syscall(SYS_kill, getpid(), SIGKILL); }

ssize_t write(int descriptor, const void *data, size_t size)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    int said = at_descriptor("write", descriptor, 1);
    if (said == 1) return -1;
    if (said == 2) { real(descriptor, data, size / 2); end(); }
    return real(descriptor, data, size);
}

#define PWRITE(name, offset_type) \
    ssize_t name(int descriptor, const void *data, size_t size, offset_type offset) \
    { \
        REAL(ssize_t, #name, int, const void *, size_t, offset_type); \
        int said = at_descriptor("pwrite", descriptor, 1); \
        if (said == 1) return -1; \
        if (said == 2) { real(descriptor, data, size / 2, offset); end(); } \
        return real(descriptor, data, size, offset); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int descriptor, const struct iovec *data, int count)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (at_descriptor("writev", descriptor, 0)) return -1;
    return real(descriptor, data, count);
}

#define ON_PATH(name) \
    int name(const char *path) \
    { \
        REAL(int, #name, const char *); \
        if (at_path(#name, AT_FDCWD, path)) return -1; \
        return real(path); \
    }
ON_PATH(unlink)
ON_PATH(rmdir)

#define ON_PATH_WITH(name, type) \
    int name(const char *path, type value) \
    { \
        REAL(int, #name, const char *, type); \
        if (at_path(#name, AT_FDCWD, path)) return -1; \
        return real(path, value); \
    }
ON_PATH_WITH(mkdir, mode_t)
ON_PATH_WITH(chmod, mode_t)
ON_PATH_WITH(truncate, off_t)

#define ON_TWO(name) \
    int name(const char *from, const char *to) \
    { \
        REAL(int, #name, const char *, const char *); \
        if (at_path(#name, AT_FDCWD, to)) return -1; \
        return real(from, to); \
    }
ON_TWO(rename)
ON_TWO(link)
ON_TWO(symlink)

int unlinkat(int directory, const char *path, int flags)
{
    REAL(int, "unlinkat", int, const char *, int);
    if (at_path("unlinkat", directory, path)) return -1;
    return real(directory, path, flags);
}

int mkdirat(int directory, const char *path, mode_t rights)
{
    REAL(int, "mkdirat", int, const char *, mode_t);
    if (at_path("mkdirat", directory, path)) return -1;
    return real(directory, path, rights);
}

int fchmodat(int directory, const char *path, mode_t rights, int flags)
{
    REAL(int, "fchmodat", int, const char *, mode_t, int);
    if (at_path("fchmodat", directory, path)) return -1;
    return real(directory, path, rights, flags);
}

int utimensat(int directory, const char *path, const struct timespec times[2], int flags)
{
    REAL(int, "utimensat", int, const char *, const struct timespec *, int);
    if (path ? at_path("utimensat", directory, path) : at_descriptor("utimensat", directory, 0)) return -1;
    return real(directory, path, times, flags);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    REAL(int, "renameat", int, const char *, int, const char *);
    if (at_path("renameat", to_directory, to)) return -1;
    return real(from_directory, from, to_directory, to);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags)
{
    REAL(int, "renameat2", int, const char *, int, const char *, unsigned int);
    if (at_path("renameat2", to_directory, to)) return -1;
    return real(from_directory, from, to_directory, to, flags);
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
    REAL(int, "linkat", int, const char *, int, const char *, int);
    if (at_path("linkat", to_directory, to)) return -1;
    return real(from_directory, from, to_directory, to, flags);
}

#define ON_DESCRIPTOR(name) \
    int name(int descriptor) \
    { \
        REAL(int, #name, int); \
        if (at_descriptor(#name, descriptor, 0)) return -1; \
        return real(descriptor); \
    }
ON_DESCRIPTOR(fsync)
ON_DESCRIPTOR(fdatasync)

#define ON_DESCRIPTOR_WITH(name, type) \
    int name(int descriptor, type value) \
    { \
        REAL(int, #name, int, type); \
        if (at_descriptor(#name, descriptor, 0)) return -1; \
        return real(descriptor, value); \
    }
ON_DESCRIPTOR_WITH(ftruncate, off_t)
ON_DESCRIPTOR_WITH(ftruncate64, off64_t)
ON_DESCRIPTOR_WITH(fchmod, mode_t)

#define FALLOCATE(name, offset_type) \
    int name(int descriptor, offset_type start, offset_type length) \
    { \
        REAL(int, #name, int, offset_type, offset_type); \
        if (at_descriptor(#name, descriptor, 0)) return -1; \
        return real(descriptor, start, length); \
    }
FALLOCATE(posix_fallocate, off_t)
FALLOCATE(posix_fallocate64, off64_t)

ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned int flags)
{
    REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned int);
    if (at_descriptor("copy_file_range", to, 0)) return -1;
    return real(from, from_offset, to, to_offset, size, flags);
}

int ioctl(int descriptor, unsigned long request, ...)
{
    REAL(int, "ioctl", int, unsigned long, ...);
    va_list list; va_start(list, request); void *value = va_arg(list, void *); va_end(list);
    if (request == 0x40049409 /* FICLONE */ && at_descriptor("ioctl", descriptor, 0)) return -1;
    return real(descriptor, request, value);
}
