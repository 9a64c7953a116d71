#define _GNU_SOURCE
#include "CEscaleLinux.h"
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    struct nlmsghdr header;
    struct nfgenmsg family;
    char attributes[256];
};

static void begin(struct request *request, uint8_t family, int type, int flags) {
    memset(request, 0, sizeof *request);
    request->header.nlmsg_len = NLMSG_LENGTH(sizeof request->family);
    request->header.nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
    request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    request->family.nfgen_family = family;
    request->family.version = NFNETLINK_V0;
}

static struct nlattr *put(struct request *request, int type, const void *data, size_t size) {
    struct nlattr *attribute = (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->nla_type = (uint16_t)type;
    attribute->nla_len = (uint16_t)(NLA_HDRLEN + size);
    if (size) memcpy((char *)attribute + NLA_HDRLEN, data, size);
    request->header.nlmsg_len = (uint32_t)((char *)attribute - (char *)request) + NLA_ALIGN(attribute->nla_len);
    return attribute;
}

static struct nlattr *nest(struct request *request, int type) { return put(request, type | NLA_F_NESTED, NULL, 0); }

static void end_nest(struct request *request, struct nlattr *nest) {
    nest->nla_len = (uint16_t)((char *)request + request->header.nlmsg_len - (char *)nest);
}

// The attribute's content, if it is there and long enough.
static const void *find(const void *attributes, size_t length, int type, size_t wanted, size_t *found) {
    const char *at = attributes;
    while (length >= NLA_HDRLEN) {
        const struct nlattr *attribute = (const void *)at;
        if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > length) return NULL;
        size_t content = attribute->nla_len - (size_t)NLA_HDRLEN;
        if ((attribute->nla_type & NLA_TYPE_MASK) == type) {
            if (found) *found = content;
            return content >= wanted ? at + NLA_HDRLEN : NULL;
        }
        size_t step = NLA_ALIGN(attribute->nla_len);
        if (step > length) return NULL;
        at += step;
        length -= step;
    }
    return NULL;
}

static size_t address_size(uint8_t family) { return family == AF_INET6 ? 16 : 4; }
static int source_type(uint8_t family) { return family == AF_INET6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC; }
static int destination_type(uint8_t family) { return family == AF_INET6 ? CTA_IP_V6_DST : CTA_IP_V4_DST; }

static int read_address(const void *attributes, size_t length, int type, uint8_t family, struct c_escale_address *address) {
    const void *bytes = find(attributes, length, type, address_size(family), NULL);
    memset(address, 0, sizeof *address);
    if (bytes) memcpy(address->bytes, bytes, address_size(family));
    return bytes != NULL;
}

struct tuple {
    struct c_escale_address source, destination;
    uint16_t source_port, destination_port;
    uint8_t protocol;
};

static int read_tuple(const void *attributes, size_t length, int type, uint8_t family, struct tuple *tuple) {
    size_t size, ip_size, proto_size;
    const void *outer = find(attributes, length, type, 0, &size);
    const void *ip = outer ? find(outer, size, CTA_TUPLE_IP, 0, &ip_size) : NULL;
    const void *proto = outer ? find(outer, size, CTA_TUPLE_PROTO, 0, &proto_size) : NULL;
    if (!ip || !proto) return 0;
    struct c_escale_address source, destination;
    if (!read_address(ip, ip_size, source_type(family), family, &source)) return 0;
    if (!read_address(ip, ip_size, destination_type(family), family, &destination)) return 0;
    const uint8_t *number = find(proto, proto_size, CTA_PROTO_NUM, 1, NULL);
    const uint16_t *from = find(proto, proto_size, CTA_PROTO_SRC_PORT, 2, NULL);
    const uint16_t *to = find(proto, proto_size, CTA_PROTO_DST_PORT, 2, NULL);
    if (!number || !from || !to) return 0;
    *tuple = (struct tuple){source, destination, ntohs(*from), ntohs(*to), *number};
    return 1;
}

static int open_netfilter(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

// A number in network byte order that stands alone; 0 where it is missing.
static uint32_t read_number(const void *attributes, size_t length, int type) {
    const uint32_t *number = find(attributes, length, type, sizeof *number, NULL);
    return number ? ntohl(*number) : 0;
}

// The kernel's number of the TCP state, or 0 (none) where there is nothing about it.
static uint8_t read_tcp_state(const void *attributes, size_t length) {
    size_t size, tcp_size;
    const void *info = find(attributes, length, CTA_PROTOINFO, 0, &size);
    const void *tcp = info ? find(info, size, CTA_PROTOINFO_TCP, 0, &tcp_size) : NULL;
    const uint8_t *state = tcp ? find(tcp, tcp_size, CTA_PROTOINFO_TCP_STATE, 1, NULL) : NULL;
    return state ? *state : 0;
}

// 1 when the dump is over, 0 to go on, -1 on failure.
static int read_flows(const char *buffer, ssize_t size, uint8_t family, uint8_t protocol,
                      const struct c_escale_address *receiver, struct c_escale_flow **flows, size_t *count,
                      size_t *room) {
    unsigned left = (unsigned)size;
    for (const struct nlmsghdr *message = (const void *)buffer; NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
        if (message->nlmsg_type == NLMSG_DONE) return 1;
        if (message->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *error = NLMSG_DATA(message);
            errno = -error->error;
            return errno ? -1 : 1;
        }
        if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg))) continue;
        const char *attributes = (const char *)NLMSG_DATA(message) + NLMSG_ALIGN(sizeof(struct nfgenmsg));
        size_t length = message->nlmsg_len - NLMSG_LENGTH(sizeof(struct nfgenmsg));
        struct tuple original, reply;
        if (!read_tuple(attributes, length, CTA_TUPLE_ORIG, family, &original)) continue;
        if (!read_tuple(attributes, length, CTA_TUPLE_REPLY, family, &reply) || original.protocol != protocol) continue;
        if (receiver && memcmp(reply.source.bytes, receiver->bytes, address_size(family)) != 0) continue;
        if (*count == *room) {
            *room = *room ? *room * 2 : 256;
            struct c_escale_flow *more = realloc(*flows, *room * sizeof **flows);
            if (!more) return -1;
            *flows = more;
        }
        (*flows)[(*count)++] = (struct c_escale_flow){
            .family = family, .source = original.source, .destination = original.destination, .reply_source = reply.source,
            .source_port = original.source_port, .destination_port = original.destination_port,
            .seconds_left = read_number(attributes, length, CTA_TIMEOUT),
            .is_assured = (read_number(attributes, length, CTA_STATUS) & IPS_ASSURED) != 0,
            .tcp_state = protocol == IPPROTO_TCP ? read_tcp_state(attributes, length) : 0};
    }
    return 0;
}

// Asks for one protocol's entries only, and for one receiver's if there is one. Kernels before 5.8 do not know how and send
// all: read_flows looks too. Asked for an IPv6 receiver's, kernels send those of all others, so none is asked for.
static void narrow(struct request *request, uint8_t family, uint8_t protocol, const struct c_escale_address *receiver) {
    if (family == AF_INET6) receiver = NULL;
    // The kernel's CTA_FILTER_F_CTA_PROTO_NUM and CTA_FILTER_F_CTA_IP_SRC, which its headers do not show.
    const uint32_t compare_protocol = 1u << 3, compare_source = 1u << 0;
    struct nlattr *tuple = nest(request, CTA_TUPLE_ORIG);
    struct nlattr *proto = nest(request, CTA_TUPLE_PROTO);
    put(request, CTA_PROTO_NUM, &protocol, sizeof protocol);
    end_nest(request, proto);
    end_nest(request, tuple);
    if (receiver) {
        tuple = nest(request, CTA_TUPLE_REPLY);
        struct nlattr *ip = nest(request, CTA_TUPLE_IP);
        put(request, source_type(family), receiver->bytes, address_size(family));
        end_nest(request, ip);
        end_nest(request, tuple);
    }
    struct nlattr *filter = nest(request, CTA_FILTER);
    put(request, CTA_FILTER_ORIG_FLAGS, &compare_protocol, sizeof compare_protocol);
    if (receiver) put(request, CTA_FILTER_REPLY_FLAGS, &compare_source, sizeof compare_source);
    end_nest(request, filter);
}

int c_escale_list_flows(uint8_t family, uint8_t protocol, const struct c_escale_address *receiver,
                        struct c_escale_flow **flows, size_t *count) {
    struct request request;
    static const size_t size = 65536;
    size_t room = 0;
    *flows = NULL;
    *count = 0;
    int fd = open_netfilter();
    if (fd < 0) return -1;
    char *buffer = malloc(size);
    begin(&request, family, IPCTNL_MSG_CT_GET, NLM_F_DUMP);
    narrow(&request, family, protocol, receiver);
    int state = !buffer || send(fd, &request, request.header.nlmsg_len, 0) < 0 ? -1 : 0;
    while (state == 0) {
        ssize_t got = recv(fd, buffer, size, 0);
        if (got < 0 && errno == EINTR) continue;
        state = got < 0 ? -1 : read_flows(buffer, got, family, protocol, receiver, flows, count, &room);
    }
    int error = errno;
    free(buffer);
    close(fd);
    if (state < 0) {
        free(*flows);
        *flows = NULL;
        errno = error;
    }
    return state < 0 ? -1 : 0;
}

int c_escale_forget_udp_flow(const struct c_escale_flow *flow) {
    struct request request;
    const uint16_t from = htons(flow->source_port), to = htons(flow->destination_port);
    const uint8_t protocol = IPPROTO_UDP;
    begin(&request, flow->family, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
    struct nlattr *tuple = nest(&request, CTA_TUPLE_ORIG);
    struct nlattr *ip = nest(&request, CTA_TUPLE_IP);
    put(&request, source_type(flow->family), flow->source.bytes, address_size(flow->family));
    put(&request, destination_type(flow->family), flow->destination.bytes, address_size(flow->family));
    end_nest(&request, ip);
    struct nlattr *proto = nest(&request, CTA_TUPLE_PROTO);
    put(&request, CTA_PROTO_NUM, &protocol, sizeof protocol);
    put(&request, CTA_PROTO_SRC_PORT, &from, sizeof from);
    put(&request, CTA_PROTO_DST_PORT, &to, sizeof to);
    end_nest(&request, proto);
    end_nest(&request, tuple);

    int fd = open_netfilter();
    if (fd < 0) return -1;
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[512];
    } answer;
    int result = send(fd, &request, request.header.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0 ? -1 : 0;
    int error = result < 0 ? errno : answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : 0;
    close(fd);
    errno = error;
    return error ? -1 : 0;
}
