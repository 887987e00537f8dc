#include "data/type.h"

static const struct {
    const char *name;
    size_t width;
} types[TYPE_COUNT] = {
    [TYPE_BOOL] = {"bool", 1},           [TYPE_INT64] = {"int64", 8}, [TYPE_DOUBLE] = {"double", 8},
    [TYPE_STRING] = {"string", 0},       [TYPE_JSON] = {"json", 0},   [TYPE_DATE] = {"date", 4},
    [TYPE_TIMESTAMP] = {"timestamp", 8},
};

static const struct {
    const char *name;
    enum type type;
} spellings[] = {
    {"boolean", TYPE_BOOL},
    {"int", TYPE_INT64},
    {"integer", TYPE_INT64},
    {"int8", TYPE_INT64},
    {"int16", TYPE_INT64},
    {"int32", TYPE_INT64},
    {"bigint", TYPE_INT64},
    {"long", TYPE_INT64},
    {"float", TYPE_DOUBLE},
    {"float32", TYPE_DOUBLE},
    {"float64", TYPE_DOUBLE},
    {"number", TYPE_DOUBLE},
    {"str", TYPE_STRING},
    {"text", TYPE_STRING},
    {"varchar", TYPE_STRING},
    {"object", TYPE_JSON},
    {"array", TYPE_JSON},
    {"list", TYPE_JSON},
    {"datetime64[ns]", TYPE_TIMESTAMP},
    {"datetime64[us]", TYPE_TIMESTAMP},
    {"datetime", TYPE_TIMESTAMP},
};

const char *type_name(enum type type)
{
    return types[type].name;
}

size_t type_width(enum type type)
{
    return types[type].width;
}

bool type_parse(struct str name, enum type *ret)
{
    for (int i = 0; i < TYPE_COUNT; i++) {
        if (str_eq_nocase(name, str_of(types[i].name))) {
            *ret = (enum type)i;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        if (str_eq_nocase(name, str_of(spellings[i].name))) {
            *ret = spellings[i].type;
            return true;
        }
    }
    return false;
}
