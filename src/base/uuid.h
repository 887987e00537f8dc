/* uuid.h: UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, 74 random bits. The caller gives
 * clock and randomness, so that a simulated world yields the same ids again. */
#ifndef QUARRY_BASE_UUID_H
#define QUARRY_BASE_UUID_H

#include <stdint.h>

#include "base/str.h"

enum { UUID_TEXT_LEN = 36 };

struct uuid {
    unsigned char bytes[16];
};

struct uuid uuid_v7(uint64_t unix_ms, const unsigned char random[10]);
/* Lower-case text with its ending NUL. */
void uuid_format(struct uuid uuid, char out[UUID_TEXT_LEN + 1]);
bool uuid_parse(struct str text, struct uuid *ret);

#endif
