/* Preloaded into escaled: counts the calls that change something below a directory and lets one of them fail.
 *
 *   ESCALE_FAULT_PREFIX   the directory, absolute, without links
 *   ESCALE_FAULT_COUNT    a file that receives {count, call at which it happened, its name and path}, always up to date:
 *                         it is mapped, so that it is right after SIGKILL too, and shared by all processes that have it
 *   ESCALE_FAULT_AT       the number of the call, from 1; 0 or nothing: only count
 *   ESCALE_FAULT          ENOSPC, EIO or KILL
 *   ESCALE_FAULT_FOREVER  1: all later calls fail too
 *
 * Only in processes whose program's name ends in "escaled". No memory is allocated in the calls; no locks are taken.
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
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct shared {
    _Atomic unsigned long count;
    _Atomic unsigned long fired;
    char what[496];
};

static struct shared own;
static struct shared *shared = &own;
static int active;
static unsigned long fault_at;
static int fault_error; /* 0: kill */
static int forever;
static char prefix[PATH_MAX];
static size_t prefix_length;

/* The C library's own function: looked up before main, or at a call that another library makes as it starts. */
#define FIND(name) \
    static __typeof__(&name) real_##name; \
    __attribute__((constructor)) static void find_##name(void) { \
        real_##name = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    }
#define REAL(name) \
    if (!real_##name) find_##name()

static long raw(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#else
#error "no such processor here"
#endif
}

static long read_link(const char *path, char *buffer, size_t size) {
    long count = raw(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)size - 1, 0, 0);
    if (count < 0) count = 0;
    buffer[count] = 0;
    return count;
}

static void number_text(char *text, unsigned long value) {
    char digits[24];
    int count = 0;
    do digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count) *text++ = digits[--count];
    *text = 0;
}

static int is_below(const char *path) {
    return !strncmp(path, prefix, prefix_length) && (path[prefix_length] == '/' || !path[prefix_length]);
}

/* The descriptor's path, into a buffer of PATH_MAX. */
static long fd_path(int fd, char *buffer) {
    char link[48];
    memcpy(link, "/proc/self/fd/", 14);
    if (fd == AT_FDCWD) memcpy(link, "/proc/self/cwd", 15);
    else number_text(link + 14, (unsigned)fd);
    return read_link(link, buffer, PATH_MAX);
}

/* Whether the path is below the prefix; the whole path is in the buffer then. */
static int at_is_below(int directory, const char *path, char *buffer) {
    if (!path) return 0;
    size_t length = strnlen(path, PATH_MAX);
    if (path[0] == '/') {
        if (length >= PATH_MAX) return 0;
        memcpy(buffer, path, length + 1);
        return is_below(buffer);
    }
    long start = fd_path(directory, buffer);
    if (start <= 0 || start + 1 + (long)length >= PATH_MAX) return start > 0 && is_below(buffer);
    buffer[start] = '/';
    memcpy(buffer + start + 1, path, length + 1);
    return is_below(buffer);
}

/* Counts a call; whether it has to fail. Doesn't return where it has to kill. */
static int is_due(const char *name, const char *path) {
    unsigned long number = atomic_fetch_add(&shared->count, 1) + 1;
    if (!fault_at || number < fault_at || (number > fault_at && !forever)) return 0;
    unsigned long none = 0;
    if (atomic_compare_exchange_strong(&shared->fired, &none, number)) {
        size_t length = strlen(name), more = strnlen(path, sizeof shared->what - length - 2);
        memcpy(shared->what, name, length);
        shared->what[length] = ' ';
        memcpy(shared->what + length + 1, path, more);
        shared->what[length + 1 + more] = 0;
    }
    if (!fault_error) {
        raw(SYS_kill, raw(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0, 0);
        for (;;) raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
    errno = fault_error;
    return 1;
}

static int fd_fails(const char *name, int fd) {
    if (!active) return 0;
    int before = errno;
    char path[PATH_MAX];
    if (fd_path(fd, path) > 0 && is_below(path) && is_due(name, path)) return 1;
    errno = before;
    return 0;
}

static int at_fails(const char *name, int directory, const char *given) {
    if (!active) return 0;
    int before = errno;
    char path[PATH_MAX];
    if (at_is_below(directory, given, path) && is_due(name, path)) return 1;
    errno = before;
    return 0;
}

static int two_fail(const char *name, int first, const char *old, int second, const char *new) {
    if (!active) return 0;
    int before = errno;
    char path[PATH_MAX];
    if ((at_is_below(second, new, path) || at_is_below(first, old, path)) && is_due(name, path)) return 1;
    errno = before;
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    char program[PATH_MAX];
    long length = read_link("/proc/self/exe", program, sizeof program);
    const char *below = getenv("ESCALE_FAULT_PREFIX"), *at = getenv("ESCALE_FAULT_AT"), *kind = getenv("ESCALE_FAULT"),
               *file = getenv("ESCALE_FAULT_COUNT"), *again = getenv("ESCALE_FAULT_FOREVER");
    if (length < 7 || strcmp(program + length - 7, "escaled") || !below) return;
    prefix_length = strlen(below);
    if (prefix_length == 0 || prefix_length >= sizeof prefix) return;
    memcpy(prefix, below, prefix_length + 1);
    fault_at = at ? strtoul(at, NULL, 10) : 0;
    forever = again && again[0] == '1';
    fault_error = !kind || !strcmp(kind, "EIO") ? EIO : !strcmp(kind, "ENOSPC") ? ENOSPC : 0;
    if (file) {
        int fd = (int)raw(SYS_openat, AT_FDCWD, (long)file, O_RDWR | O_CREAT | O_CLOEXEC, 0600, 0, 0);
        if (fd >= 0 && raw(SYS_ftruncate, fd, sizeof own, 0, 0, 0, 0) == 0) {
            void *map = mmap(NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (map != MAP_FAILED) shared = map;
        }
        if (fd >= 0) raw(SYS_close, fd, 0, 0, 0, 0, 0);
    }
    active = 1;
}

#define ON_FD(type, name, parameters, fd, ...) \
    FIND(name) \
    __attribute__((visibility("default"))) type name parameters { \
        REAL(name); \
        return fd_fails(#name, fd) ? (type)-1 : real_##name(__VA_ARGS__); \
    }
#define ON_PATH(name, parameters, directory, path, ...) \
    FIND(name) \
    __attribute__((visibility("default"))) int name parameters { \
        REAL(name); \
        return at_fails(#name, directory, path) ? -1 : real_##name(__VA_ARGS__); \
    }
#define ON_TWO(name, parameters, first, old, second, new, ...) \
    FIND(name) \
    __attribute__((visibility("default"))) int name parameters { \
        REAL(name); \
        return two_fail(#name, first, old, second, new) ? -1 : real_##name(__VA_ARGS__); \
    }

ON_FD(ssize_t, write, (int fd, const void *data, size_t size), fd, fd, data, size)
ON_FD(ssize_t, writev, (int fd, const struct iovec *parts, int count), fd, fd, parts, count)
ON_FD(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t offset), fd, fd, data, size, offset)
ON_FD(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t offset), fd, fd, data, size, offset)
ON_FD(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t offset), fd, fd, parts, count, offset)
ON_FD(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t offset), fd, fd, parts, count, offset)
ON_FD(int, fsync, (int fd), fd, fd)
ON_FD(int, fdatasync, (int fd), fd, fd)
ON_FD(int, syncfs, (int fd), fd, fd)
ON_FD(int, ftruncate, (int fd, off_t length), fd, fd, length)
ON_FD(int, ftruncate64, (int fd, off64_t length), fd, fd, length)
ON_FD(ssize_t, copy_file_range, (int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags), out, in, from,
      out, to, size, flags)
ON_FD(ssize_t, sendfile, (int out, int in, off_t *offset, size_t size), out, out, in, offset, size)
ON_FD(ssize_t, sendfile64, (int out, int in, off64_t *offset, size_t size), out, out, in, offset, size)

ON_TWO(rename, (const char *old, const char *new), AT_FDCWD, old, AT_FDCWD, new, old, new)
ON_TWO(renameat, (int first, const char *old, int second, const char *new), first, old, second, new, first, old, second, new)
ON_TWO(renameat2, (int first, const char *old, int second, const char *new, unsigned flags), first, old, second, new, first,
       old, second, new, flags)
ON_PATH(link, (const char *old, const char *new), AT_FDCWD, new, old, new)
ON_PATH(linkat, (int first, const char *old, int second, const char *new, int flags), second, new, first, old, second, new,
        flags)
ON_PATH(symlink, (const char *target, const char *path), AT_FDCWD, path, target, path)
ON_PATH(symlinkat, (const char *target, int directory, const char *path), directory, path, target, directory, path)
ON_PATH(mkdir, (const char *path, mode_t mode), AT_FDCWD, path, path, mode)
ON_PATH(mkdirat, (int directory, const char *path, mode_t mode), directory, path, directory, path, mode)
ON_PATH(mknod, (const char *path, mode_t mode, dev_t device), AT_FDCWD, path, path, mode, device)
ON_PATH(mknodat, (int directory, const char *path, mode_t mode, dev_t device), directory, path, directory, path, mode, device)
ON_PATH(unlink, (const char *path), AT_FDCWD, path, path)
ON_PATH(unlinkat, (int directory, const char *path, int flags), directory, path, directory, path, flags)
ON_PATH(rmdir, (const char *path), AT_FDCWD, path, path)

/* Opening counts where it may make a file. */

#define CREATES(flags) ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE)
#define MODE(flags) \
    mode_t mode = 0; \
    if (CREATES(flags)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }
#define OPEN(name) \
    FIND(name) \
    __attribute__((visibility("default"))) int name(const char *path, int flags, ...) { \
        REAL(name); \
        MODE(flags) \
        return CREATES(flags) && at_fails(#name, AT_FDCWD, path) ? -1 : real_##name(path, flags, mode); \
    }
#define OPENAT(name) \
    FIND(name) \
    __attribute__((visibility("default"))) int name(int directory, const char *path, int flags, ...) { \
        REAL(name); \
        MODE(flags) \
        return CREATES(flags) && at_fails(#name, directory, path) ? -1 : real_##name(directory, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
ON_PATH(creat, (const char *path, mode_t mode), AT_FDCWD, path, path, mode)
ON_PATH(creat64, (const char *path, mode_t mode), AT_FDCWD, path, path, mode)

/* What has no function in the C library, above all openat2. Never looks anything up: it is called after vfork too. */
__attribute__((visibility("default"))) long syscall(long number, ...) {
    va_list more;
    va_start(more, number);
    long a = va_arg(more, long), b = va_arg(more, long), c = va_arg(more, long), d = va_arg(more, long),
         e = va_arg(more, long), f = va_arg(more, long);
    va_end(more);
    int fails = 0;
    if (active) {
        if (number == 437 /* openat2 */ && c && CREATES(*(const unsigned long long *)c))
            fails = at_fails("openat2", (int)a, (const char *)b);
        else if (number == SYS_renameat2) fails = two_fail("renameat2", (int)a, (const char *)b, (int)c, (const char *)d);
        else if (number == SYS_syncfs) fails = fd_fails("syncfs", (int)a);
        else if (number == SYS_copy_file_range) fails = fd_fails("copy_file_range", (int)c);
    }
    if (fails) return -1;
    long result = raw(number, a, b, c, d, e, f);
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}
