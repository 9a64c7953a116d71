#define _GNU_SOURCE
#include "CEscaleLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct child {
    const struct c_escale_spawn *spawn;
    int *high; // the caller's descriptors, out of the way of 0 … fd_count - 1
    pid_t parent;
    int *trees; // what shared mounts are taken from, opened while they are still the host's
    int error;
    int mount;
    const char *stage;
};

static int fail(struct child *child, const char *stage) {
    child->error = errno;
    child->stage = stage;
    return 1;
}

// What the owner sees at the path, attached nowhere.
static int open_owners_tree(const struct c_escale_mount *mount) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)mount->owner);
    int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    int other = open(path, O_RDONLY | O_CLOEXEC);
    int tree = -1;
    if (own >= 0 && other >= 0 && setns(other, CLONE_NEWNS) == 0) {
        tree = c_escale_open_tree(AT_FDCWD, mount->source);
        int error = errno;
        if (setns(own, CLONE_NEWNS) < 0) tree = -1;
        else errno = error;
    }
    int error = errno;
    if (own >= 0) close(own);
    if (other >= 0) close(other);
    errno = error;
    return tree;
}

static int make_mounts(struct child *child) {
    const struct c_escale_spawn *spawn = child->spawn;
    if (unshare(CLONE_NEWNS) < 0) return fail(child, "unshare");
    for (int i = 0; i < spawn->mount_count; i++) {
        const struct c_escale_mount *mount = &spawn->mounts[i];
        if (!mount->shared && !mount->owner) continue;
        child->mount = i;
        child->trees[i] = mount->owner ? open_owners_tree(mount) : c_escale_open_tree(AT_FDCWD, mount->source);
        if (child->trees[i] < 0) return fail(child, "mount");
    }
    child->mount = -1;
    if (mount(NULL, "/", NULL, MS_REC | (spawn->receives_mounts ? MS_SLAVE : MS_PRIVATE), NULL) < 0)
        return fail(child, "unshare");
    for (int i = 0; i < spawn->unmount_count; i++)
        if (umount2(spawn->unmounts[i], MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
            return fail(child, "unmount");
    if (spawn->mount_dir && chdir(spawn->mount_dir) < 0) return fail(child, "chdir for mounts");
    for (int i = 0; i < spawn->mount_count; i++) {
        const struct c_escale_mount *mount = &spawn->mounts[i];
        child->mount = i;
        if ((mount->shared || mount->owner ? c_escale_move_mount(child->trees[i], mount->target) : c_escale_mount(mount)) < 0)
            return fail(child, "mount");
    }
    child->mount = -1;
    return 0;
}

static int set_cwd(struct child *child) {
    const struct c_escale_spawn *spawn = child->spawn;
    if (!spawn->root_dir) return spawn->cwd && chdir(spawn->cwd) < 0 ? fail(child, "chdir") : 0;
    int root = open(spawn->root_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return fail(child, "open root");
    int fd = c_escale_open_in_root(root, spawn->cwd ? spawn->cwd : "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0 || fchdir(fd) < 0) return fail(child, "chdir in root");
    return 0;
}

// Runs in the parent's memory while the parent's thread waits: system calls only.
static int child_main(void *argument) {
    struct child *child = argument;
    const struct c_escale_spawn *spawn = child->spawn;
    // Until it is the program it goes with its parent: whoever looks for what a killed parent left would not know it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != child->parent) return 127;
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int signal = 1; signal < NSIG; signal++)
        if (signal != SIGKILL && signal != SIGSTOP) sigaction(signal, &standard, NULL);
    if (spawn->new_session) setsid();
    if (spawn->private_mounts && make_mounts(child)) return 127;
    if (set_cwd(child)) return 127;
    for (int i = 0; i < spawn->fd_count; i++) {
        child->high[i] = fcntl(spawn->fds[i], F_DUPFD_CLOEXEC, spawn->fd_count + 64);
        if (child->high[i] < 0) return fail(child, "duplicate descriptor"), 127;
    }
    for (int i = 0; i < spawn->fd_count; i++)
        if (dup2(child->high[i], i) < 0) return fail(child, "place descriptor"), 127;
    syscall(SYS_close_range, (unsigned)spawn->fd_count, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, 0);
    execve(spawn->path, spawn->argv, spawn->envp);
    return fail(child, "exec"), 127;
}

int c_escale_spawn(const struct c_escale_spawn *spawn, pid_t *pid, int *pidfd, const char **stage, int *mount) {
    const size_t stack_size = 256 * 1024;
    int high[spawn->fd_count + 1], trees[spawn->mount_count + 1];
    struct child child = {.spawn = spawn, .high = high, .trees = trees, .parent = getpid(), .mount = -1};
    *mount = -1;
    void *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return *stage = "stack", errno;
    // No signal handler of the parent may run in the child, which shares its memory.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    *pidfd = -1;
    *pid = clone(child_main, (char *)stack + stack_size, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, pidfd);
    int error = *pid < 0 ? errno : child.error;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, stack_size);
    if (error) {
        *stage = *pid < 0 ? "clone" : child.stage;
        *mount = child.mount;
        if (*pid >= 0) {
            int status;
            c_escale_wait(*pidfd, &status);
            close(*pidfd);
        }
    }
    return error;
}
