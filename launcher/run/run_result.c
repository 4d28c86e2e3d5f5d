#include "launcher/run/run_result.h"

#include <math.h>
#include <string.h>

/* The JSON form of each member type. */
static void put_double(jsondoc_t *object, const char *key, double value)
{
    jsondoc_put_number(object, key, value);
}

static void put_int64_t(jsondoc_t *object, const char *key, int64_t value)
{
    jsondoc_put_integer(object, key, value);
}

static status_t get_double(const jsondoc_t *object, const char *where, const char *key, double *out)
{
    return jsondoc_get_number(object, where, key, out);
}

static status_t get_int64_t(const jsondoc_t *object, const char *where, const char *key, int64_t *out)
{
    return jsondoc_get_integer(object, where, key, 0, INT64_MAX, out);
}

/* ", NAME VALUE", or why there is none. */
static void print_defined(FILE *out, const char *name, int digits, double value, const char *why_not)
{
    if (isfinite(value))
        fprintf(out, ", %s %.*f", name, digits, value);
    else
        fprintf(out, ", no %s (%s)", name, why_not);
}

void run_result_print_quality(FILE *out, const quality_t *quality, int64_t examples)
{
    if (examples == 0) {
        fputs("no evaluation examples (the evaluation split is empty)", out);
        return;
    }
    if (!isfinite(quality->logloss)) {
        fprintf(out, "no metrics (not all predictions are numbers) over %lld example%s", (long long)examples,
                examples == 1 ? "" : "s");
        return;
    }
    const bool one_class = !isfinite(quality->auc_loss);
    fprintf(out, "logloss %.5f", quality->logloss);
    print_defined(out, "AUC loss", 5, quality->auc_loss, "all labels are equal");
    print_defined(out, "PQAUC loss", 5, quality->pqauc_loss,
                  one_class ? "all labels are equal" : "no query column, or no query with both labels");
    print_defined(out, "calibration", 4, quality->calibration, "no label is 1");
    fprintf(out, " over %lld example%s", (long long)examples, examples == 1 ? "" : "s");
}

void run_result_put_quality(jsondoc_t *object, const quality_t *quality)
{
#define PUT(name, doc) jsondoc_put_number(object, #name, quality->name);
    QUALITY_FIELDS(PUT)
#undef PUT
}

void run_result_put_cost(jsondoc_t *object, const cost_t *cost)
{
#define PUT(type, name, how, unit) put_##type(object, #name, cost->name);
    COST_FIELDS(PUT)
#undef PUT
}

/* training_logloss came later than the others. */
static status_t get_quality(const jsondoc_t *object, const char *where, const char *name, double *out)
{
    *out = NAN;
    return strcmp(name, "training_logloss") == 0 && !jsondoc_has(object, name) ? ST_OK
                                                                               : jsondoc_get_number(object, where, name, out);
}

status_t run_result_get_quality(const jsondoc_t *object, const char *where, quality_t *out)
{
    quality_t read;
#define GET(name, doc) TRY(get_quality(object, where, #name, &read.name));
    QUALITY_FIELDS(GET)
#undef GET
    *out = read;
    return ST_OK;
}

status_t run_result_get_cost(const jsondoc_t *object, const char *where, cost_t *out)
{
    cost_t read;
#define GET(type, name, how, unit) TRY(get_##type(object, where, #name, &read.name));
    COST_FIELDS(GET)
#undef GET
    *out = read;
    return ST_OK;
}
