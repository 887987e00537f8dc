/* resolve.c: one resolution from request to result. */
#include "catalog/node/resolve.h"

#include <stdlib.h>

#include "catalog/node/resolve_int.h"

enum { SOLVER_MEMORY_MAX = 1 << 30 };

static enum status check_locks(const struct resolve_request *request, struct error *err)
{
    struct semver version;
    for (uint32_t i = 0; i < request->locked_len; i++)
        TRY(semver_parse(request->locked[i].value, &version, err));
    return STATUS_OK;
}

static enum status run(struct solver *s, struct resolution *ret, struct error *err)
{
    TRY(check_locks(s->request, err));
    TRY(solver_run(s, err));
    ret->found = !s->failed;
    ret->decisions = s->decisions;
    ret->conflicts = s->conflicts;
    return s->failed ? solver_explain(s, &ret->explanation, err) : solver_result(s, ret, err);
}

enum status resolve_run(const struct resolve_request *request, struct arena *arena,
                        struct resolution *ret, struct error *err)
{
    struct solver s = {.request = request, .results = arena};
    *ret = (struct resolution){0};
    arena_init(&s.arena, SOLVER_MEMORY_MAX);
    enum status status = run(&s, ret, err);
    free(s.trail_words);
    arena_release(&s.arena);
    return status;
}
