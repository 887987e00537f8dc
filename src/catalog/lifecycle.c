/* lifecycle.c: the one table of transitions (decision records 0015, 0043).
 *
 *            to  draft  active        deprecated               archived
 * draft          -      write         -                        write, reason
 * active         -      -             admin, node: replacement -
 * deprecated     -      admin, reason -                        admin, reason
 * archived       -      -             -                        -
 *
 * Nodes also: draft -> active somebody else's approval; active -> deprecated a notice of 30 days;
 * deprecated -> active an approval for security and a notice of 7 days; deprecated -> archived a
 * notice of 14 days. Whether a step without these is refused says the setting lifecycle_policy. */
#include "catalog/approval.h"
#include "catalog/catalog_int.h"

enum { STATES = 4 };

static const char *const states[STATES] = {"draft", "active", "deprecated", "archived"};

struct rule {
    bool allowed;
    enum right permission;
    bool reason;
    bool replacement; /* of a node, like what follows */
    bool approval, security;
    int notice_days;
};

static const struct rule rules[STATES][STATES] = {
    [0] = {[1] = {true, RIGHT_WRITE, .approval = true}, [3] = {true, RIGHT_WRITE, .reason = true}},
    [1] = {[2] = {true, RIGHT_ADMIN, .replacement = true, .notice_days = 30}},
    [2] = {[1] = {true, RIGHT_ADMIN, .reason = true, .approval = true, .security = true,
                  .notice_days = 7},
           [3] = {true, RIGHT_ADMIN, .reason = true, .notice_days = 14}},
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

/* Nodes; packages of npm have an order of their own. */
static bool is_reviewed(const struct record *asset)
{
    return str_is(asset->kind, "node") && !str_is(asset->namespace, "npm");
}

static enum status is_strict(struct catalog *catalog, const struct caller *caller, bool *ret,
                             struct error *err)
{
    struct arena arena;
    struct str policy = STR_NONE;
    arena_init(&arena, 0);
    enum status status =
        setting_get(catalog, caller, "lifecycle_policy", "advise", &arena, &policy, err);
    *ret = str_is(policy, "strict");
    if (status == STATUS_OK && !*ret && !str_is(policy, "advise"))
        status = error_set(err, STATUS_INVALID_ARGUMENT,
                           "the setting lifecycle_policy is '%.*s', it must be advise or strict",
                           STR_ARG(policy));
    arena_release(&arena);
    return status;
}

enum status lifecycle_guard(struct catalog *catalog, const struct caller *caller,
                            const struct record *asset, struct str from, struct error *err)
{
    bool strict = false;
    if (!is_reviewed(asset) || caller->admin || (!from.len && str_is(asset->lifecycle, "draft")))
        return STATUS_OK;
    TRY(is_strict(catalog, caller, &strict, err));
    return strict ? error_set(err, STATUS_FORBIDDEN,
                              "LC004: a node begins as a draft here, and moves when it is approved")
                  : STATUS_OK;
}

struct transition_edit {
    struct catalog *catalog;
    const struct caller *caller;
    const struct transition *transition;
    bool strict;
    unsigned lacks;
    struct changes_beside beside; /* approvals and notices that are used up */
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

static enum status no_state(struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "LC001: lifecycle must be draft, active, deprecated or archived");
}

enum status lifecycle_step(struct str from, struct str to, struct step_needs *ret,
                           struct error *err)
{
    int here = state_of(from), there = state_of(to);
    if (there < 0)
        return no_state(err);
    if (here < 0 || !rules[here][there].allowed)
        return refuse(here < 0 ? STATES - 1 : here, there, err);
    const struct rule *rule = &rules[here][there];
    *ret = (struct step_needs){.permission = rule->permission,
                               .approval = rule->approval,
                               .security = rule->security,
                               .notice_days = rule->notice_days};
    return STATUS_OK;
}

static enum status lacks_error(unsigned lacks, const struct step_needs *needs, struct str to,
                               struct error *err)
{
    if (lacks & LACKS_APPROVAL)
        return error_set(err, STATUS_CONFLICT,
                         "LC004: to become %.*s the node, as it is now, needs an approval%s by "
                         "somebody who is neither its owner nor takes this step",
                         STR_ARG(to), needs->security ? " for security" : "");
    return error_set(err, STATUS_CONFLICT,
                     "LC008: a node becomes %.*s %d days after a notice of it", STR_ARG(to),
                     (int)needs->notice_days);
}

/* What users and reviewers of a node were promised; uses up what there is. */
static enum status check_promises(struct transition_edit *edit, const struct record *node,
                                  struct arena *arena, struct error *err)
{
    struct record_page open;
    struct step_needs needs;
    int64_t now_us = sys_now_us(edit->catalog->sys);
    struct str to = edit->transition->to;
    TRY(lifecycle_step(node->lifecycle, to, &needs, err));
    TRY(approvals_open(edit->catalog, node, arena, &open, err));
    edit->lacks = step_lacks(&needs, &open, node, edit->caller, to, now_us);
    if (edit->lacks && edit->strict)
        return lacks_error(edit->lacks, &needs, to, err);
    edit->beside.list = arena_array(arena, open.len + 1, sizeof *edit->beside.list);
    if (!edit->beside.list)
        return error_no_memory(err);
    for (uint32_t i = 0; i < open.len; i++)
        edit->beside.list[i] = approval_close(&open.records[i], "used", now_us);
    edit->beside.len = open.len;
    return STATUS_OK;
}

static enum status edit_state(void *context, struct record *record, struct arena *arena,
                              struct error *err)
{
    static const char *const reason_names[STATES] = {NULL, "reactivation_reason",
                                                     "deprecation_reason", "archived_reason"};
    struct transition_edit *edit = context;
    int from = state_of(record->lifecycle), to = state_of(edit->transition->to);
    edit->lacks = edit->beside.len = 0;
    if (to < 0)
        return no_state(err);
    if (from == to)
        return STATUS_OK;
    if (from < 0 || !rules[from][to].allowed)
        return refuse(from < 0 ? STATES - 1 : from, to, err);
    TRY(check_needs(edit, &rules[from][to], record, err));
    if (is_reviewed(record))
        TRY(check_promises(edit, record, arena, err));
    record->lifecycle = str_of(states[to]);
    if (edit->transition->reason.len && reason_names[to])
        TRY(attribute_set(&record->attributes, reason_names[to], edit->transition->reason, arena,
                          err));
    return attribute_set(&record->attributes, "deprecated_by", edit->transition->deprecated_by,
                         arena, err);
}

static enum status edit_lifecycle(void *context, struct record *record, struct arena *arena,
                                  struct error *err)
{
    const struct transition *transition = ((struct transition_edit *)context)->transition;
    TRY(edit_state(context, record, arena, err));
    return transition->also ? transition->also(transition->context, record, arena, err) : STATUS_OK;
}

enum status asset_transition(struct catalog *catalog, const struct caller *caller, struct str id,
                             int64_t expected, const struct transition *transition,
                             struct arena *arena, struct record *ret, struct error *err)
{
    struct transition_edit context = {catalog, caller, transition, .strict = false};
    struct asset_edit edit = {.action = "asset.lifecycle",
                              .permission = RIGHT_WRITE,
                              .expected = expected,
                              .edit = edit_lifecycle,
                              .context = &context,
                              .beside = &context.beside};
    TRY(is_strict(catalog, caller, &context.strict, err));
    TRY(asset_edit(catalog, caller, id, &edit, arena, ret, err));
    if (transition->ret_lacks)
        *transition->ret_lacks = context.lacks;
    return STATUS_OK;
}
