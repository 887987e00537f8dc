/* federation.c: one pass over all texts; each family gathers its own text, whose head is that of
 * the first service that has it. Families come in the order in which they were met. */
#include "services/monitoring/federation.h"

#include <stdlib.h>

#include "services/monitoring/samples.h"

struct family {
    struct str name;
    size_t owner; /* the input whose # lines are taken */
    struct buf text;
};

struct federation {
    struct family items[FEDERATION_FAMILIES_MAX];
    size_t len, max_bytes;
};

static struct family *find_family(struct federation *federation, struct str name, size_t input)
{
    for (size_t i = 0; i < federation->len; i++)
        if (str_eq(federation->items[i].name, name))
            return &federation->items[i];
    if (federation->len == FEDERATION_FAMILIES_MAX)
        return NULL;
    struct family *family = &federation->items[federation->len++];
    *family = (struct family){.name = name, .owner = input};
    buf_init(&family->text, federation->max_bytes);
    return family;
}

/* # HELP name text, # TYPE name type */
static bool is_head(struct str line, struct str *ret_name)
{
    if (!str_starts(line, STR("# HELP ")) && !str_starts(line, STR("# TYPE ")))
        return false;
    struct str rest = str_make(line.data + 7, line.len - 7);
    return str_split(&rest, ' ', ret_name);
}

static void append_sample(struct buf *out, struct str line, const struct sample *sample,
                          const char *instance)
{
    if (sample_label(sample, STR("instance")).data) {
        buf_append_str(out, line);
    } else {
        const char *behind = sample->labels.len ? sample->labels.data + sample->labels.len + 1
                                                : line.data + sample->name.len;
        struct str value = str_make(behind, (size_t)(line.data + line.len - behind));
        if (str_starts(value, STR("{}")))
            value = str_make(value.data + 2, value.len - 2);
        buf_append_str(out, sample->name);
        buf_printf(out, "{instance=\"%s\"%s", instance, sample->labels.len ? "," : "");
        buf_append_str(out, sample->labels);
        buf_append_char(out, '}');
        buf_append_str(out, value);
    }
    buf_append_char(out, '\n');
}

static enum status take_text(struct federation *federation, const struct federation_input *inputs,
                             size_t input, struct error *err)
{
    struct str line, name, rest = inputs[input].text;
    struct family *family = NULL;
    while (rest.data && str_split(&rest, '\n', &line)) {
        struct str one = line;
        struct sample sample;
        if (is_head(line, &name)) {
            family = find_family(federation, name, input);
            if (!family)
                return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d families of metrics",
                                 FEDERATION_FAMILIES_MAX);
            if (family->owner == input) {
                buf_append_str(&family->text, line);
                buf_append_char(&family->text, '\n');
            }
        } else if (family && sample_next(&one, &sample)) {
            append_sample(&family->text, line, &sample, inputs[input].instance);
        }
    }
    return STATUS_OK;
}

enum status federation_write(const struct federation_input *inputs, size_t len, struct buf *ret,
                             struct error *err)
{
    struct federation *federation = calloc(1, sizeof *federation);
    if (!federation)
        return error_no_memory(err);
    federation->max_bytes = ret->max;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < len && status == STATUS_OK; i++)
        status = take_text(federation, inputs, i, err);
    for (size_t i = 0; i < federation->len; i++) {
        struct buf *text = &federation->items[i].text;
        if (status == STATUS_OK)
            status = buf_check(text, "the collected metrics", err);
        if (status == STATUS_OK)
            buf_append_str(ret, buf_str(text));
        buf_release(text);
    }
    free(federation);
    return status != STATUS_OK ? status : buf_check(ret, "the collected metrics", err);
}
