#include "service/nearest.h"

struct nearest nearest_begin(struct str wanted)
{
    return (struct nearest){.wanted = wanted};
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static size_t distance_of(struct str a, struct str b)
{
    size_t rows[3][NEAREST_NAME_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = fold(a.data[i - 1]), y = fold(b.data[j - 1]);
            row[j] = min_of(min_of(last[j], row[j - 1]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == fold(b.data[j - 2]) && y == fold(a.data[i - 2]))
                row[j] = min_of(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b.len];
}

void nearest_offer(struct nearest *nearest, const char *name)
{
    struct str known = str_of(name);
    if (nearest->wanted.len > NEAREST_NAME_MAX || known.len > NEAREST_NAME_MAX)
        return;
    size_t distance = distance_of(nearest->wanted, known);
    size_t allowed = min_of(3, (known.len + 2) / 3);
    if (distance <= allowed && (!nearest->best || distance < nearest->distance)) {
        nearest->best = name;
        nearest->distance = distance;
    }
}
