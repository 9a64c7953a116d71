#pragma once
#include <microhttpd.h>
#include <string.h>
#include <sys/eventfd.h>

/* Variadic calls and macros that Swift can't import. */

static const ssize_t c_mhd_end_of_stream = MHD_CONTENT_READER_END_OF_STREAM;
static const ssize_t c_mhd_end_with_error = MHD_CONTENT_READER_END_WITH_ERROR;
static const uint64_t c_mhd_size_unknown = MHD_SIZE_UNKNOWN;

/* Leaves %XX as it came: decoding before splitting would make %2F a separator. */
static size_t c_mhd_keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* A thread that accepts on `listener`, and one per connection; with a certificate and its key (PEM), over TLS. */
static inline struct MHD_Daemon *c_mhd_start(
    int listener, unsigned int connection_limit, unsigned int idle_seconds,
    MHD_AccessHandlerCallback handle, MHD_RequestCompletedCallback completed, void *context,
    const char *certificate, const char *key)
{
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC | (certificate ? MHD_USE_TLS : 0),
        0, NULL, NULL, handle, context,
        MHD_OPTION_ARRAY, certificate ? tls : none,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listener,
        MHD_OPTION_CONNECTION_LIMIT, connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(128 * 1024),
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)(16 * 1024),
        MHD_OPTION_UNESCAPE_CALLBACK, &c_mhd_keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, completed, context,
        MHD_OPTION_END);
}

static inline int c_mhd_socket(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

/* Seconds without traffic after which the connection is closed; 0 for never. */
static inline void c_mhd_set_timeout(struct MHD_Connection *connection, unsigned int seconds)
{
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

/* Counts the events that a connection's thread hasn't seen yet; -1 with errno where there is no descriptor left. */
static inline int c_mhd_event_descriptor(void)
{
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}
