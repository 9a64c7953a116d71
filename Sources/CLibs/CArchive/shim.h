#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

// What an archive's entries need of the system and Swift's Glibc module leaves out.
static inline unsigned c_archive_major(unsigned long device) { return major(device); }
static inline unsigned c_archive_minor(unsigned long device) { return minor(device); }
static inline unsigned long c_archive_device(unsigned major_, unsigned minor_) { return makedev(major_, minor_); }

static inline int c_archive_sync_file_system(int fd) {
    extern int syncfs(int);
    return syncfs(fd);
}

/* copy_file_range(2) from a position, which moves on, to where the target is. */
static inline long c_archive_copy_range(int from, int64_t *position, int to, unsigned long count) {
    extern long copy_file_range(int, int64_t *, int, int64_t *, unsigned long, unsigned);
    return copy_file_range(from, position, to, 0, count, 0);
}
