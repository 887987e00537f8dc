/* lifecycle.c: the one table of transitions (decision record 0015).
 *
 *            to  draft  active       deprecated               archived
 * draft          -      write        -                        write, reason
 * active         -      -            admin, node: replacement -
 * deprecated     -      admin,reason -                        admin, reason
 * archived       -      -            -                        -
 */
#include "catalog/catalog_int.h"

enum { STATES = 4 };

static const char *const states[STATES] = {"draft", "active", "deprecated", "archived"};

struct rule {
    bool allowed;
    enum right permission;
    bool reason;
    bool replacement; /* of a node */
};

static const struct rule rules[STATES][STATES] = {
    [0] = {[1] = {true, RIGHT_WRITE, false, false}, [3] = {true, RIGHT_WRITE, true, false}},
    [1] = {[2] = {true, RIGHT_ADMIN, false, true}},
    [2] = {[1] = {true, RIGHT_ADMIN, true, false}, [3] = {true, RIGHT_ADMIN, true, false}},
};

static int state_of(struct str state)
{
    for (int i = 0; i < STATES; i++)
        if (str_is(state, states[i]))
            return i;
    return -1;
}

bool lifecycle_is_state(struct str state)
{
    return state_of(state) >= 0;
}

struct transition_edit {
    struct catalog *catalog;
    const struct caller *caller;
    const struct transition *transition;
};

static enum status refuse(int from, int to, struct error *err)
{
    char next[64] = "";
    for (int i = 0; i < STATES; i++) {
        if (!rules[from][i].allowed)
            continue;
        if (next[0])
            strcat(next, " or "); /* NOLINT: four words of our own */
        strcat(next, states[i]);  /* NOLINT */
    }
    return error_set(err, STATUS_CONFLICT, "LC003: from %s an asset cannot become %s, only %s",
                     states[from], states[to], next[0] ? next : "a new version");
}

static enum status check_needs(const struct transition_edit *edit, const struct rule *rule,
                               const struct record *record, struct error *err)
{
    TRY(permission_check(edit->catalog, edit->caller, record, rule->permission, err));
    if (rule->reason && !edit->transition->reason.len) {
        error_set(err, STATUS_INVALID_ARGUMENT, "LC006: this step needs a reason");
        error_at_field(err, "reason", 6, NULL, 0);
        return STATUS_INVALID_ARGUMENT;
    }
    if (rule->replacement && str_is(record->kind, "node") && !edit->transition->deprecated_by.len) {
        error_set(err, STATUS_INVALID_ARGUMENT,
                  "LC005: a node is deprecated in favour of another one: name it in deprecated_by");
        error_at_field(err, "deprecated_by", 13, NULL, 0);
        return STATUS_INVALID_ARGUMENT;
    }
    return STATUS_OK;
}

static enum status edit_lifecycle(void *context, struct record *record, struct arena *arena,
                                  struct error *err)
{
    static const char *const reason_names[STATES] = {NULL, "reactivation_reason",
                                                     "deprecation_reason", "archived_reason"};
    const struct transition_edit *edit = context;
    int from = state_of(record->lifecycle), to = state_of(edit->transition->to);
    if (to < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "LC001: lifecycle must be draft, active, deprecated or archived");
    if (from == to)
        return STATUS_OK;
    if (from < 0 || !rules[from][to].allowed)
        return refuse(from < 0 ? STATES - 1 : from, to, err);
    TRY(check_needs(edit, &rules[from][to], record, err));
    record->lifecycle = str_of(states[to]);
    if (edit->transition->reason.len && reason_names[to])
        TRY(attribute_set(&record->attributes, reason_names[to], edit->transition->reason, arena,
                          err));
    return attribute_set(&record->attributes, "deprecated_by", edit->transition->deprecated_by,
                         arena, err);
}

enum status asset_transition(struct catalog *catalog, const struct caller *caller, struct str id,
                             int64_t expected, const struct transition *transition,
                             struct arena *arena, struct record *ret, struct error *err)
{
    struct transition_edit context = {catalog, caller, transition};
    struct asset_edit edit = {.action = "asset.lifecycle",
                              .permission = RIGHT_WRITE,
                              .expected = expected,
                              .edit = edit_lifecycle,
                              .context = &context};
    return asset_edit(catalog, caller, id, &edit, arena, ret, err);
}
