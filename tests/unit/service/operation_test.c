/* The list api/operations.def is sound: whatever the framework asserts or assumes about it. */
#include "service/operation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "service/router.h"

static bool path_has(const char *path, const char *name)
{
    char text[128];
    snprintf(text, sizeof text, "{%s}", name);
    return strstr(path, text) != NULL;
}

static void test_names_are_unique(void **state)
{
    (void)state;
    const struct operation *a, *b;
    for (size_t i = 0; (a = operation_at(i)); i++) {
        for (size_t j = i + 1; (b = operation_at(j)); j++) {
            bool same_place =
                a->service == b->service || a->service == SERVICE_ALL || b->service == SERVICE_ALL;
            assert_string_not_equal(a->name, b->name);
            if (same_place && a->method == b->method)
                assert_string_not_equal(a->path, b->path);
        }
        assert_ptr_equal(operation_find(a->name), a);
    }
    assert_null(operation_find("no_such_operation"));
}

/* The default is JSON of the field's type, in its range, among its choices. */
static void check_default(const struct op_field *field)
{
    yyjson_doc *doc;
    if (!field->fallback)
        return;
    assert_false(field->required);
    assert_int_equal(json_parse(str_of(field->fallback), &doc, NULL), STATUS_OK);
    yyjson_val *value = yyjson_doc_get_root(doc);
    if (field->type == FIELD_INT)
        assert_true(yyjson_is_int(value) && yyjson_get_sint(value) >= field->min &&
                    yyjson_get_sint(value) <= field->max);
    else if (field->type == FIELD_STRING)
        assert_true(yyjson_is_str(value) && !strchr(field->fallback, '\\') &&
                    (!field->choices || strstr(field->choices, yyjson_get_str(value))));
    else if (field->type == FIELD_BOOL)
        assert_true(yyjson_is_bool(value));
    else
        assert_string_equal(field->fallback, "[]");
    yyjson_doc_free(doc);
}

static void test_fields(void **state)
{
    (void)state;
    const struct operation *operation;
    for (size_t i = 0; (operation = operation_at(i)); i++) {
        int params = 0, n = 0;
        for (const struct op_field *field = operation->fields; field->name; field++, n++) {
            assert_int_equal(field_find(operation->fields, str_of(field->name)), n);
            assert_true(field->help && field->help[0]);
            assert_true(field->type != FIELD_LIST || field->shape);
            assert_int_equal(field->where == IN_PATH, path_has(operation->path, field->name));
            params += field->where == IN_PATH;
            if (field->where == IN_BODY || field->where == IN_EITHER)
                assert_true(operation->bodies & BODY_JSON);
            check_default(field);
        }
        for (const char *at = operation->path; (at = strchr(at, '{')); at++)
            params--;
        assert_int_equal(params, 0);
        assert_true(n <= OPERATION_FIELDS_MAX);
        assert_int_equal(field_find(operation->fields, STR("no such field")), -1);
    }
}

static void test_services(void **state)
{
    (void)state;
    enum service_kind kind;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        struct router *router;
        const struct service_info *info = service_info((enum service_kind)i);
        assert_true(service_kind_parse(str_of(info->key), &kind) && kind == (enum service_kind)i);
        assert_true(service_kind_parse(str_of(info->name), &kind) && kind == (enum service_kind)i);
        assert_int_equal(router_new((enum service_kind)i, &router, NULL), STATUS_OK);
        router_free(router);
    }
    assert_false(service_kind_parse(STR("frontend"), &kind));
    assert_int_equal(service_info(SERVICE_TENANT)->port, 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_are_unique),
                                       cmocka_unit_test(test_fields),
                                       cmocka_unit_test(test_services)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
