#pragma once
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

/* Whether the password gives the hash, in time that doesn't tell how much of it is right. 1, 0, or -1 for a hash of a kind
   that the library doesn't know. */
static inline int c_crypt_verify(const char *password, const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    if (!data) return -1;
    const char *found = crypt_r(password, hash, data);
    int result = -1;
    if (found && found[0] != '*') {
        size_t length = strlen(hash);
        unsigned char differs = strlen(found) == length ? 0 : 1;
        for (size_t i = 0; i < length && found[i]; i++) differs |= (unsigned char)(found[i] ^ hash[i]);
        result = differs ? 0 : 1;
    }
    free(data);
    return result;
}
