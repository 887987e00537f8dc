/* vectors.c: a collection of vectors, who may use it, what was searched; rows of a source; a node.
 *
 *   cc vectors.c -lquarry -o vectors && QUARRY_URL=http://127.0.0.1:8083 ./vectors
 *
 * The source "measurements" must exist: quarry sources add measurements. */
#include <quarry.h>
#include <stdio.h>

static void must(enum quarry_status status, const struct quarry_error *error)
{
    if (status == QUARRY_OK)
        return;
    fprintf(stderr, "%s: %s\n", quarry_status_text(status), error->message);
    fflush(stderr);
    __builtin_trap();
}

static void collections(struct quarry *client)
{
    struct quarry_answer *made, *stats;
    struct quarry_error error;
    bool before, after;
    const struct quarry_collection vectors = {.name = "my_vectors",
                                              .dimension = 768,
                                              .metric_type = "COSINE",
                                              .description = "made in C",
                                              .metadata_json = "{\"team\":\"search\"}"};
    must(quarry_create_collection(client, &vectors, &made, &error), &error);
    const char *id = quarry_text(made, "/id");
    const struct quarry_query_log search = {.user_id = "ann",
                                            .collection = id,
                                            .query_vector_dimension = 768,
                                            .top_k = 10,
                                            .duration_ms = 150,
                                            .result_count = 10};
    must(quarry_log_vector_search(client, &search, NULL, &error), &error);
    must(quarry_check_permission(client, "ann", id, "write", &before, &error), &error);
    must(quarry_grant_permission(client, "ann", id, "admin", NULL, NULL, NULL, &error), &error);
    must(quarry_check_permission(client, "ann", id, "write", &after, &error), &error);
    must(quarry_collection_stats(client, id, &stats, &error), &error);
    printf("%s: %lld query of %.1f ms; ann may write: %d, then %d\n",
           quarry_text(stats, "/0/collection_name"),
           (long long)quarry_int(stats, "/0/total_queries", -1),
           quarry_number(stats, "/0/avg_query_duration", 0), before, after);
    quarry_answer_free(stats);
    quarry_answer_free(made);
}

static void rows(struct quarry *client)
{
    struct quarry_answer *found;
    struct quarry_error error;
    const struct quarry_write write = {
        .source_id = "measurements",
        .records_json = "[{\"place\":\"roof\",\"t\":21.5},{\"place\":\"cellar\",\"t\":12}]",
        .write_id = "first"};
    must(quarry_write(client, &write, NULL, &error), &error);
    must(quarry_write(client, &write, NULL, &error), &error); /* stored once */
    const struct quarry_search search = {.source_id = "measurements",
                                         .filters_json = "{\"t\":{\"gt\":20}}"};
    must(quarry_search(client, &search, &found, &error), &error);
    printf("%zu warm place: %s\n", quarry_count(found, "/0/records"),
           quarry_text(found, "/0/records/0/place"));
    quarry_answer_free(found);
}

static void nodes(struct quarry *client)
{
    struct quarry_answer *node;
    struct quarry_error error;
    must(quarry_register_node(client,
                              "{\"namespace\":\"onex.c\",\"name\":\"tool\",\"version\":\"1.2.0\","
                              "\"description\":\"registered in C\"}",
                              NULL, &error),
         &error);
    must(quarry_get_node(client, "onex.c", "tool", "^1.0", &node, &error), &error);
    printf("tool %s\n", quarry_text(node, "/version"));
    quarry_answer_free(node);
    if (quarry_get_node(client, "onex.c", "tool", "2", &node, &error) == QUARRY_NOT_FOUND)
        printf("%d %s: %s\n", error.http_status, error.code, error.message);
}

int main(void)
{
    struct quarry *client;
    struct quarry_error error;
    must(quarry_open(NULL, &client, &error), &error);
    collections(client);
    rows(client);
    nodes(client);
    quarry_close(client);
    return 0;
}
