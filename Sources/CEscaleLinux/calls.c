#define _GNU_SOURCE
#include "CEscaleLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int c_escale_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int c_escale_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int c_escale_wait(int pidfd, int *status) {
    siginfo_t info = {0};
    int result;
    do result = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
    while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    *status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    return 0;
}

void c_escale_limit_arenas(void) {
    mallopt(M_ARENA_MAX, 2);
    // Both are fixed, or glibc raises them to the largest block that was ever freed, and keeps as much.
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    mallopt(M_TRIM_THRESHOLD, 256 << 10);
}

void c_escale_trim_memory(void) { malloc_trim(0); }

int c_escale_receive_descriptor(int socket) {
    char data[4096];
    struct iovec part = {.iov_base = data, .iov_len = sizeof data};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return errno = ENOMSG, -1;
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return descriptor;
}

int c_escale_unshare_mounts(void) {
    if (unshare(CLONE_NEWNS) < 0) return -1;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int make_like(const char *target, mode_t kind) {
    int made = S_ISDIR(kind) ? mkdir(target, 0700) : mknod(target, S_IFREG | 0600, 0);
    return made < 0 && errno != EEXIST ? -1 : 0;
}

static int mount_part(const struct c_escale_mount *m) {
    int root = open(m->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return -1;
    struct stat info;
    int result = -1;
    int part = c_escale_open_in_root(root, m->source, O_PATH | O_CLOEXEC, 0);
    if (part >= 0 && fstat(part, &info) == 0 && make_like(m->target, info.st_mode) == 0) {
        int tree = c_escale_open_tree(part, "");
        if (tree >= 0) {
            result = c_escale_move_mount(tree, m->target);
            int error = errno;
            close(tree);
            errno = error;
        }
    }
    int error = errno;
    if (part >= 0) close(part);
    close(root);
    errno = error;
    return result;
}

int c_escale_mount(const struct c_escale_mount *m) {
    return m->root ? mount_part(m) : mount(m->source, m->target, m->type, m->flags, m->data);
}

int c_escale_open_tree(int directory, const char *path) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | (*path ? 0 : AT_EMPTY_PATH);
    return (int)syscall(SYS_open_tree, directory, path, flags);
}

int c_escale_move_mount(int tree, const char *target) {
    return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
}

int c_escale_unmount(const char *target) { return umount2(target, MNT_DETACH); }

int c_escale_open_in_root(int directory, const char *path, int flags, mode_t mode) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    int fd;
    do fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    return fd;
}

int c_escale_open_netns(pid_t pid) {
    char path[64];
    if (pid) snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    else snprintf(path, sizeof path, "/proc/thread-self/ns/net");
    return open(path, O_RDONLY | O_CLOEXEC);
}

int c_escale_set_netns(int fd) { return setns(fd, CLONE_NEWNET); }

int c_escale_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int c_escale_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int c_escale_epoll_add_once(int epoll, int fd, uint64_t key) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.u64 = key};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int c_escale_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

int c_escale_epoll_wait(int epoll, uint64_t *keys, int limit) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, limit < 64 ? limit : 64, -1);
    for (int i = 0; i < count; i++) keys[i] = events[i].data.u64;
    return count;
}
