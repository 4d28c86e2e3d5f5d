/* The synthetic generator. Row i is a pure function of (settings, i): every draw is counter-based, so the file streams in
 * constant memory, a pilot can look at any row beforehand, and equal settings give equal bytes.
 *
 * Row i belongs to query q = i / group_size. The first half of the categorical fields (at least one) and of the numeric
 * fields describe the query and are drawn from q; the others describe the candidate and are drawn from i.
 *
 * Categories.  Value k of a field with V values has the probability  integral over [k+1, k+2) of x^-s, normalised over
 * [1, V+1): a power law of exponent s, sampled in constant time for any V by inverting the integral. Zipf's law proper
 * would need rejection; its head differs a little, its tail does not. Field f of F has V_f values, geometrically spaced from
 * `values` down to 10.
 *
 * Truth.  Every value v of every field has a bias b and a factor vector u[K], both N(0, 1), and a direction of drift for
 * each: b(tau) = b + drift * tau * b', tau = i / rows. Over the F single fields and the multi-valued ones, whose values add
 * up, the logit is
 *
 *     z = c + 1.4 * sum_f b_f / sqrt(F)  +  0.8 * sum_{f<g} u_f.u_g / sqrt(K F (F-1) / 2)
 *           + 0.6 * sum_j (w_j x_j + h_j (x_j^2 - 1) / sqrt(2)) / sqrt(2 N)
 *
 * so that each part has about the named standard deviation. The pairs are summed as half of |sum u|^2 - sum |u|^2, as in a
 * factorisation machine (Rendle 2010). c is set by bisection so that a pilot of rows spread over the whole set has the
 * positive rate asked for. The label is Bernoulli(sigmoid(z)).
 *
 * Only IEEE operations and square roots decide what is written: exp and log are our own, because those of libm differ
 * between machines in the last bit.                                                                                      */
#include "launcher/ingest/synth.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/data/dataset.h"
#include "common/data/remarks.h"

#define MULTI_MOST 5          /* values of a multi-valued field in a row: 0 to 5, evenly */
#define PILOT_ROWS 16384      /* a standard error of the positive rate below 0.004 */
#define HEAD_BYTES (8u << 20) /* truth of the most frequent values, kept instead of drawn again; fits a second-level cache */
#define WEIGHT_BIAS 1.4
#define WEIGHT_PAIRS 0.8
#define WEIGHT_NUMERIC 0.6
#define NUMBER_BYTES 24       /* room for a number of 64 bits in decimal */
#define START_TIME 1600000000 /* of the first query, seconds; one query a second */
#define PROGRESS_NS 3000000000ll
#define PROGRESS_ROWS 1024

/* Streams of random numbers: kind << 32 | field. */
enum { DRAW_VALUE = 1, DRAW_COUNT, DRAW_NUMERIC, DRAW_LABEL, DRAW_TRUTH, DRAW_EFFECT };

typedef struct synth_field {
    int64_t values;
    double tail;      /* (V+1)^(1-s) - 1, or log(V+1) where s is 1 */
    int64_t head;     /* values whose truth is kept */
    float *truth;     /* [head][2 * (1 + factors)] */
    uint8_t *is_kept; /* [head] */
} synth_field_t;

typedef struct synth {
    const struct config_synth *settings;
    int fields, numeric, multi, factors, shared_fields, shared_numeric;
    synth_field_t *field; /* [fields + multi] */
    double *effect;       /* [numeric][2]: w, h */
    double intercept;
    float *scratch, *sum, *own; /* truth of one value; sum of factor vectors; factors of one field */

    /* The row that was drawn last. */
    int64_t *value; /* [fields + multi * MULTI_MOST] */
    float *x;       /* [numeric] */
    int32_t *count; /* [multi] */
} synth_t;

static uint64_t stream(int kind, int field)
{
    return (uint64_t)kind << 32 | (uint32_t)field;
}

/* ---- exp and log ---- */

static double own_log(double x)
{
    int e;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752) {
        m *= 2.0;
        e--;
    }
    const double t = (m - 1.0) / (m + 1.0), t2 = t * t;
    double sum = 0.0;
    for (int k = 21; k >= 1; k -= 2)
        sum = sum * t2 + 1.0 / k;
    return 2.0 * t * sum + e * 0.69314718055994531;
}

static double own_exp(double x)
{
    if (x < -700.0)
        return 0.0;
    if (x > 700.0)
        x = 700.0;
    const double n = floor(x * 1.4426950408889634 + 0.5);
    const double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    double sum = 1.0;
    for (int k = 14; k >= 1; k--)
        sum = 1.0 + sum * r / k;
    return ldexp(sum, (int)n);
}

/* ---- values ---- */

static bool is_harmonic(double exponent)
{
    return fabs(1.0 - exponent) < 1e-9;
}

static int64_t draw_value(const synth_t *s, int field, uint64_t index)
{
    const synth_field_t *f = &s->field[field];
    const double u = rng_uniform((uint64_t)s->settings->seed, stream(DRAW_VALUE, field), index);
    const double exponent = s->settings->exponent;
    const double x = is_harmonic(exponent) ? own_exp(u * f->tail) : own_exp(own_log(1.0 + u * f->tail) / (1.0 - exponent));
    const int64_t value = (int64_t)(x - 1.0);
    return value < 0 ? 0 : value < f->values ? value : f->values - 1;
}

/* Field f of F has values from `values` (f = 0) down to 10, geometrically; a single field has the most. */
static int64_t field_values(const struct config_synth *settings, int f, int fields)
{
    const double most = (double)settings->values, least = most < 10.0 ? most : 10.0;
    if (f == 0 || fields == 1)
        return settings->values;
    const double share = (double)(fields - 1 - f) / (double)(fields - 1);
    return (int64_t)floor(least * own_exp(share * own_log(most / least)) + 0.5);
}

/* Truth of a value: bias, its drift, factors[K], their drift[K]. Frequent values are kept. */
static const float *value_truth(synth_t *s, int field, int64_t value)
{
    synth_field_t *f = &s->field[field];
    const int64_t width = 2 * (1 + s->factors);
    const bool is_head = value < f->head;
    float *truth = is_head ? f->truth + value * width : s->scratch;
    if (is_head && f->is_kept[value])
        return truth;
    const uint64_t first = (uint64_t)value * (uint64_t)((width + 3) / 4 * 4);
    rng_fill_normal(truth, width, 1.0f, (uint64_t)s->settings->seed, stream(DRAW_TRUTH, field), first);
    if (is_head)
        f->is_kept[value] = 1;
    return truth;
}

/* ---- rows ---- */

static void draw_inputs(synth_t *s, int64_t row)
{
    const uint64_t seed = (uint64_t)s->settings->seed, query = (uint64_t)(row / s->settings->group_size);
    for (int f = 0; f < s->fields; f++)
        s->value[f] = draw_value(s, f, f < s->shared_fields ? query : (uint64_t)row);
    for (int m = 0; m < s->multi; m++) {
        const int field = s->fields + m;
        s->count[m] = (int32_t)(rng_u64(seed, stream(DRAW_COUNT, field), (uint64_t)row) % (MULTI_MOST + 1));
        for (int v = 0; v < s->count[m]; v++)
            s->value[s->fields + m * MULTI_MOST + v] = draw_value(s, field, (uint64_t)row * MULTI_MOST + (uint64_t)v);
    }
    for (int j = 0; j < s->numeric; j++)
        s->x[j] = (float)rng_normal(seed, stream(DRAW_NUMERIC, j), j < s->shared_numeric ? query : (uint64_t)row);
}

/* Add a value's bias to *bias and its factors to own[K]. */
static void add_value(synth_t *s, int field, int64_t value, double drift, double *bias)
{
    const float *truth = value_truth(s, field, value);
    const int factors = s->factors;
    *bias += (double)truth[0] + drift * (double)truth[1];
    const float *u = truth + 2, *du = u + factors, tau = (float)drift;
    for (int k = 0; k < factors; k++)
        s->own[k] += u[k] + tau * du[k];
}

static double row_logit(synth_t *s, int64_t row)
{
    const int all = s->fields + s->multi, factors = s->factors;
    const double drift = s->settings->drift * (double)row / (double)s->settings->rows;
    double bias = 0.0, squares = 0.0, of_sum = 0.0, effects = 0.0;
    memset(s->sum, 0, (size_t)factors * sizeof *s->sum);
    for (int f = 0; f < all; f++) {
        memset(s->own, 0, (size_t)factors * sizeof *s->own);
        if (f < s->fields)
            add_value(s, f, s->value[f], drift, &bias);
        else
            for (int v = 0; v < s->count[f - s->fields]; v++)
                add_value(s, f, s->value[s->fields + (f - s->fields) * MULTI_MOST + v], drift, &bias);
        for (int k = 0; k < factors; k++) {
            s->sum[k] += s->own[k];
            squares += (double)s->own[k] * (double)s->own[k];
        }
    }
    for (int k = 0; k < factors; k++)
        of_sum += (double)s->sum[k] * (double)s->sum[k];
    for (int j = 0; j < s->numeric; j++) {
        const double x = (double)s->x[j];
        effects += s->effect[2 * j] * x + s->effect[2 * j + 1] * (x * x - 1.0) / sqrt(2.0);
    }
    double z = WEIGHT_BIAS * bias / sqrt((double)all);
    if (all > 1)
        z += WEIGHT_PAIRS * 0.5 * (of_sum - squares) / sqrt((double)factors * all * (all - 1) / 2.0);
    if (s->numeric > 0)
        z += WEIGHT_NUMERIC * effects / sqrt(2.0 * s->numeric);
    return z;
}

static double sigmoid(double z)
{
    return 1.0 / (1.0 + own_exp(-z));
}

/* ---- set-up ---- */

static status_t check(const struct config_synth *c)
{
    if (c->rows < 1)
        return FAIL(ST_INPUT, "synth.rows has to be at least 1 to generate a dataset, value seen %" PRId64, c->rows);
    if (c->fields < 1 || c->values < 2 || c->numeric < 0 || c->multi < 0 || c->factors < 1 || c->group_size < 1)
        return FAIL(ST_INPUT,
                    "synth: fields, factors and group_size have to be at least 1, values at least 2, numeric and multi at "
                    "least 0; seen fields %" PRId64 ", factors %" PRId64 ", group_size %" PRId64 ", values %" PRId64
                    ", numeric %" PRId64 ", multi %" PRId64,
                    c->fields, c->factors, c->group_size, c->values, c->numeric, c->multi);
    if (!(c->positive_rate > 0.0 && c->positive_rate < 1.0))
        return FAIL(ST_INPUT, "synth.positive_rate has to be between 0 and 1, value seen %g", c->positive_rate);
    if (!(c->train_fraction > 0.0 && c->train_fraction <= 1.0))
        return FAIL(ST_INPUT, "synth.train_fraction has to be above 0 and at most 1, value seen %g", c->train_fraction);
    if (!(c->test_fraction >= 0.0 && c->train_fraction + c->test_fraction <= 1.0))
        return FAIL(
            ST_INPUT,
            "synth.train_fraction and synth.test_fraction are shares of all rows, together at most 1, values seen %g and "
            "%g",
            c->train_fraction, c->test_fraction);
    if (!(c->exponent >= 0.0 && c->drift >= 0.0))
        return FAIL(ST_INPUT, "synth.exponent and synth.drift must not be negative, values seen %g and %g", c->exponent,
                    c->drift);
    if (floor((double)c->rows * c->train_fraction) < 1.0)
        return FAIL(ST_INPUT, "synth.train_fraction %g of %" PRId64 " rows leaves no training row", c->train_fraction, c->rows);
    return ST_OK;
}

static void synth_init(synth_t *s, const struct config_synth *settings)
{
    *s = (synth_t){.settings = settings,
                   .fields = (int)settings->fields,
                   .numeric = (int)settings->numeric,
                   .multi = (int)settings->multi,
                   .factors = (int)settings->factors};
    s->shared_fields = (s->fields + 1) / 2;
    s->shared_numeric = s->numeric / 2;
    const int all = s->fields + s->multi;
    const size_t width = 2 * (1 + (size_t)s->factors);
    s->field = MEM_ARRAY(synth_field_t, all);
    const int64_t head = (int64_t)(HEAD_BYTES / ((size_t)all * width * sizeof(float)));
    for (int f = 0; f < all; f++) {
        synth_field_t *field = &s->field[f];
        /* Multi-valued fields are of middle size. */
        field->values = f < s->fields ? field_values(settings, f, s->fields) : field_values(settings, 1, 3);
        const double most = own_log((double)field->values + 1.0);
        field->tail = is_harmonic(settings->exponent) ? most : own_exp((1.0 - settings->exponent) * most) - 1.0;
        field->head = field->values < head ? field->values : head;
        field->truth = MEM_ARRAY(float, (size_t)field->head *width);
        field->is_kept = MEM_ARRAY(uint8_t, field->head);
    }
    s->effect = MEM_ARRAY(double, 2 * s->numeric);
    for (int j = 0; j < 2 * s->numeric; j++)
        s->effect[j] = rng_normal((uint64_t)settings->seed, stream(DRAW_EFFECT, 0), (uint64_t)j);
    s->scratch = MEM_ARRAY(float, width);
    s->sum = MEM_ARRAY(float, s->factors);
    s->own = MEM_ARRAY(float, s->factors);
    s->value = MEM_ARRAY(int64_t, s->fields + s->multi * MULTI_MOST);
    s->x = MEM_ARRAY(float, s->numeric);
    s->count = MEM_ARRAY(int32_t, s->multi);
}

static void synth_fini(synth_t *s)
{
    for (int f = 0; f < s->fields + s->multi; f++) {
        mem_free(s->field[f].truth);
        mem_free(s->field[f].is_kept);
    }
    mem_free(s->field);
    mem_free(s->effect);
    mem_free(s->scratch);
    mem_free(s->sum);
    mem_free(s->own);
    mem_free(s->value);
    mem_free(s->x);
    mem_free(s->count);
}

/* The intercept at which rows spread over the whole set have the positive rate. */
static void calibrate(synth_t *s)
{
    const int64_t rows = s->settings->rows, pilot = rows < PILOT_ROWS ? rows : PILOT_ROWS;
    double *logits = MEM_ARRAY(double, pilot);
    for (int64_t i = 0; i < pilot; i++) {
        const int64_t row = i * (rows / pilot) + i * (rows % pilot) / pilot;
        draw_inputs(s, row);
        logits[i] = row_logit(s, row);
    }
    double low = -60.0, high = 60.0;
    for (int step = 0; step < 50; step++) {
        const double middle = 0.5 * (low + high);
        double sum = 0.0;
        for (int64_t i = 0; i < pilot; i++)
            sum += sigmoid(logits[i] + middle);
        if (sum < s->settings->positive_rate * (double)pilot)
            low = middle;
        else
            high = middle;
    }
    s->intercept = 0.5 * (low + high);
    mem_free(logits);
}

/* ---- writing ---- */

/* key_of - the key of a value: of its decimal number, as if it had been imported from text, which is written to the end of
 * `room`. */
static uint64_t key_of(int64_t value, char room[NUMBER_BYTES], dataset_text_t *text)
{
    char *at = room + NUMBER_BYTES;
    do
        *--at = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    *text = (dataset_text_t){at, (int)(room + NUMBER_BYTES - at)};
    return dataset_key(at, text->bytes);
}

static status_t create_writer(const synth_t *s, const char *path, dataset_writer_t **out)
{
    const int n = s->numeric + s->fields + s->multi;
    dataset_field_t *fields = MEM_ARRAY(dataset_field_t, n);
    for (int f = 0; f < n; f++) {
        const int single = f - s->numeric, multi = single - s->fields;
        if (single < 0) {
            fields[f].kind = COLUMN_NUMERIC;
            snprintf(fields[f].name, sizeof fields[f].name, "n%d", f + 1);
        } else if (multi < 0) {
            fields[f].kind = COLUMN_CATEGORICAL;
            snprintf(fields[f].name, sizeof fields[f].name, "c%d", single + 1);
        } else {
            fields[f].kind = COLUMN_MULTI;
            fields[f].pooling = multi % 2 == 0 ? POOLING_SUM : POOLING_MEAN;
            snprintf(fields[f].name, sizeof fields[f].name, "m%d", multi + 1);
        }
        fields[f].rules = field_rules_synth(fields[f].kind);
    }
    const dataset_extras_t extras = {.keep_bytes = SCHEMA_KEEP_MB << 20, .keep_field_bytes = SCHEMA_KEEP_FIELD_MB << 20};
    status_t status = dataset_writer_create_with(path, fields, n, NULL, true, true, &extras, true, out);
    mem_free(fields);
    return status;
}

static status_t write_rows(synth_t *s, dataset_writer_t *writer, const char *path, bool progress)
{
    const struct config_synth *c = s->settings;
    const int64_t train = (int64_t)floor((double)c->rows * c->train_fraction), started = clock_now_ns();
    const int64_t first_test = c->rows - (int64_t)floor((double)c->rows * c->test_fraction);
    int64_t shown = started;
    const int values = s->fields + s->multi * MULTI_MOST;
    uint64_t *keys = MEM_ARRAY(uint64_t, values);
    float *weights = MEM_ARRAY(float, values);
    dataset_text_t *texts = MEM_ARRAY(dataset_text_t, values);
    char(*room)[NUMBER_BYTES] = mem_alloc((size_t)values, sizeof *room);
    for (int v = 0; v < values; v++)
        weights[v] = 1.0f;
    status_t status = ST_OK;
    for (int64_t row = 0; row < c->rows; row++) {
        draw_inputs(s, row);
        const double p = sigmoid(s->intercept + row_logit(s, row));
        for (int f = 0; f < s->fields; f++)
            keys[f] = key_of(s->value[f], room[f], &texts[f]);
        int at = s->fields;
        for (int m = 0; m < s->multi; m++)
            for (int v = 0; v < s->count[m]; v++, at++)
                keys[at] = key_of(s->value[s->fields + m * MULTI_MOST + v], room[at], &texts[at]);
        const int64_t query = row / c->group_size;
        const dataset_row_t out = {.label = rng_uniform((uint64_t)c->seed, stream(DRAW_LABEL, 0), (uint64_t)row) < p,
                                   .train = row < train,
                                   .test = row >= first_test,
                                   .group = (uint64_t)query,
                                   .time = START_TIME + query,
                                   .numeric = s->x,
                                   .single = keys,
                                   .multi_count = s->count,
                                   .multi_key = keys + s->fields,
                                   .multi_weight = weights,
                                   .single_text = texts,
                                   .multi_text = texts + s->fields,
                                   .line = room[0],
                                   .line_bytes = (size_t)at * NUMBER_BYTES};
        TRY_DONE(dataset_writer_put(writer, &out));
        if (progress && row % PROGRESS_ROWS == 0 && clock_now_ns() - shown > PROGRESS_NS) {
            shown = clock_now_ns();
            log_info("synth %s: %" PRId64 " of %" PRId64 " rows, %.0f rows/s", path, row, c->rows,
                     (double)row / ((double)(shown - started) * 1e-9));
        }
    }
    if (progress)
        log_info("synth %s: %" PRId64 " rows in %.1f s", path, c->rows, (double)(clock_now_ns() - started) * 1e-9);
done:
    mem_free(keys);
    mem_free(weights);
    mem_free(texts);
    mem_free(room);
    return status;
}

char *synth_settings(const struct config_synth *settings)
{
    char *text = mem_strdup("");
    /* One that came when datasets had been made already is not told where it is off: theirs stay what is stored. */
#define APPEND(kind, name, initial, least, most, class, doc) \
    if (strcmp(#name, "test_fraction") != 0 || settings->name != 0) { \
        char *longer = mem_printf("%ssynth.%s: %.17g\n", text, #name, (double)settings->name); \
        mem_free(text); \
        text = longer; \
    }
    CONFIG_SYNTH(APPEND)
#undef APPEND
    return text;
}

static void say_remark(void *context, const char *text)
{
    log_warn("%s: %s", (const char *)context, text);
}

static status_t finish(dataset_writer_t **writer, const struct config_synth *settings, const char *path)
{
    origin_t origin = {.kind = ORIGIN_SYNTH, .settings = synth_settings(settings)};
    dataset_writer_origin(*writer, &origin);
    origin_fini(&origin);
    TRY(dataset_writer_commit(writer, 0));
    dataset_t *dataset;
    TRY(dataset_open(path, 0, &dataset));
    remarks_make(dataset_info(dataset), dataset_census(dataset), say_remark, (void *)path);
    dataset_close(&dataset);
    return ST_OK;
}

status_t synth_dataset(const struct config_synth *settings, const char *path, bool progress)
{
    TRY(check(settings));
    synth_t synth;
    synth_init(&synth, settings);
    dataset_writer_t *writer = NULL;
    status_t status;
    TRY_DONE(create_writer(&synth, path, &writer));
    calibrate(&synth);
    TRY_DONE(write_rows(&synth, writer, path, progress));
    TRY_DONE(finish(&writer, settings, path));
done:
    dataset_writer_abort(&writer);
    synth_fini(&synth);
    return status;
}
