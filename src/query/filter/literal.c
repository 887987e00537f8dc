/* literal.c: JSON scalars as filter literals, compared exactly.
 *
 * A double and an integer are compared without rounding either: a double of magnitude up to 2^126
 * has its integer part in an __int128, anything beyond is larger than every integer of JSON. */
#include <math.h>
#include <stdio.h>

#include "query/filter/filter_int.h"

bool literal_of_json(yyjson_val *value, struct literal *ret)
{
    *ret = (struct literal){.kind = LITERAL_NULL};
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        return true;
    case YYJSON_TYPE_BOOL:
        ret->kind = LITERAL_BOOL;
        ret->boolean = yyjson_get_bool(value);
        return true;
    case YYJSON_TYPE_STR:
        ret->kind = LITERAL_STR;
        ret->text = json_str_of(value);
        return true;
    case YYJSON_TYPE_NUM:
        ret->kind = yyjson_is_real(value) ? LITERAL_REAL : LITERAL_INT;
        if (yyjson_is_real(value))
            ret->real = yyjson_get_real(value);
        else if (yyjson_is_uint(value))
            ret->integer = yyjson_get_uint(value);
        else
            ret->integer = yyjson_get_sint(value);
        return true;
    default:
        return false;
    }
}

const char *literal_kind_name(enum literal_kind kind)
{
    switch (kind) {
    case LITERAL_NULL:
        return "null";
    case LITERAL_BOOL:
        return "a boolean";
    case LITERAL_STR:
        return "a text";
    default:
        return "a number";
    }
}

uint32_t literal_text(const struct literal *literal, char out[LITERAL_TEXT_MAX])
{
    int n = 0;
    switch (literal->kind) {
    case LITERAL_NULL:
        n = snprintf(out, LITERAL_TEXT_MAX, "null");
        break;
    case LITERAL_BOOL:
        n = snprintf(out, LITERAL_TEXT_MAX, "%s", literal->boolean ? "true" : "false");
        break;
    case LITERAL_INT:
        n = literal->integer < 0
                ? snprintf(out, LITERAL_TEXT_MAX, "%lld", (long long)literal->integer)
                : snprintf(out, LITERAL_TEXT_MAX, "%llu", (unsigned long long)literal->integer);
        break;
    case LITERAL_REAL:
        n = snprintf(out, LITERAL_TEXT_MAX, "%.17g", literal->real);
        break;
    case LITERAL_STR:
        n = literal->text.len < LITERAL_TEXT_MAX ? (int)literal->text.len : LITERAL_TEXT_MAX - 1;
        memcpy(out, literal->text.data, (size_t)n);
        break;
    }
    return (uint32_t)n;
}

static bool is_number(const struct literal *l)
{
    return l->kind == LITERAL_INT || l->kind == LITERAL_REAL;
}

static int compare_int_real(__int128 a, double b)
{
    if (b >= 0x1p126)
        return -1;
    if (b <= -0x1p126)
        return 1;
    double whole = floor(b);
    __int128 c = (__int128)whole;
    if (a != c)
        return a < c ? -1 : 1;
    return b > whole ? -1 : 0;
}

int literal_compare_numbers(const struct literal *a, const struct literal *b)
{
    if (a->kind == LITERAL_INT && b->kind == LITERAL_INT)
        return a->integer < b->integer ? -1 : a->integer > b->integer;
    if (a->kind == LITERAL_REAL && b->kind == LITERAL_REAL)
        return a->real < b->real ? -1 : a->real > b->real;
    if (a->kind == LITERAL_INT)
        return compare_int_real(a->integer, b->real);
    return -compare_int_real(b->integer, a->real);
}

bool literal_equal(const struct literal *a, const struct literal *b)
{
    if (is_number(a) && is_number(b))
        return literal_compare_numbers(a, b) == 0;
    if (a->kind != b->kind || a->kind == LITERAL_NULL)
        return false;
    if (a->kind == LITERAL_BOOL)
        return a->boolean == b->boolean;
    return str_eq(a->text, b->text);
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    return x ^ x >> 32;
}

/* Numbers that are equal hash alike: through the nearest double. */
uint64_t literal_hash(const struct literal *l)
{
    double real;
    uint64_t bits;
    switch (l->kind) {
    case LITERAL_STR:
        return str_hash(l->text);
    case LITERAL_BOOL:
        return mix(l->boolean ? 3 : 5);
    case LITERAL_NULL:
        return 0;
    default:
        real = l->kind == LITERAL_INT ? (double)l->integer : l->real;
        real += 0.0; /* -0.0 becomes 0.0 */
        memcpy(&bits, &real, sizeof bits);
        return mix(bits);
    }
}
