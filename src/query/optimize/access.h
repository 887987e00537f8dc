/* access.h: the ways to answer a question about one source, and what a choice among them says. */
#ifndef QUARRY_QUERY_ACCESS_H
#define QUARRY_QUERY_ACCESS_H

#include "query/exec/exec.h"

/* In this order they win when they cost the same. */
enum access_path {
    PATH_RESULT_CACHE,  /* the whole result of the same state */
    PATH_METADATA,      /* bounds and counts of files; unflushed rows are read */
    PATH_INDEX,         /* rows by hash or sorted index, the rest of the filter on them */
    PATH_FILE_PARTIALS, /* aggregates kept for each immutable file, new files and rows are read */
    PATH_PRUNED_SCAN,   /* own operators over what bounds leave */
    PATH_FULL_SCAN,     /* own operators over everything: to compare with */
    PATH_DUCKDB,        /* the SQL engine */
    PATHS,
};
const char *access_path_name(enum access_path path); /* "result_cache", ... */
bool access_path_parse(struct str name, enum access_path *ret);

/* Partials of single files are kept when all their groups are fewer than this share of the rows;
 * beyond it only their sum is: merging it is all that more of them could save. */
enum { ACCESS_GROUP_SHARE = 16 };

/* What a question asks of one source, in the terms of exec.h. All borrowed. */
struct query_shape {
    struct str source_id;
    bool aggregates;
    const struct filter *filter;
    yyjson_val *filters;       /* the same as JSON; NULL: none */
    const struct str *columns; /* search: of the result; NULL: all */
    uint32_t columns_len;
    int64_t limit; /* search; -1: none */
    uint64_t offset;
    const struct search_order *order; /* search */
    uint32_t order_len;
    const struct aggregate_spec *specs; /* aggregates */
    uint32_t specs_len;
    const struct str *keys;
    uint32_t keys_len;
    const struct computed *computed; /* that specs and keys name */
    uint32_t computed_len;
};

/* What work a path does: features of the cost model, forecast or counted. */
struct access_work {
    double files;  /* opened */
    double rows;   /* looked at */
    double values; /* of all columns of these rows that are decoded */
    double found;  /* rows that the filter lets through */
    double groups; /* or rows of the result, of a search */
    double bytes;  /* of the files, those columns' share */
};

struct access_plan {
    enum access_path path;
    struct access_work work;
    double ms; /* by the cost model */
    bool index_used;
    char id[40]; /* "<path>-<template>": names it for `plan_id` */
};

/* An answer to "how": the alternatives, cheapest first. */
struct access_choice {
    struct access_plan plans[PATHS];
    uint32_t plans_len;
    uint32_t chosen;      /* of plans */
    uint64_t template;    /* of the question without its constants */
    uint64_t files_total; /* of the view */
    uint64_t rows_total;
    double rows_found; /* estimate, the learned correction included */
    double rows_raw;   /* without it */
    double rows_out;
    bool from_cache; /* a plan that was kept */
    int64_t plan_us;
};

static inline const struct access_plan *access_chosen(const struct access_choice *choice)
{
    return &choice->plans[choice->chosen];
}

#endif
