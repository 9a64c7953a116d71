#pragma once
// The system calls that Swift can't make itself: clone with namespaces, pidfds, mounts. No policy lives here.
#include <stdint.h>
#include <sys/types.h>

// One mount(2) to make. Strings may be NULL where mount(2) allows it.
struct c_escale_mount {
    const char *source;
    const char *target;
    const char *type;
    unsigned long flags;
    const char *data;
    // Not NULL: source, with all that is mounted below it, is looked up in this directory, which symbolic links can't leave;
    // the target is made, as a file or a directory.
    const char *root;
    // The mount stays a peer of what it is taken from: what is mounted below either is seen below both. Of spawns only.
    int shared;
    // Not 0: the source is what this process sees there. Of spawns only.
    pid_t owner;
};

// What a child becomes. Everything is done between clone and exec, without touching the parent's state.
struct c_escale_spawn {
    const char *path;
    char **argv;
    char **envp;
    // fds[i] becomes descriptor i of the child; every other descriptor closes on exec.
    const int *fds;
    int fd_count;
    int new_session;
    // With a private mount namespace: first the unmounts (missing ones are fine), then the mounts, from mount_dir.
    int private_mounts;
    // What is mounted on the host later is seen in it.
    int receives_mounts;
    const char *mount_dir;
    const char *const *unmounts;
    int unmount_count;
    const struct c_escale_mount *mounts;
    int mount_count;
    // The working directory: resolved inside root_dir, which symbolic links can't leave, if that is not NULL.
    const char *root_dir;
    const char *cwd;
};

// Starts the child and returns 0 once it runs the program, or an errno value with the failed stage's name.
// *mount is the number of the mount that failed, else -1.
int c_escale_spawn(const struct c_escale_spawn *spawn, pid_t *pid, int *pidfd, const char **stage, int *mount);

// Keeps glibc's allocator small: two arenas instead of eight for each processor. Before any thread is started.
void c_escale_limit_arenas(void);
// Gives memory that is free back to the system.
void c_escale_trim_memory(void);

// Takes a descriptor that somebody sends over a Unix socket (SCM_RIGHTS), close-on-exec. Returns -1 and sets errno on failure.
int c_escale_receive_descriptor(int socket);

// Each returns -1 and sets errno on failure, as the system call does.
int c_escale_pidfd_open(pid_t pid);
int c_escale_pidfd_send_signal(int pidfd, int signal);
// Reaps the child; *status is the exit code, or 128 + the signal that ended it.
int c_escale_wait(int pidfd, int *status);
// Gives the calling thread a mount namespace of its own, from which nothing propagates.
int c_escale_unshare_mounts(void);
int c_escale_mount(const struct c_escale_mount *mount);
int c_escale_unmount(const char *target);
// A copy of the mounts at a path, attached nowhere; the path may be empty for the directory itself.
int c_escale_open_tree(int directory, const char *path);
int c_escale_move_mount(int tree, const char *target);
// openat2(2) with RESOLVE_IN_ROOT: absolute links and `..` stay inside the directory.
int c_escale_open_in_root(int directory, const char *path, int flags, mode_t mode);
// Opens the network namespace of a process, or, with pid 0, of the calling thread.
int c_escale_open_netns(pid_t pid);
int c_escale_set_netns(int fd);
// Both ends close on exec.
int c_escale_pipe(int ends[2]);
int c_escale_epoll_create(void);
// Reports the key once when fd can be read or its other end is gone.
int c_escale_epoll_add_once(int epoll, int fd, uint64_t key);
int c_escale_epoll_remove(int epoll, int fd);
// Fills at most limit keys; waits as long as it takes.
int c_escale_epoll_wait(int epoll, uint64_t *keys, int limit);

// An address from its highest to its lowest byte; of an IPv4 one the first four count.
struct c_escale_address {
    uint8_t bytes[16];
};

// One exchange that the kernel's connection tracking knows, ports in host byte order. Where reply_source differs from
// destination, packets are sent on to it.
struct c_escale_flow {
    // AF_INET or AF_INET6.
    uint8_t family;
    struct c_escale_address source;
    struct c_escale_address destination;
    struct c_escale_address reply_source;
    uint16_t source_port;
    uint16_t destination_port;
    // Until the kernel forgets it, if nothing more is seen of it.
    uint32_t seconds_left;
    // Whether packets have been seen both ways for a while.
    uint8_t is_assured;
    // enum tcp_conntrack of the kernel; 0 for other protocols.
    uint8_t tcp_state;
};

// Lists those of one family (AF_INET, AF_INET6) and protocol (IPPROTO_TCP, IPPROTO_UDP), and with one reply_source unless
// receiver is NULL, for the calling thread's network namespace; the caller frees *flows.
int c_escale_list_flows(uint8_t family, uint8_t protocol, const struct c_escale_address *receiver,
                        struct c_escale_flow **flows, size_t *count);
// Makes the kernel forget one of UDP, so that its next packet is judged afresh. ENOENT where it has already.
int c_escale_forget_udp_flow(const struct c_escale_flow *flow);

// A socket that hears of every change of the packet filter in the calling thread's network namespace; never blocks.
int c_escale_watch_tables(void);
// Reads what has come: 1 where other processes changed that table of IPv4 or IPv6 rules, or something may have been missed, else 0.
int c_escale_table_changed(int fd, const char *table);
