/* Versions and ranges mean what they mean to npm: thousands of generated questions are answered by
 * us and by npm's `semver` package (through semver_oracle.js) and compared. The generator's seed is
 * fixed; each range is tried on versions near its own numbers, prereleases among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "catalog/node/semver_range.h"

enum { COMPARES = 2000, TEXTS = 1000, RANGES = 6000, VERSIONS_A_RANGE = 16 };

static uint64_t state_of_random = 20260101;

static uint32_t pick(uint32_t below)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return (uint32_t)((state_of_random >> 20) % below);
}

#define PICK(array) ((array)[pick(sizeof(array) / sizeof *(array))])

static const char *const NUMBERS[] = {"0", "0", "1", "1", "2", "3", "10"};
static const char *const PRES[] = {"alpha", "alpha.1", "alpha.2", "beta",    "rc.1", "0",
                                   "1",     "10",      "a-b",     "alpha.b", "x"};

static void make_version(struct buf *out, bool build)
{
    buf_printf(out, "%s.%s.%s", PICK(NUMBERS), PICK(NUMBERS), PICK(NUMBERS));
    if (pick(3) == 0)
        buf_printf(out, "-%s", PICK(PRES));
    if (build && pick(6) == 0)
        buf_printf(out, "+b%u", pick(3));
}

static void make_partial(struct buf *out, bool open)
{
    static const char *const OPEN[] = {"x", "X", "*"};
    uint32_t parts = open ? 1 + pick(3) : 3;
    if (pick(12) == 0)
        buf_append_char(out, 'v');
    for (uint32_t i = 0; i < parts; i++) {
        if (i)
            buf_append_char(out, '.');
        buf_append_str(out, str_of(open && pick(6) == 0 ? PICK(OPEN) : PICK(NUMBERS)));
    }
    if (parts == 3 && pick(4) == 0)
        buf_printf(out, "-%s", PICK(PRES));
}

static void make_comparator(struct buf *out, bool prereleases)
{
    static const char *const OPS[] = {
        "", "", "=", "<", ">", "<=", ">=", "^", "^", "~", "~>", "> ", ">= ", "^ "};
    const char *op = PICK(OPS);
    buf_append_str(out, str_of(op));
    /* npm changed the meaning of "~1.2" with prereleases in 2025: not asked. */
    make_partial(out, !(prereleases && op[0] == '~'));
}

static void make_range(struct buf *out, bool prereleases)
{
    static const char *const BARS[] = {"||", " || ", "|| "};
    static const char *const ODD[] = {"",
                                      "*",
                                      "x",
                                      ">",
                                      "1.2.3.4",
                                      "a",
                                      "1..2",
                                      ">=0.0.0",
                                      "<0",
                                      ">*",
                                      "<=*",
                                      "01.2.3",
                                      "9007199254740992.0.0",
                                      "^",
                                      "1.2-a",
                                      "- 1",
                                      "1 -",
                                      "<0.0.0-0",
                                      "1.2.3 - x",
                                      "x - 2"};
    uint32_t sets = 1 + (pick(3) == 0 ? 1 + pick(2) : 0);
    for (uint32_t s = 0; s < sets; s++) {
        if (s)
            buf_append_str(out, str_of(PICK(BARS)));
        if (pick(20) == 0) {
            buf_append_str(out, str_of(PICK(ODD)));
        } else if (pick(5) == 0) {
            make_partial(out, true);
            buf_append_str(out, STR(" - "));
            make_partial(out, true);
        } else {
            for (uint32_t left = 1 + pick(3); left; left--) {
                make_comparator(out, prereleases);
                if (left > 1)
                    buf_append_str(out, str_of(pick(4) ? " " : "  "));
            }
        }
    }
}

static void make_text(struct buf *out)
{
    static const char *const PIECES[] = {"1", "0", "01", ".", ".", "-", "+", "a", "", "10", "_"};
    make_version(out, true);
    for (uint32_t n = pick(3); n; n--)
        buf_append_str(out, str_of(PICK(PIECES)));
}

static void make_questions(struct buf *out)
{
    for (int i = 0; i < COMPARES; i++) {
        buf_append_str(out, STR("c "));
        make_version(out, true);
        buf_append_char(out, ' ');
        make_version(out, true);
        buf_append_char(out, '\n');
    }
    for (int i = 0; i < TEXTS; i++) {
        buf_append_str(out, STR("v "));
        make_text(out);
        buf_append_char(out, '\n');
    }
    for (int i = 0; i < RANGES; i++) {
        bool prereleases = pick(3) == 0;
        buf_printf(out, "r %c\t", prereleases ? 'p' : '-');
        make_range(out, prereleases);
        for (int v = 0; v < VERSIONS_A_RANGE; v++) {
            buf_append_char(out, v ? ' ' : '\t');
            make_version(out, false);
        }
        buf_append_char(out, '\n');
    }
}

static void answer_range(struct str rest, struct buf *out)
{
    struct arena arena;
    struct semver_range range;
    struct str flag, text, version;
    arena_init(&arena, 0);
    (void)str_split(&rest, '\t', &flag);
    (void)str_split(&rest, '\t', &text);
    if (semver_range_parse(text, str_is(flag, "p"), &arena, &range, NULL) != STATUS_OK) {
        buf_append_char(out, '-');
    } else {
        while (str_split(&rest, ' ', &version)) {
            struct semver parsed;
            assert_int_equal(semver_parse(version, &parsed, NULL), STATUS_OK);
            buf_append_char(out, semver_range_has(&range, &parsed, false) ? '1' : '0');
        }
    }
    arena_release(&arena);
}

static void answer(struct str line, struct buf *out)
{
    struct str rest = str_make(line.data + 2, line.len - 2), text;
    struct semver a, b;
    if (line.data[0] == 'r') {
        answer_range(rest, out);
    } else if (line.data[0] == 'v') {
        buf_append_char(out, semver_parse(rest, &a, NULL) == STATUS_OK ? '1' : '0');
    } else {
        (void)str_split(&rest, ' ', &text);
        assert_int_equal(semver_parse(text, &a, NULL), STATUS_OK);
        assert_int_equal(semver_parse(rest, &b, NULL), STATUS_OK);
        assert_int_equal(semver_compare(&a, &b), -semver_compare(&b, &a));
        buf_printf(out, "%d", semver_compare(&a, &b));
    }
}

static void write_file(const char *path, const struct buf *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text->data, 1, text->len, file), text->len);
    assert_int_equal(fclose(file), 0);
}

static void read_file(const char *path, struct buf *out)
{
    char chunk[65536];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        assert_true(buf_append(out, chunk, n));
    fclose(file);
}

static void ask_npm(const struct buf *questions, struct buf *ret_answers)
{
    char folder[] = "/tmp/quarry-semver-XXXXXX", asked[64], answered[64], command[1024];
    assert_non_null(mkdtemp(folder));
    snprintf(asked, sizeof asked, "%s/asked", folder);
    snprintf(answered, sizeof answered, "%s/answered", folder);
    write_file(asked, questions);
    snprintf(command, sizeof command, "node '%s/tests/unit/catalog/node/semver_oracle.js' %s %s",
             QUARRY_SOURCE_DIR, asked, answered);
    if (system(command) != 0)
        fail_msg("the oracle did not run (node and npm are needed): %s", command);
    read_file(answered, ret_answers);
    unlink(asked);
    unlink(answered);
    rmdir(folder);
}

static void same_as_npm(void **state)
{
    (void)state;
    struct buf questions, npm_said, ours;
    buf_init(&questions, 64 << 20);
    buf_init(&npm_said, 64 << 20);
    buf_init(&ours, 1 << 20);
    make_questions(&questions);
    ask_npm(&questions, &npm_said);
    struct str asked = buf_str(&questions), npm = buf_str(&npm_said), question, wanted;
    int wrong = 0, compared = 0;
    while (str_split(&asked, '\n', &question) && question.len) {
        assert_true(str_split(&npm, '\n', &wanted));
        buf_clear(&ours);
        answer(question, &ours);
        compared++;
        if (!str_eq(buf_str(&ours), wanted) && wrong++ < 20)
            print_error("%.*s\n  npm %.*s, here %.*s\n", STR_ARG(question), STR_ARG(wanted),
                        STR_ARG(buf_str(&ours)));
    }
    assert_int_equal(compared, COMPARES + TEXTS + RANGES);
    assert_int_equal(wrong, 0);
    buf_release(&questions);
    buf_release(&npm_said);
    buf_release(&ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_npm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
