/* Metadata blocks in three kinds of comments are read, written, stamped and judged: exactly these
 * bytes, these issues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "catalog/node/metadata.h"
#include "catalog/node/needs.h"
#include "catalog/node/yaml_json.h"

/* The block that the registry's own specification carries. */
#define SEED_LINES(p)                                                                              \
    p "metadata_version: 0.1.0\n" p "protocol_version: 1.1.0\n" p "owner: OmniNode Team\n" p       \
      "copyright: OmniNode Team\n" p "schema_version: 1.1.0\n" p                                   \
      "name: registry_backend_choices.md\n" p "version: 1.0.0\n" p                                 \
      "uuid: 5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5\n" p "author: OmniNode Team\n" p                 \
      "created_at: 2025-05-27T07:17:06.859991\n" p                                                 \
      "last_modified_at: 2025-05-27T17:26:51.784647\n" p "description: Stamped by ONEX\n" p        \
      "state_contract: state_contract://default\n" p "lifecycle: active\n" p                       \
      "hash: 391fc15f314eb862c10b2eb450d6f8abe1c298a4c842479c90784798217f1df4\n" p                 \
      "entrypoint: python@registry_backend_choices.md\n" p                                         \
      "runtime_language_hint: python>=3.11\n" p                                                    \
      "namespace: onex.stamped.registry_backend_choices\n" p "meta_type: tool\n"

static const char *const in_markdown = "<!-- === OmniNode:Metadata ===\n" SEED_LINES(
    "") "<!-- === /OmniNode:Metadata === -->\n\n# Title\n\nBody.\n";
static const char *const in_python =
    "# === OmniNode:Metadata ===\n" SEED_LINES("# ") "# === /OmniNode:Metadata ===\n\nimport re\n";
static const char *const in_json = "// === OmniNode:Metadata ===\n" SEED_LINES(
    "// ") "// === /OmniNode:Metadata ===\n\n{\"a\": 1}\n";

static void written_back_unchanged(void **state)
{
    (void)state;
    const char *const files[] = {in_markdown, in_python, in_json};
    const enum metadata_form forms[] = {METADATA_HTML, METADATA_HASH, METADATA_SLASHES};
    for (int i = 0; i < 3; i++) {
        struct arena arena;
        struct metadata_block block;
        struct metadata_issues issues;
        struct buf out;
        arena_init(&arena, 0);
        buf_init(&out, 1 << 20);
        assert_int_equal(metadata_find(str_of(files[i]), &arena, &block, NULL), STATUS_OK);
        assert_int_equal(block.form, forms[i]);
        assert_int_equal(metadata_check(block.json, &arena, &issues, NULL), STATUS_OK);
        assert_int_equal(issues.len, 0);
        assert_int_equal(metadata_write(block.json, block.form, block.body, &out, NULL), STATUS_OK);
        buf_append_char(&out, 0);
        assert_string_equal(out.data, files[i]);
        buf_release(&out);
        arena_release(&arena);
    }
}

static char *stamped(const char *file, const char *now)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(metadata_stamp(str_of(file), str_of(now), &out, NULL), STATUS_OK);
    buf_append_char(&out, 0);
    return buf_take(&out, NULL);
}

static void hash_of(const char *file, char out[METADATA_HASH_LEN + 1])
{
    struct arena arena;
    struct metadata_block block;
    arena_init(&arena, 0);
    assert_int_equal(metadata_find(str_of(file), &arena, &block, NULL), STATUS_OK);
    assert_int_equal(metadata_hash(block.json, block.body, out, NULL), STATUS_OK);
    arena_release(&arena);
}

static void stamping_is_stable(void **state)
{
    (void)state;
    const char *now = "2026-01-02T03:04:05";
    char before[METADATA_HASH_LEN + 1], after[METADATA_HASH_LEN + 1];
    hash_of(in_python, before);
    char *once = stamped(in_python, now), *twice = stamped(once, "2027-01-01T00:00:00");
    hash_of(once, after);
    assert_string_equal(before, after);
    /* Right already: not a byte changes, the time neither. */
    assert_string_equal(once, twice);
    assert_non_null(strstr(once, "# last_modified_at: 2026-01-02T03:04:05\n"));
    assert_non_null(strstr(once, before));
    assert_int_equal(strlen(once), strlen(in_python) - strlen(".784647"));
    free(once);
    free(twice);
}

static void quotes_and_missing_lines(void **state)
{
    (void)state;
    char hash[METADATA_HASH_LEN + 1], wanted[512];
    const char *file = "#!/bin/sh\n# === OmniNode:Metadata ===\n# hash: '0'\n# name: a\n"
                       "# === /OmniNode:Metadata ===\n\ntrue\n";
    hash_of(file, hash);
    char *out = stamped(file, "2026-01-01");
    snprintf(wanted, sizeof wanted,
             "#!/bin/sh\n# === OmniNode:Metadata ===\n# hash: '%s'\n# name: a\n"
             "# last_modified_at: 2026-01-01\n# === /OmniNode:Metadata ===\n\ntrue\n",
             hash);
    assert_string_equal(out, wanted);
    free(out);
}

static void hash_ignores_what_editors_do(void **state)
{
    (void)state;
    char one[METADATA_HASH_LEN + 1], two[METADATA_HASH_LEN + 1];
    hash_of("# === OmniNode:Metadata ===\n# name: a\n# tags: []\n# === /OmniNode:Metadata ===\n\n"
            "x\n\ny\n",
            one);
    hash_of("# === OmniNode:Metadata ===\r\n# tags: null\r\n# name: 'a'\r\n#\r\n"
            "# === /OmniNode:Metadata ===\r\n\r\n\r\nx  \r\n\r\ny\r\n\r\n",
            two);
    assert_string_equal(one, two);
    hash_of("# === OmniNode:Metadata ===\n# name: b\n# === /OmniNode:Metadata ===\n\nx\n\ny\n",
            two);
    assert_string_not_equal(one, two);
    hash_of("# === OmniNode:Metadata ===\n# name: a\n# === /OmniNode:Metadata ===\n\nx\ny\n", two);
    assert_string_not_equal(one, two);
}

static void expect_fault(const char *file, enum status status, const char *message)
{
    struct arena arena;
    struct metadata_block block;
    struct error err = ERROR_INIT;
    arena_init(&arena, 0);
    assert_int_equal(metadata_find(str_of(file), &arena, &block, &err), status);
    assert_string_equal(err.message, message);
    arena_release(&arena);
}

static void faults(void **state)
{
    (void)state;
    expect_fault("import re\n# === OmniNode:Metadata ===\n", STATUS_NOT_FOUND,
                 "MD001: there is no metadata block at the top of the file");
    /* An example further down in a text is no block. */
    expect_fault("# Metadata\n\nBlocks look so:\n\n<!-- === OmniNode:Metadata ===\nname: a\n"
                 "<!-- === /OmniNode:Metadata === -->\n",
                 STATUS_NOT_FOUND, "MD001: there is no metadata block at the top of the file");
    expect_fault("# === OmniNode:Metadata ===\n# name: a\nx = 1\n", STATUS_INVALID_ARGUMENT,
                 "MD002: metadata block, line 3: not a comment line");
    expect_fault("\n// === OmniNode:Metadata ===\n// name: a\n", STATUS_INVALID_ARGUMENT,
                 "MD002: metadata block, line 3: the closing line is missing");
    expect_fault("<!-- === OmniNode:Metadata ===\na: *b\n<!-- === /OmniNode:Metadata === -->\n",
                 STATUS_INVALID_ARGUMENT,
                 "MD002: metadata cannot be read: YAML line 1: aliases are not read");
    expect_fault(
        "<!-- === OmniNode:Metadata ===\na: 1\na: 2\n<!-- === /OmniNode:Metadata === -->\n",
        STATUS_INVALID_ARGUMENT,
        "MD002: metadata cannot be read: the key 'a' stands twice in one object");
    expect_fault("<!-- === OmniNode:Metadata ===\n- a\n<!-- === /OmniNode:Metadata === -->\n",
                 STATUS_INVALID_ARGUMENT, "MD002: metadata must be a mapping");
}

static void yaml_values(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    assert_int_equal(
        yaml_to_json(STR("a: {'type': 'python', \"t\": x}\nb: [1, 1.5, -2, 1.0e3, 5e3, "
                         "012, 1.2.3, ~, true, 'true', !!str 7]\nc:\n- d:\n  e: yes\n"
                         "f: |\n  two\n  lines\ng: 2025-05-27T07:17:06\n"),
                     &out, NULL),
        STATUS_OK);
    buf_append_char(&out, 0);
    assert_string_equal(out.data,
                        "{\"a\":{\"type\":\"python\",\"t\":\"x\"},\"b\":[1,1.5,-2,1.0e3,\"5e3\","
                        "\"012\",\"1.2.3\",null,true,\"true\",\"7\"],\"c\":[{\"d\":null,"
                        "\"e\":\"yes\"}],\"f\":\"two\\nlines\\n\",\"g\":\"2025-05-27T07:17:06\"}");
    buf_release(&out);
}

static void expect_issues(const char *json, const char *wanted)
{
    struct arena arena;
    struct metadata_issues issues;
    struct buf out;
    arena_init(&arena, 0);
    buf_init(&out, 1 << 16);
    assert_int_equal(metadata_check(str_of(json), &arena, &issues, NULL), STATUS_OK);
    for (uint32_t i = 0; i < issues.len; i++)
        buf_printf(&out, "%s%s %s %.*s", i ? ", " : "", severity_name(issues.list[i].severity),
                   issues.list[i].code, STR_ARG(issues.list[i].field));
    buf_append_char(&out, 0);
    assert_string_equal(out.data, wanted);
    buf_release(&out);
    arena_release(&arena);
}

#define RIGHT                                                                                      \
    "\"schema_version\":\"1.1.0\",\"name\":\"a\",\"author\":\"b\",\"version\":\"1.0.0\","          \
    "\"uuid\":\"5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5\",\"namespace\":\"onex.a\","                  \
    "\"created_at\":\"2025-01-01\",\"last_modified_at\":\"2025-01-01\",\"hash\":"                  \
    "\"391fc15f314eb862c10b2eb450d6f8abe1c298a4c842479c90784798217f1df4\","                        \
    "\"entrypoint\":{\"type\":\"cli\",\"target\":\"a\"}"

static void checks(void **state)
{
    (void)state;
    expect_issues("[]", "error MD002 ");
    expect_issues("{}", "error LC002 schema_version, error LC002 name, error LC002 author, "
                        "error MD006 version, error LC002 uuid, error LC002 namespace, "
                        "error LC002 created_at, error LC002 last_modified_at, error LC002 hash, "
                        "error LC002 entrypoint, error LC002 description, "
                        "error LC002 state_contract");
    expect_issues("{" RIGHT ",\"lifecycle\":\"draft\"}",
                  "warning LC002 description, warning LC002 state_contract");
    expect_issues("{" RIGHT ",\"lifecycle\":\"deprecated\",\"description\":\"d\","
                  "\"state_contract\":\"state_contract://x\"}",
                  "error LC005 deprecated_by");
    expect_issues("{" RIGHT ",\"lifecycle\":\"archived\",\"description\":\"d\"}",
                  "error LC006 archived_reason");
    expect_issues("{" RIGHT ",\"description\":\"d\",\"state_contract\":\"state_contract://x\","
                  "\"lifecycle\":\"new\",\"meta_type\":\"thing\",\"trust_score\":1.5,\"tags\":[1],"
                  "\"architectures\":[\"vax\"],\"inputs\":[{\"name\":\"x\",\"format_hint\":\"y\"}],"
                  "\"dependencies\":[\"tool://x@what\"],\"surprise\":1}",
                  "error LC001 lifecycle, error RG003 meta_type, error MD002 trust_score, "
                  "error MD002 tags, error MD002 architectures, error MD002 inputs, "
                  "error MD007 dependencies, info MD002 surprise");
    expect_issues("{\"schema_version\":1.1,\"name\":\"\",\"author\":\"b\",\"version\":\"1.0\","
                  "\"uuid\":\"x\",\"namespace\":\"elsewhere.a\",\"created_at\":\"soon\","
                  "\"last_modified_at\":\"2025-13-01\",\"hash\":\"12\",\"entrypoint\":\"basic@a\","
                  "\"description\":\"d\",\"state_contract\":\"x\",\"lifecycle\":\"active\"}",
                  "error MD007 schema_version, error MD002 name, error MD007 version, "
                  "error MD004 uuid, error MD008 namespace, error MD005 created_at, "
                  "error MD005 last_modified_at, error MD003 hash, error MD002 entrypoint, "
                  "error MD002 state_contract");
}

static void checks_inside(void **state)
{
    (void)state;
#define WHOLE RIGHT ",\"description\":\"d\",\"state_contract\":\"state_contract://x\","
    expect_issues(
        "{" WHOLE "\"signature_block\":{\"signature\":\"s\",\"algorithm\":\"ed25519\","
        "\"signed_by\":\"me\",\"issued_at\":\"2025-05-27T07:17:06Z\"},"
        "\"testing\":{\"canonical_test_case_ids\":[\"a\"],\"required_ci_tiers\":[\"mock\"],"
        "\"minimum_coverage_percentage\":80.5},"
        "\"data_handling_declaration\":{\"processes_sensitive_data\":false,"
        "\"data_residency_required\":null,\"data_classification\":\"internal\"},"
        "\"logging_config\":{\"level\":\"none\",\"format\":\"key-value\",\"audit_events\":[]},"
        "\"source_repository\":{\"url\":\"u\",\"path\":\"p\","
        "\"commit_hash\":\"dee6812000000000000000000000000000000000\"},"
        "\"tools\":{\"f\":{\"type\":\"function\",\"language\":\"python\",\"line\":3,"
        "\"inputs\":[\"x: int\"],\"outputs\":[],\"error_codes\":[],\"side_effects\":[]}}}",
        "");
    expect_issues(
        "{" WHOLE "\"signature_block\":{\"signature\":\"\",\"issued_at\":\"soon\"},"
        "\"testing\":{\"required_ci_tiers\":[\"none\"],\"minimum_coverage_percentage\":101},"
        "\"data_handling_declaration\":{\"processes_sensitive_data\":\"no\","
        "\"data_classification\":\"secret\"},"
        "\"logging_config\":{\"level\":\"loud\",\"format\":1,\"audit_events\":\"all\"},"
        "\"source_repository\":{\"commit_hash\":\"dee6812\"},"
        "\"tools\":{\"f\":{\"type\":\"class\",\"line\":-1},\"g\":1}}",
        "error MD002 signature_block.signature, error MD005 signature_block.issued_at, "
        "error MD002 testing.required_ci_tiers, error MD002 testing.minimum_coverage_percentage, "
        "error MD002 data_handling_declaration.processes_sensitive_data, "
        "error MD002 data_handling_declaration.data_classification, "
        "error MD002 logging_config.level, error MD002 logging_config.format, "
        "error MD002 logging_config.audit_events, error MD002 source_repository.commit_hash, "
        "error MD002 tools.f.type, error MD002 tools.f.line, error MD002 tools.g");
    expect_issues("{" WHOLE "\"testing\":[],\"tools\":\"f\"}",
                  "error MD002 testing, error MD002 tools");
}

static void needs_in_four_forms(void **state)
{
    (void)state;
    const char *json = "[\"plain\",\"@scope/x@^1.0\",\"tool://omninode.text@>=0.1.0,<0.2.0\","
                       "{\"id\":\"5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5\",\"type\":\"tool\","
                       "\"version_spec\":\"~1.2\",\"required\":false},"
                       "{\"name\":\"n\",\"type\":\"onex_node\",\"binding\":\"injection\","
                       "\"target\":\"5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5@1.0.0\"},"
                       "{\"name\":\"zlib\",\"type\":\"library\",\"optional\":true}]";
    const char *const targets[] = {"plain",
                                   "@scope/x",
                                   "omninode.text",
                                   "5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5",
                                   "5a1b02fa-9d46-4c98-ae7d-7d1a2d222df5",
                                   "zlib"};
    const char *const ranges[] = {"*", "^1.0", ">=0.1.0,<0.2.0", "~1.2", "1.0.0", "*"};
    const enum need_by by[] = {NEED_BY_NAME, NEED_BY_NAME, NEED_BY_NAMESPACE,
                               NEED_BY_UUID, NEED_BY_UUID, NEED_OUTSIDE};
    struct arena arena;
    struct node_need *needs;
    uint32_t len;
    arena_init(&arena, 0);
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    assert_int_equal(node_needs_parse(yyjson_doc_get_root(doc), &arena, &needs, &len, NULL),
                     STATUS_OK);
    yyjson_doc_free(doc);
    assert_int_equal(len, 6);
    for (uint32_t i = 0; i < len; i++) {
        assert_true(str_is(needs[i].target, targets[i]));
        assert_true(str_is(needs[i].range, ranges[i]));
        assert_int_equal(needs[i].by, by[i]);
        assert_int_equal(needs[i].optional, i == 3 || i == 5);
    }
    arena_release(&arena);
}

static void refused_needs(void **state)
{
    (void)state;
    const char *const bad[] = {"[1]",       "{}",
                               "[\"\"]",    "[\"ftp://x\"]",
                               "[\"a@b\"]", "[{\"id\":\"x\",\"type\":\"tool\"}]",
                               "[{}]",      "[\"tool://\"]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena arena;
        struct node_need *needs;
        uint32_t len;
        arena_init(&arena, 0);
        yyjson_doc *doc = yyjson_read(bad[i], strlen(bad[i]), 0);
        assert_int_equal(node_needs_parse(yyjson_doc_get_root(doc), &arena, &needs, &len, NULL),
                         STATUS_INVALID_ARGUMENT);
        yyjson_doc_free(doc);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_back_unchanged),
        cmocka_unit_test(stamping_is_stable),
        cmocka_unit_test(quotes_and_missing_lines),
        cmocka_unit_test(hash_ignores_what_editors_do),
        cmocka_unit_test(faults),
        cmocka_unit_test(yaml_values),
        cmocka_unit_test(checks),
        cmocka_unit_test(checks_inside),
        cmocka_unit_test(needs_in_four_forms),
        cmocka_unit_test(refused_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
