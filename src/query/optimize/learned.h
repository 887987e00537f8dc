/* learned.h: what was learned of questions that differ in constants only ("templates"): how wrong
 * the estimate of their rows is, what each path took in comparison with its estimate, and the
 * choice that was made last.
 *
 * Guards: corrections are decaying means, clamped, used from HISTORY_SEEN_MIN observations on and
 * only when the estimates err to one side; they are forgotten when the source's rows have changed
 * by a fifth. At most HISTORY_TEMPLATES. Not thread-safe. */
#ifndef QUARRY_QUERY_LEARNED_H
#define QUARRY_QUERY_LEARNED_H

#include "query/optimize/access.h"

enum { HISTORY_TEMPLATES = 1024, HISTORY_SEEN_MIN = 3, HISTORY_LABEL_MAX = 160 };

struct path_history {
    uint32_t runs;
    double miss;    /* decaying mean of log2(ms / estimate) */
    double ms;      /* decaying mean */
    double best_ms; /* of all */
};

struct template_history {
    uint64_t key;                  /* 0: free */
    char label[HISTORY_LABEL_MAX]; /* "source: field op, ..." for people */
    double rows_total;             /* of the source when this was learned */
    uint32_t seen;
    double miss;   /* decaying mean of log2(rows / estimate) */
    double noise;  /* and of its amount */
    double spread; /* decaying mean of |log2(rows / corrected estimate)| */
    double rows;   /* decaying mean of the rows found */
    struct path_history paths[PATHS];
    uint64_t runs;
    /* The kept plan */
    int64_t kept_until_us; /* 0: none */
    enum access_path kept_path;
    uint64_t used; /* a clock for finding the one to forget */
};

struct learned {
    struct template_history *templates; /* HISTORY_TEMPLATES, a hash table with short probing */
    uint64_t clock;
    uint32_t len;
};

enum status learned_init(struct learned *learned, struct error *err);
void learned_free(struct learned *learned);
void learned_reset(struct learned *learned);
/* NULL: not known. */
struct template_history *learned_find(struct learned *learned, uint64_t key);
/* Made when missing, in place of the one that was not used for longest in its neighbourhood. */
struct template_history *learned_make(struct learned *learned, uint64_t key, const char *label);
/* Forgets when the source is another by now. */
void learned_check_rows(struct template_history *template, double rows_total);

/* log2 to be added to an estimate of rows; 0: nothing is known. */
double learned_row_correction(const struct template_history *template);
/* The same for a path's milliseconds. */
double learned_time_correction(const struct template_history *template, enum access_path path);
void learned_learn_rows(struct template_history *template, double estimate, double corrected,
                        double rows, double rows_total);
void learned_learn_time(struct template_history *template, enum access_path path, double estimate,
                        double ms);

#endif
