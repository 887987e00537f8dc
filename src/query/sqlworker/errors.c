#include "query/sqlworker/errors.h"

#include <stdio.h>
#include <stdlib.h>

#include "query/sql/wire.h"

/* How the engine's classes ("Binder Error: ...") map; text false: the message is replaced. */
static const struct {
    const char *prefix;
    enum status status;
    const char *instead; /* NULL: the engine's own words */
} classes[] = {
    {"Parser Error", STATUS_INVALID_SQL, NULL},
    {"Syntax Error", STATUS_INVALID_SQL, NULL},
    {"Binder Error", STATUS_INVALID_SQL, NULL},
    {"Catalog Error", STATUS_INVALID_SQL, NULL},
    {"Conversion Error", STATUS_INVALID_SQL, NULL},
    {"Out of Range Error", STATUS_INVALID_SQL, NULL},
    {"Invalid Input Error", STATUS_INVALID_SQL, NULL},
    {"Mismatch Type Error", STATUS_INVALID_SQL, NULL},
    {"Invalid type Error", STATUS_INVALID_SQL, NULL},
    {"Not implemented Error", STATUS_INVALID_SQL, NULL},
    {"Divide by Zero Error", STATUS_INVALID_SQL, NULL},
    {"Decimal Error", STATUS_INVALID_SQL, NULL},
    {"Expression Error", STATUS_INVALID_SQL, NULL},
    {"Constraint Error", STATUS_INVALID_SQL, NULL},
    {"Parameter Not Resolved Error", STATUS_INVALID_SQL, NULL},
    {"Parameter Not Allowed Error", STATUS_INVALID_SQL, NULL},
    {"Permission Error", STATUS_SQL_REFUSED, "the statement does what tenant SQL may not do"},
    {"Invalid Configuration Error", STATUS_SQL_REFUSED, "settings cannot be changed by SQL"},
    {"Out of Memory Error", STATUS_RESOURCE_LIMIT,
     "the query needs more memory than a query may have"},
    {"INTERRUPT Error", STATUS_CANCELLED, "the query was interrupted"},
    {"IO Error", STATUS_UNAVAILABLE, "the SQL engine could not read its data"},
    {"INTERNAL Error", STATUS_INTERNAL, "a fault in the SQL engine"},
    {"FATAL Error", STATUS_INTERNAL, "a fault in the SQL engine"},
};

static struct str line_of(struct str sql, long number)
{
    struct str line = STR_NONE;
    for (long i = 0; i < number; i++)
        if (!str_split(&sql, '\n', &line))
            return STR_NONE;
    return line;
}

/* "LINE 3: ...snippet...\n        ^": the snippet is searched in its line, since the engine cuts
 * long lines; the caret then points into it. */
static void place_by_caret(const char *mark, struct str sql, struct error *err)
{
    char *end;
    long number = strtol(mark + 5, &end, 10);
    const char *newline = strchr(mark, '\n');
    const char *caret = newline ? strchr(newline, '^') : NULL;
    struct str line = line_of(sql, number);
    if (!caret || !line.data || *end != ':' || newline < end + 2)
        return;
    const char *snippet = end + 2;
    size_t len = (size_t)(newline - snippet);
    size_t at = (size_t)(caret - newline - 1);
    size_t lead = (size_t)(snippet - mark);
    if (len > 3 && memcmp(snippet, "...", 3) == 0) {
        snippet += 3;
        len -= 3;
        lead += 3;
    }
    if (len > 3 && memcmp(snippet + len - 3, "...", 3) == 0)
        len -= 3;
    const char *found = memmem(line.data, line.len, snippet, len);
    if (!found || at < lead)
        return;
    sql_place(sql, (size_t)(found - sql.data) + (at - lead), err);
}

static bool has(struct str text, const char *word)
{
    return memmem(text.data, text.len, word, strlen(word)) != NULL;
}

/* Some classes that are usually the tenant's mistake also tell of a damaged file. */
static bool names_file(struct str text)
{
    return has(text, ".parquet") && (has(text, "/sources/") || has(text, "/run/"));
}

/* The message without its class and without what follows the first empty line. */
static struct str words_of(const char *text)
{
    const char *colon = strstr(text, ": ");
    struct str words = str_of(colon ? colon + 2 : text);
    const char *line = strstr(words.data, "\n\nLINE ");
    if (line)
        words.len = (size_t)(line - words.data);
    return words;
}

static enum status set_words(enum status status, struct str words, struct error *err)
{
    char flat[400];
    size_t n = words.len < sizeof flat - 1 ? words.len : sizeof flat - 1;
    for (size_t i = 0; i < n; i++)
        flat[i] = words.data[i] == '\n' ? ' ' : words.data[i];
    flat[n] = '\0';
    return error_set(err, status, "%s", flat);
}

enum status errors_map(const char *text, struct str sql, struct error *err)
{
    if (!text)
        return error_set(err, STATUS_INTERNAL, "the SQL engine failed without a reason");
    if (strstr(text, "Allocation failure") || strstr(text, "bad_alloc") ||
        strstr(text, "Failed to allocate"))
        text = "Out of Memory Error: ";
    struct str words = words_of(text);
    if (has(words, "expression depth"))
        return error_set(err, STATUS_INVALID_SQL, "the statement is nested too deeply");
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strncmp(text, classes[i].prefix, strlen(classes[i].prefix)) != 0)
            continue;
        if (classes[i].instead)
            return error_set(err, classes[i].status, "%s", classes[i].instead);
        if (names_file(words))
            return error_set(err, STATUS_CORRUPT, "a data file of a table could not be read");
        enum status status = set_words(classes[i].status, words, err);
        const char *mark = strstr(text, "LINE ");
        if (mark && sql.data)
            place_by_caret(mark, sql, err);
        return status;
    }
    return error_set(err, STATUS_INTERNAL, "the SQL engine failed");
}

bool errors_spoil_engine(enum status status)
{
    return status == STATUS_RESOURCE_LIMIT || status == STATUS_INTERNAL ||
           status == STATUS_UNAVAILABLE || status == STATUS_CORRUPT || status == STATUS_NO_MEMORY ||
           status == STATUS_CANCELLED;
}
