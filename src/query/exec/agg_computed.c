/* agg_computed.c: columns that are computed from those of the view, once a slice when asked for. */
#include <stdlib.h>

#include "query/exec/agg_run_int.h"

int32_t agg_find_column(const struct agg_run *run, struct str name, enum type *ret_type)
{
    const struct schema *schema = run->scan.view->schema;
    const struct aggregate *agg = run->agg;
    for (uint32_t i = 0; i < agg->computed_len; i++) {
        if (!str_eq(agg->computed[i].name, name))
            continue;
        *ret_type = agg->computed[i].expr->type;
        return (int32_t)(schema->fields_len + i);
    }
    int32_t at = schema_find(schema, name);
    if (at >= 0)
        *ret_type = schema->fields[at].type;
    return at;
}

enum status agg_computed_init(struct agg_run *run, struct error *err)
{
    const struct aggregate *agg = run->agg;
    run->computed = calloc((size_t)agg->computed_len + 1, sizeof *run->computed);
    if (!run->computed)
        return error_no_memory(err);
    for (uint32_t i = 0; i < agg->computed_len; i++)
        TRY(expr_run_new(agg->computed[i].expr, &run->computed[i].run, err));
    return STATUS_OK;
}

void agg_computed_release(struct agg_run *run)
{
    for (uint32_t i = 0; run->computed && i < run->agg->computed_len; i++)
        expr_run_free(run->computed[i].run);
    free(run->computed);
}

void agg_computed_forget(struct agg_run *run)
{
    for (uint32_t i = 0; i < run->agg->computed_len; i++)
        run->computed[i].values = NULL;
}

static enum status input(void *context, uint32_t field, const struct column **ret,
                         struct error *err)
{
    struct agg_run *run = context;
    return scan_dense(&run->scan, field, ret, err);
}

enum status agg_column(struct agg_run *run, int32_t column, const struct column **ret,
                       struct error *err)
{
    if (!agg_is_computed(run, column))
        return scan_dense(&run->scan, (uint32_t)column, ret, err);
    struct agg_computed *computed =
        &run->computed[(uint32_t)column - run->scan.view->schema->fields_len];
    const struct expr_source source = {run, input};
    if (!computed->values)
        TRY(expr_run_eval(computed->run, &source, run->scan.selected, &computed->values, err));
    *ret = computed->values;
    return STATUS_OK;
}
