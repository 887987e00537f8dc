/* sketch_int.h: a sketch's insides (sketch.c, sketch_file.c). */
#ifndef QUARRY_STORAGE_SKETCH_INT_H
#define QUARRY_STORAGE_SKETCH_INT_H

#include "storage/sketch/hll.h"
#include "storage/sketch/sketch.h"

struct sketch_column {
    struct str name;    /* in the arena */
    int32_t field_id;   /* field_id_base */
    uint8_t *registers; /* HLL_REGISTERS, in the arena */
};

struct sketch {
    _Atomic uint32_t refs;
    uint64_t rows;
    uint64_t random; /* the generator's state */
    struct arena arena;
    struct sketch_column *columns; /* SKETCH_COLUMNS_MAX */
    uint32_t columns_len;
    /* The sample under construction: up to SAMPLE_ROOM rows, then only the best stay. */
    struct batch *sample;
    uint64_t *priorities; /* of its rows; SAMPLE_ROOM */
    uint32_t keep;        /* rows that stay */
    uint64_t bar;         /* rows with a priority above need not be looked at */
};

enum { SAMPLE_ROOM = 2 * SKETCH_SAMPLE_ROWS };

/* The column of the name, made when missing; NULL when there are too many or memory is out. */
struct sketch_column *sketch_column_of(struct sketch *sketch, struct str name, int32_t field_id);

#endif
