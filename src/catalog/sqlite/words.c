/* words.c: searching the words of assets.
 *
 * The index asset_words (FTS5) reads the assets of a whole word, and of a beginning of two or three
 * bytes, one by one as they are wanted. Those of a longer beginning it first collects, all of them.
 * So a word that is in many assets is asked for by its first three bytes, which finds more than is
 * wanted; what is found is compared exactly by the function has_words. */
#include "catalog/sqlite/builder_int.h"

enum {
    FEW = 2000,       /* assets that are all looked at without delay */
    FEW_ENOUGH = 200, /* assets that other words need not narrow further */
    STREAMED_LEN = 3, /* bytes; the longest beginnings that the index keeps */
};

/* --- has_words(words, text...): whether each word begins some word of the texts --- */

static struct str text_of(sqlite3_value *value)
{
    const char *data = (const char *)sqlite3_value_text(value);
    return str_make(data, (size_t)sqlite3_value_bytes(value));
}

static void has_words(sqlite3_context *context, int len, sqlite3_value **values)
{
    struct str words = text_of(values[0]), word;
    bool has = true;
    while (has && str_split(&words, ' ', &word)) {
        has = false;
        for (int i = 1; i < len && !has; i++)
            has = text_begins_word(text_of(values[i]), word);
    }
    sqlite3_result_int(context, has);
}

enum status words_register(struct connection *connection, struct error *err)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    if (sqlite3_create_function_v2(connection->db, "has_words", -1, flags, NULL, has_words, NULL,
                                   NULL, NULL) != SQLITE_OK)
        return connection_failed(connection, err);
    return STATUS_OK;
}

enum status words_joined(struct arena *arena, struct str text, struct str *ret, struct error *err)
{
    struct str words[QUERY_WORDS_MAX];
    uint32_t len = text_words(text, arena, words, QUERY_WORDS_MAX);
    struct buf buf;
    buf_init(&buf, 2 * QUERY_TEXT_MAX);
    for (uint32_t i = 0; i < len; i++)
        buf_printf(&buf, "%s%.*s", i ? " " : "", STR_ARG(words[i]));
    enum status status = buf_check(&buf, "the search text", err);
    *ret = arena_str(arena, buf_str(&buf));
    buf_release(&buf);
    return status == STATUS_OK && !ret->data ? error_no_memory(err) : status;
}

/* --- expressions for the index --- */

/* How many assets an expression finds, up to FEW. */
static enum status count_found(struct connection *connection, struct str expression, int64_t *ret,
                               struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status status = STATUS_OK;
    TRY(connection_prepare(connection,
                           STR("SELECT count(*) FROM (SELECT 1 FROM asset_words(?1) LIMIT ?2)"),
                           &stmt, err));
    bind_text(stmt, 1, expression);
    sqlite3_bind_int64(stmt, 2, FEW);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    else
        status = connection_failed(connection, err);
    statement_done(stmt);
    return status;
}

static enum status count_word(struct builder *b, struct connection *connection, struct str word,
                              const char *star, int64_t *ret)
{
    /* words hold letters, digits and bytes >= 0x80 only, so quotes suffice */
    struct str expression = str_of(arena_printf(b->arena, "\"%.*s\"%s", STR_ARG(word), star));
    if (!expression.data)
        return error_no_memory(b->err);
    return count_found(connection, expression, ret, b->err);
}

/* Up to FEW. The whole word is asked for first: that is cheap, and says no when it is in many. */
static enum status count_beginning(struct builder *b, struct connection *connection,
                                   struct str word, int64_t *ret)
{
    *ret = 0;
    if (word.len > STREAMED_LEN)
        TRY(count_word(b, connection, word, "", ret));
    return *ret < FEW ? count_word(b, connection, word, "*", ret) : STATUS_OK;
}

enum status words_expression(struct builder *b, struct connection *connection, struct str text,
                             struct str *ret, bool *ret_few)
{
    struct str words[QUERY_WORDS_MAX];
    int64_t counts[QUERY_WORDS_MAX], least = FEW;
    uint32_t len = text_words(text, b->arena, words, QUERY_WORDS_MAX);
    struct buf buf;
    for (uint32_t i = 0; i < len; i++) {
        TRY(count_beginning(b, connection, words[i], &counts[i]));
        least = counts[i] < least ? counts[i] : least;
    }
    buf_init(&buf, 8 * QUERY_TEXT_MAX);
    for (uint32_t i = 0; i < len; i++) {
        bool is_few = counts[i] < FEW;
        if (!is_few && least < FEW_ENOUGH)
            continue;
        bool cut = !is_few && words[i].len > STREAMED_LEN;
        buf_printf(&buf, "%s\"%.*s\"*", buf.len ? " AND " : "",
                   cut ? STREAMED_LEN : (int)words[i].len, words[i].data);
    }
    enum status status = buf_check(&buf, "the search text", b->err);
    *ret = arena_str(b->arena, buf_str(&buf));
    *ret_few = least < FEW;
    buf_release(&buf);
    return status == STATUS_OK && !ret->data ? error_no_memory(b->err) : status;
}
