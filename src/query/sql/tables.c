/* tables.c: names in a statement to tables of the request. */
#include "query/sql/sql_int.h"

enum { NAME_COMPARED_MAX = 128, NEAREST_DISTANCE_MAX = 3 };

static char folded(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Levenshtein's distance (1966), letters folded, by rows; at most NAME_COMPARED_MAX bytes each. */
static unsigned distance(struct str a, struct str b)
{
    unsigned row[NAME_COMPARED_MAX + 1];
    if (a.len > NAME_COMPARED_MAX || b.len > NAME_COMPARED_MAX)
        return NAME_COMPARED_MAX;
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            unsigned change = diagonal + (folded(a.data[i - 1]) != folded(b.data[j - 1]));
            unsigned shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < shift ? change : shift;
        }
    }
    return row[b.len];
}

static enum status unknown(const struct sql_tables *tables, struct str name, struct error *err)
{
    unsigned best = NEAREST_DISTANCE_MAX + 1;
    struct str nearest = STR_NONE;
    for (uint32_t i = 0; i < tables->len; i++) {
        struct str candidate = tables->name(tables->context, i);
        unsigned d = distance(name, candidate);
        if (d < best && 3 * d <= candidate.len + 1) {
            best = d;
            nearest = candidate;
        }
    }
    if (nearest.data)
        return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source %.*s; did you mean %.*s?",
                         STR_ARG(name), STR_ARG(nearest));
    return error_set(err, STATUS_UNKNOWN_SOURCE, "there is no source %.*s", STR_ARG(name));
}

enum status sql_tables_find(const struct sql_tables *tables, struct str name, uint32_t *ret_index,
                            struct error *err)
{
    uint32_t alike = 0;
    for (uint32_t i = 0; i < tables->len; i++) {
        struct str candidate = tables->name(tables->context, i);
        if (str_eq(candidate, name)) {
            *ret_index = i;
            return STATUS_OK;
        }
        if (str_eq_nocase(candidate, name)) {
            *ret_index = i;
            alike++;
        }
    }
    if (alike == 1)
        return STATUS_OK;
    if (alike > 1)
        return error_set(err, STATUS_UNKNOWN_SOURCE,
                         "source %.*s could be %u sources that differ in upper and lower case",
                         STR_ARG(name), alike);
    return unknown(tables, name, err);
}
