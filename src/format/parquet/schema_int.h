/* schema_int.h: an element of the schema list as the footer has it (schema_types.c reads it,
 * schema_read.c builds the tree). */
#ifndef QUARRY_FORMAT_PARQUET_SCHEMA_INT_H
#define QUARRY_FORMAT_PARQUET_SCHEMA_INT_H

#include "format/parquet/reader_int.h"
#include "format/parquet/thrift_int.h"

struct pq_element {
    int32_t physical; /* -1: a group */
    int32_t width;    /* of fixed-length byte arrays */
    int32_t repetition;
    int32_t children;
    int32_t converted; /* -1: none */
    int32_t id;
    int32_t scale;
    struct str name;
    enum pq_logical logical;
    enum pq_time_unit unit;
    bool is_signed;
    bool is_interval;
};

void pq_element_read(struct thrift_reader *r, struct pq_element *e);
/* Sets all of the leaf that follows from the element's types; the name is there already. */
enum status pq_leaf_type(const struct pq_element *e, struct pq_leaf *leaf, struct error *err);

#endif
