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
