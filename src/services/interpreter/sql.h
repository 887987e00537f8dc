/* sql.h: the interpreter's handlers for SQL. */
#ifndef QUARRY_SERVICES_INTERPRETER_SQL_H
#define QUARRY_SERVICES_INTERPRETER_SQL_H

#include "query/lang/lang.h"
#include "service/service.h"

/* SQLGLOT_DIALECT; interpreter.c. */
enum lang_dialect interpreter_dialect(const struct request *request);

/* The tree of a parsed_query of /parse/sql, read again from its text: {"sql", "dialect"}. The
 * caller frees the document. */
enum status interpreter_sql_tree(struct request *request, yyjson_val *parsed, yyjson_doc **ret,
                                 struct error *err);

enum status handle_parse_sql(struct request *request);
enum status handle_sql_transpile(struct request *request);
enum status handle_sql_format(struct request *request);
enum status handle_interpreter_status(struct request *request);
enum status handle_interpreter_index(struct request *request);

#endif
