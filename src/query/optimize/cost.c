#include "query/optimize/cost.h"

#include <math.h>

#define COST_RANGE        20.0
#define COST_OUTLIER      8.0
#define COST_FORGET       0.98
#define COST_SPREAD_FIRST 0.05
#define COST_SPREAD_MAX   10.0
#define COST_FLOOR_MS     0.005

/* Milliseconds of: the call; a hundred files; a million values; a million rows found; a million
 * groups or rows of the result. Measured on two cores; the machine's own come by learning. */
static const double first_weights[PATHS][COST_FEATURES] = {
    [PATH_RESULT_CACHE] = {0.01, 0.0, 0.0, 0.0, 20}, [PATH_METADATA] = {0.02, 0.05, 10, 0.0, 0.0},
    [PATH_INDEX] = {0.03, 1.0, 100, 1000, 200},      [PATH_FILE_PARTIALS] = {0.03, 0.2, 5, 10, 100},
    [PATH_PRUNED_SCAN] = {0.03, 2.0, 5, 10, 150},    [PATH_FULL_SCAN] = {0.03, 2.0, 5, 10, 150},
    [PATH_DUCKDB] = {4.0, 12, 8, 10, 400},
};

static const char *const names[PATHS] = {
    [PATH_RESULT_CACHE] = "result_cache",
    [PATH_METADATA] = "metadata",
    [PATH_INDEX] = "index",
    [PATH_FILE_PARTIALS] = "file_partials",
    [PATH_PRUNED_SCAN] = "pruned_scan",
    [PATH_FULL_SCAN] = "full_scan",
    [PATH_DUCKDB] = "duckdb",
};

const char *access_path_name(enum access_path path)
{
    return names[path];
}

bool access_path_parse(struct str name, enum access_path *ret)
{
    for (int i = 0; i < PATHS; i++) {
        if (name.data && str_is(name, names[i])) {
            *ret = (enum access_path)i;
            return true;
        }
    }
    return false;
}

void cost_init(struct cost_model *model)
{
    *model = (struct cost_model){0};
    for (int p = 0; p < PATHS; p++) {
        for (int i = 0; i < COST_FEATURES; i++) {
            double weight = first_weights[p][i];
            model->paths[p].weights[i] = weight;
            /* In units of the weight: each may move by the same share of itself. */
            model->paths[p].spread[i][i] = COST_SPREAD_FIRST * weight * weight;
        }
    }
}

static void features_of(const struct access_work *work, double x[COST_FEATURES])
{
    x[0] = 1;
    x[1] = work->files / 100;
    x[2] = work->values / 1e6;
    x[3] = work->found / 1e6;
    x[4] = work->groups / 1e6;
}

static double predict(const struct cost_path *path, const double x[COST_FEATURES])
{
    double ms = 0;
    for (int i = 0; i < COST_FEATURES; i++)
        ms += path->weights[i] * x[i];
    return ms > COST_FLOOR_MS ? ms : COST_FLOOR_MS;
}

double cost_ms(const struct cost_model *model, enum access_path path,
               const struct access_work *work)
{
    double x[COST_FEATURES];
    features_of(work, x);
    return predict(&model->paths[path], x);
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* One step. Errors count relative to the estimate, so that a second's run does not drown a
 * hundred short ones. */
static void step(struct cost_path *path, const double *first, double x[COST_FEATURES], double ms)
{
    double guess = predict(path, x), gain[COST_FEATURES], divisor = COST_FORGET;
    for (int i = 0; i < COST_FEATURES; i++)
        x[i] /= guess;
    for (int i = 0; i < COST_FEATURES; i++) {
        gain[i] = 0;
        for (int k = 0; k < COST_FEATURES; k++)
            gain[i] += path->spread[i][k] * x[k];
        divisor += x[i] * gain[i];
    }
    double miss = clamp(ms / guess, 1 / COST_OUTLIER, COST_OUTLIER) - 1;
    for (int i = 0; i < COST_FEATURES; i++) {
        double weight = path->weights[i] + gain[i] / divisor * miss;
        path->weights[i] = clamp(weight, first[i] / COST_RANGE, first[i] * COST_RANGE);
    }
    for (int i = 0; i < COST_FEATURES; i++)
        for (int k = 0; k <= i; k++) {
            double most = COST_SPREAD_MAX * first[i] * first[k];
            double value = (path->spread[i][k] - gain[i] * gain[k] / divisor) / COST_FORGET;
            path->spread[i][k] = path->spread[k][i] = clamp(value, -most, most);
        }
}

void cost_learn(struct cost_model *model, enum access_path path, const struct access_work *work,
                double ms)
{
    struct cost_path *learned = &model->paths[path];
    double x[COST_FEATURES];
    features_of(work, x);
    if (!(ms > 0) || !isfinite(ms))
        return;
    double miss = fabs(log2(ms / predict(learned, x)));
    learned->error = learned->runs ? 0.95 * learned->error + 0.05 * miss : miss;
    learned->runs++;
    step(learned, first_weights[path], x, ms);
}

void cost_write(const struct cost_model *model, struct json_writer *w)
{
    json_begin_object(w);
    for (int p = 0; p < PATHS; p++) {
        const struct cost_path *path = &model->paths[p];
        json_keyz(w, names[p]);
        json_begin_object(w);
        json_keyz(w, "weights");
        json_begin_array(w);
        for (int i = 0; i < COST_FEATURES; i++)
            json_double(w, path->weights[i]);
        json_end_array(w);
        json_kv_int(w, "runs", (int64_t)path->runs);
        json_kv_double(w, "error", path->error);
        json_end_object(w);
    }
    json_end_object(w);
}

void cost_read(struct cost_model *model, yyjson_val *json)
{
    for (int p = 0; p < PATHS; p++) {
        struct cost_path *path = &model->paths[p];
        yyjson_val *one = json_get(json, names[p]), *weights = json_get(one, "weights");
        if (yyjson_arr_size(weights) != COST_FEATURES)
            continue;
        for (size_t i = 0; i < COST_FEATURES; i++) {
            double weight = yyjson_get_num(yyjson_arr_get(weights, i)), first = first_weights[p][i];
            if (isfinite(weight))
                path->weights[i] = clamp(weight, first / COST_RANGE, first * COST_RANGE);
        }
        path->runs = yyjson_get_uint(json_get(one, "runs"));
        path->error = yyjson_get_num(json_get(one, "error"));
    }
}
