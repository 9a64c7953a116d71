#pragma once
#include <curl/curl.h>

/* curl_easy_setopt and curl_easy_getinfo are variadic: one wrapper for each type of value. */

typedef size_t (*c_curl_data_callback)(char *data, size_t size, size_t count, void *context);

static inline CURLcode c_curl_set_long(CURL *handle, CURLoption option, long value)
{
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode c_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value)
{
    return curl_easy_setopt(handle, option, value);
}

/* libcurl copies strings. */
static inline CURLcode c_curl_set_string(CURL *handle, CURLoption option, const char *value)
{
    return curl_easy_setopt(handle, option, value);
}

/* libcurl keeps the pointer. */
static inline CURLcode c_curl_set_pointer(CURL *handle, CURLoption option, void *value)
{
    return curl_easy_setopt(handle, option, value);
}

/* libcurl copies the bytes. */
static inline CURLcode c_curl_set_bytes(CURL *handle, CURLoption option, const void *data, size_t count)
{
    struct curl_blob blob = {.data = (void *)data, .len = count, .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(handle, option, &blob);
}

static inline CURLcode c_curl_set_callback(CURL *handle, CURLoption option, c_curl_data_callback value)
{
    return curl_easy_setopt(handle, option, value);
}

static inline long c_curl_get_long(CURL *handle, CURLINFO info)
{
    long value = 0;
    curl_easy_getinfo(handle, info, &value);
    return value;
}
