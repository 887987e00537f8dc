/* analyze.c: what a statement touches. One walk over the source tree with scopes: tables of a FROM
 * are entered first, then names are resolved against them, from the inside out. Derived tables
 * (sub-queries, CTEs) carry their outputs, so that a column can be followed to base tables. */
#include <stdio.h>

#include "query/lang/analyze_int.h"
#include "query/lang/token.h"

static void walk_statement(struct analyzer *a, const struct node *root)
{
    struct scope scope = {0};
    switch (root->kind) {
    case N_INSERT:
        analyze_walk_ctes(a, root->kids[3], &scope);
        analyze_walk_name(a, root->kids[0], &scope, true);
        analyze_walk(a, root->kids[2], &scope);
        break;
    case N_UPDATE:
        analyze_walk_ctes(a, root->kids[4], &scope);
        analyze_walk_name(a, root->kids[0], &scope, true);
        for (size_t i = 0; i < list_count(root->kids[2]); i++)
            analyze_walk_from(a, root->kids[2]->kids[i], &scope, false);
        analyze_walk(a, root->kids[1], &scope);
        analyze_walk(a, root->kids[3], &scope);
        analyze_add_filters(a, root->kids[3], &scope);
        break;
    case N_DELETE:
        analyze_walk_ctes(a, root->kids[3], &scope);
        analyze_walk_name(a, root->kids[0], &scope, true);
        for (size_t i = 0; i < list_count(root->kids[1]); i++)
            analyze_walk_from(a, root->kids[1]->kids[i], &scope, false);
        analyze_walk(a, root->kids[2], &scope);
        analyze_add_filters(a, root->kids[2], &scope);
        break;
    case N_MERGE:
        analyze_walk_name(a, root->kids[0], &scope, true);
        analyze_walk_from(a, root->kids[1], &scope, false);
        analyze_walk(a, root->kids[2], &scope);
        analyze_walk(a, root->kids[3], &scope);
        break;
    case N_CREATE_TABLE:
    case N_CREATE_VIEW:
        analyze_add_table(a, (struct lang_table){.name = analyze_dotted(a, root->kids[0]),
                                                 .last = analyze_last_part(root->kids[0]),
                                                 .offset = root->kids[0]->offset,
                                                 .is_written = true});
        analyze_walk(a, root->kids[2], &scope);
        break;
    case N_ALTER:
    case N_DROP:
    case N_REFRESH:
    case N_DESCRIBE:
        analyze_add_table(a, (struct lang_table){.name = analyze_dotted(a, root->kids[0]),
                                                 .last = analyze_last_part(root->kids[0]),
                                                 .offset = root->kids[0]->offset,
                                                 .is_written = root->kind != N_DESCRIBE});
        break;
    case N_EXPLAIN:
        walk_statement(a, root->kids[0]);
        break;
    case N_SHOW:
    case N_OTHER:
        break;
    default: {
        struct outputs *outputs = analyze_walk_query(a, root, NULL, true);
        if (outputs) {
            a->ret->outputs = outputs->items;
            a->ret->output_count = outputs->count;
        }
        break;
    }
    }
}

enum status lang_analyze(struct arena *arena, const struct lang_query *query,
                         struct lang_analysis *ret, struct lang_problem *problem)
{
    *ret = (struct lang_analysis){.limit = -1, .offset = -1};
    struct analyzer a = {.arena = arena, .query = query, .ret = ret};
    walk_statement(&a, query->root);
    ret->columns = a.all.items;
    ret->column_count = a.all.count;
    if (!a.failed)
        return STATUS_OK;
    if (problem) {
        *problem = (struct lang_problem){.code = LANG_NO_MEMORY};
        snprintf(problem->message, sizeof problem->message, "no memory for the statement");
    }
    return STATUS_NO_MEMORY;
}
