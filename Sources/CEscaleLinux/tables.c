#define _GNU_SOURCE
#include "CEscaleLinux.h"
#include <dirent.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int c_escale_watch_tables(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
    if (fd < 0) return -1;
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1u << (NFNLGRP_NFTABLES - 1)};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    int failure = errno;
    close(fd);
    errno = failure;
    return -1;
}

// Whether a socket of this process has that netlink port: who asked for a change is told by its socket.
static int is_ours(uint32_t port) {
    DIR *directory = opendir("/proc/self/fd");
    if (!directory) return 0;
    int found = 0;
    for (struct dirent *entry; !found && (entry = readdir(directory));) {
        int fd = atoi(entry->d_name), protocol = 0;
        socklen_t size = sizeof protocol;
        if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 || protocol != NETLINK_NETFILTER) continue;
        struct sockaddr_nl address;
        size = sizeof address;
        if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 || address.nl_family != AF_NETLINK) continue;
        found = address.nl_pid == port;
    }
    closedir(directory);
    return found;
}

// Whether the message is about the table: in all of nf_tables' messages the first attribute's type is its name.
static int names(const struct nlmsghdr *message, const char *table) {
    if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES) return 0;
    if (NFNL_MSG_TYPE(message->nlmsg_type) == NFT_MSG_NEWGEN) return 0;
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg))) return 0;
    const struct nfgenmsg *family = NLMSG_DATA(message);
    if (family->nfgen_family != AF_INET && family->nfgen_family != AF_INET6) return 0;
    const char *at = (const char *)family + NLMSG_ALIGN(sizeof *family);
    const char *end = (const char *)message + message->nlmsg_len;
    while (at + NLA_HDRLEN <= end) {
        const struct nlattr *attribute = (const void *)at;
        if (attribute->nla_len < NLA_HDRLEN || at + attribute->nla_len > end) return 0;
        size_t length = attribute->nla_len - NLA_HDRLEN;
        if ((attribute->nla_type & NLA_TYPE_MASK) == NFTA_TABLE_NAME)
            return length == strlen(table) + 1 && memcmp(at + NLA_HDRLEN, table, length) == 0;
        at += NLA_ALIGN(attribute->nla_len);
    }
    return 0;
}

int c_escale_table_changed(int fd, const char *table) {
    static _Thread_local _Alignas(struct nlmsghdr) char buffer[1 << 16];
    int changed = 0;
    uint32_t known = 0;
    for (;;) {
        ssize_t size = recv(fd, buffer, sizeof buffer, 0);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == ENOBUFS) {
            changed = 1;
            continue;
        }
        if (size <= 0) return changed;
        int left = (int)size;
        for (struct nlmsghdr *message = (void *)buffer; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
            if (changed || message->nlmsg_pid == known || !names(message, table)) continue;
            if (is_ours(message->nlmsg_pid)) known = message->nlmsg_pid;
            else changed = 1;
        }
    }
}
