#include "cmd/quarryd/ports.h"

#include "base/json.h"

enum { PORTS_FILE_MAX = 4096 };

enum status ports_write(struct sys *sys, const char *path, const uint16_t ports[SERVICE_COUNT],
                        struct error *err)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, PORTS_FILE_MAX);
    json_writer_init(&w, &text);
    json_begin_object(&w);
    for (int i = 0; i < SERVICE_COUNT; i++)
        if (ports[i])
            json_kv_int(&w, service_info((enum service_kind)i)->key, ports[i]);
    json_end_object(&w);
    buf_append_char(&text, '\n');
    enum status status = buf_check(&text, "the ports file", err);
    if (status == STATUS_OK)
        status = sys_replace_file(sys, path, (struct slice){text.data, text.len}, err);
    buf_release(&text);
    return status;
}
