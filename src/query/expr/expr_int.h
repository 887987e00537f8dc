/* expr_int.h: one node of a running expression, shared by the files of evaluation.
 *
 * A step writes its values into `out`, which it owns. Helpers: step_room makes room for the rows,
 * the loops fill every slot (null slots of arguments hold zero, so they do no harm), then
 * step_take_nulls marks null what is null in an argument and clears these slots. */
#ifndef QUARRY_QUERY_EXPR_INT_H
#define QUARRY_QUERY_EXPR_INT_H

#include "query/expr/expr.h"
#include "query/filter/like.h"

struct step {
    const struct expr *expr;
    struct step *args;
    struct column out;
    const struct column *value; /* `out`, or an input's column */
    struct like like;
    bool ready; /* a constant that was spread over all rows */
};

static inline const struct column *step_arg(const struct step *step, uint32_t i)
{
    return step->args[i].value;
}

enum status step_doubt(struct error *err, const char *what);
/* `rows` slots without nulls, not cleared; of texts: none, to be appended to. */
enum status step_room(struct step *step, uint32_t rows, struct error *err);
/* Rows that are null in any argument. */
enum status step_take_nulls(struct step *step, uint32_t rows, struct error *err);
/* One more row is null; the slot is cleared. */
enum status step_set_null(struct step *step, uint32_t row, struct error *err);

/* The values of a step whose arguments have theirs. */
enum status step_number(struct step *step, uint32_t rows, struct error *err);
enum status step_compare(struct step *step, uint32_t rows, struct error *err);
enum status step_logic(struct step *step, uint32_t rows, struct error *err);
enum status step_choice(struct step *step, uint32_t rows, struct error *err);
enum status step_cast(struct step *step, uint32_t rows, struct error *err);
enum status step_text(struct step *step, uint32_t rows, struct error *err);
enum status step_time(struct step *step, uint32_t rows, struct error *err);

#endif
