/* Widths are scaled together: D' = round(s D), n_l' = round(s n_l), at least 1. The size grows with s, so bisection finds the s
 * where it crosses the target. But embedding widths are few and their steps coarse (a table of a million rows grows by a
 * million weights at once), so around that s every D' is tried with hidden factors of its own, on a fine grid. The best of them
 * has the least
 *
 *     |size / target - 1|  +  0.05 |log((sum n_l' / sum n_l) / (D' / D))|
 *
 * that is, a network whose shape is off by a factor e costs as much as a size that is off by 5 %. Rejected: the nearest size at
 * any price. It makes hidden layers of 5 and 3 units of [64, 32], where the next embedding width is just a little too large. */
#include "launcher/job/complexity.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/config/field_options.h"
#include "common/data/field_plan.h"
#include "common/math/real.h"
#include "worker/embedding.h"
#include "worker/network/model.h"

#define HIDDEN_MAX 64   /* the most that model.hidden may list (config_keys.h) */
#define WIDTH_MAX 65536 /* and the widest */
#define DIM_MAX 4096
#define HALVINGS 60
#define SHAPE_PRICE 0.05
#define APART 16.0 /* how far hidden factors are tried from the common one, up and down */
#define GRID 4000  /* hidden factors that are tried: steps of 0.14 % */
#define GOOD 0.05  /* a relative error that is not worth a warning */

typedef struct widths {
    int32_t dim, layers; /* dim 0: as configured */
    int32_t hidden[HIDDEN_MAX];
} widths_t;

static widths_t widths_of(const config_t *config)
{
    widths_t w = {.dim = (int32_t)config->embedding.dim, .layers = (int32_t)config->model.hidden.count};
    ASSERT(w.layers <= HIDDEN_MAX);
    for (int i = 0; i < w.layers; i++)
        w.hidden[i] = (int32_t)config->model.hidden.at[i];
    return w;
}

static void put_common(config_t *config, const widths_t *w)
{
    config->embedding.dim = w->dim;
    for (int i = 0; i < w->layers; i++)
        config->model.hidden.at[i] = w->hidden[i];
}

/* Widths that fields have of their own follow the common one. */
static void put_widths(config_t *config, const widths_t *w)
{
    field_options_scale(config, (double)w->dim / (double)config->embedding.dim);
    put_common(config, w);
}

/* The plan of a configuration in which every width is another. */
static void scale_plan(table_plan_t *out, const table_plan_t *plan, const config_t *sized, double factor)
{
    field_wish_t *wish = MEM_ARRAY(field_wish_t, plan->fields);
    for (int f = 0; f < plan->fields; f++) {
        const int32_t dim = table_plan_dim(plan, f);
        wish[f] = (field_wish_t){NULL, dim ? field_options_scaled(dim, factor) : 0, plan->table[plan->field[f].table].field};
    }
    table_plan_init_wishes(out, sized, plan->fields, wish);
    mem_free(wish);
}

/* Values of a field, as far as the dataset tells: of a cross no more than its parts or the dataset allow. */
static double field_rows(const table_plan_t *plan, const dataset_info_t *info, int f)
{
    const dataset_field_t *fields = info->fields + info->numeric;
    const int c = f - plan->first_cross;
    if (c < 0 || c >= plan->crosses)
        return (double)fields[c < 0 ? f : f - plan->crosses].cardinality;
    const planned_cross_t *cross = &plan->cross[c];
    double rows = 1.0;
    for (int i = 0; i < cross->parts; i++)
        rows *= (double)fields[cross->part[i]].cardinality;
    rows = fmin(rows, (double)info->rows);
    return cross->buckets ? fmin(rows, (double)cross->buckets) : rows;
}

double complexity_rows(const table_plan_t *plan, const dataset_info_t *info, int table)
{
    double rows = 0.0;
    for (int f = 0; f < plan->fields; f++)
        if (plan->field[f].table == table)
            rows = fmax(rows, field_rows(plan, info, f));
    return rows;
}

/* plan: of the configuration as it is, whose widths become those of w. */
static double count(const config_t *config, const table_plan_t *plan, const dataset_info_t *info, const widths_t *w,
                    int measure)
{
    config_t sized = *config;
    int64_t hidden[HIDDEN_MAX];
    sized.model.hidden.at = hidden;
    put_common(&sized, w);
    table_plan_t scaled;
    scale_plan(&scaled, plan, &sized, (double)w->dim / (double)config->embedding.dim);
    const input_shape_t input = embedding_shape(&scaled, info->numeric);
    double weights = 0.0;
    for (int t = 0; t < plan->set_tables; t++)
        weights += complexity_rows(plan, info, t) * scaled.table[t].width;
    weights *= plan->sets;
    table_plan_fini(&scaled);
    const model_size_t network = model_size(&sized, input);
    const double components = (double)config->model.components;
    return measure == COMPLEXITY_FLOPS ? components * (double)network.flops : weights + components * (double)network.weights;
}

double complexity_count(const config_t *config, const dataset_info_t *info, int measure)
{
    const widths_t w = widths_of(config);
    table_plan_t plan;
    const status_t status = field_plan_of(&plan, config, info, config->data.path);
    ASSERT(status == ST_OK); /* field_names_agree has looked all names up */
    const double size = count(config, &plan, info, &w, measure);
    table_plan_fini(&plan);
    return size;
}

static int32_t scaled(int64_t width, double factor, int32_t most)
{
    const double w = round((double)width * factor);
    return w < 1.0 ? 1 : w > most ? most : (int32_t)w;
}

static void scale_hidden(widths_t *w, const config_t *config, double factor)
{
    for (int i = 0; i < w->layers; i++)
        w->hidden[i] = scaled(config->model.hidden.at[i], factor, WIDTH_MAX);
}

/* The search: what is scaled, towards what, and the best so far. */
typedef struct width_search {
    const config_t *config;
    table_plan_t plan; /* of it */
    const dataset_info_t *info;
    double target;
    widths_t best;
    double best_score;
} width_search_t;

/* Take these widths if they are better; returns their size. */
static double consider(width_search_t *s, const widths_t *w)
{
    double before = 0.0, after = 0.0;
    for (int i = 0; i < w->layers; i++) {
        before += (double)s->config->model.hidden.at[i];
        after += w->hidden[i];
    }
    const double size = count(s->config, &s->plan, s->info, w, s->config->complexity.by);
    const double shape = fabs(real_log(after / before * (double)s->config->embedding.dim / w->dim));
    const double score = fabs(size / s->target - 1.0) + SHAPE_PRICE * shape;
    if (score < s->best_score) {
        s->best = *w;
        s->best_score = score;
    }
    return size;
}

/* The common factor at which the size crosses the target. */
static double common_factor(width_search_t *s)
{
    double low = 1.0 / WIDTH_MAX, high = WIDTH_MAX;
    for (int i = 0; i < HALVINGS; i++) {
        const double middle = sqrt(low * high);
        widths_t w = widths_of(s->config);
        w.dim = scaled(s->config->embedding.dim, middle, DIM_MAX);
        scale_hidden(&w, s->config, middle);
        if (consider(s, &w) < s->target)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The best widths there are. */
static status_t search(width_search_t *s, const char *name)
{
    const config_t *config = s->config;
    const double target = s->target;
    widths_t least = {.dim = 1, .layers = (int32_t)config->model.hidden.count};
    scale_hidden(&least, config, 0.0);
    const double smallest = consider(s, &least);
    char wanted[TEXT_BYTES], got[TEXT_BYTES];
    if (smallest > target)
        return FAIL(ST_INPUT,
                    "variant %s: complexity.match cannot be met: with every width 1 it has %s %s, and %s are wanted; use fewer "
                    "components or share_embeddings",
                    name, text_count((int64_t)smallest, got),
                    config->complexity.by == COMPLEXITY_FLOPS ? "flops" : "parameters", text_count((int64_t)target, wanted));
    const double common = common_factor(s);
    const int32_t dim = scaled(config->embedding.dim, common, DIM_MAX);
    for (int32_t d = dim > 2 ? dim - 2 : 1; d <= dim + 2 && d <= DIM_MAX; d++)
        for (int i = 0; i <= GRID; i++) {
            widths_t w = widths_of(config);
            w.dim = d;
            scale_hidden(&w, config, common * real_pow(APART, 2.0 * i / GRID - 1.0));
            consider(s, &w);
        }
    return ST_OK;
}

status_t complexity_scale(config_t *config, const char *name, const dataset_info_t *info, double target)
{
    width_search_t s = {.config = config, .info = info, .target = target, .best_score = INFINITY};
    TRY(field_plan_of(&s.plan, config, info, config->data.path));
    const status_t status = search(&s, name);
    if (status == ST_OK)
        put_widths(config, &s.best);
    table_plan_fini(&s.plan);
    return status;
}

/* Say which widths a variant got. */
static void report(const experiment_t *e, int v, const dataset_info_t *info, double target)
{
    const config_t *c = e->configs[v];
    char hidden[HIDDEN_MAX * 8] = "", got[TEXT_BYTES], wanted[TEXT_BYTES];
    size_t used = 0;
    for (unsigned i = 0; i < c->model.hidden.count && used < sizeof hidden; i++)
        used += (size_t)snprintf(hidden + used, sizeof hidden - used, "%s%" PRId64, i ? ", " : "", c->model.hidden.at[i]);
    const double size = complexity_count(c, info, c->complexity.by), error = size / target - 1.0;
    const bool has_widths = field_plan_is_named(c);
    const char *const unit = c->complexity.by == COMPLEXITY_FLOPS ? "flops per example" : "parameters";
    log_info("variant %s matches %s: embedding.dim %" PRId64 "%s%s, model.hidden [%s]: %s %s for %s (%+.2f %%)", e->names[v],
             c->complexity.match, c->embedding.dim, has_widths ? ", fields.widths " : "", has_widths ? c->fields.widths : "",
             hidden, text_count((int64_t)size, got), unit, text_count((int64_t)target, wanted), 100.0 * error);
    if (fabs(error) > GOOD)
        log_warn("variant %s: no widths come nearer to %s than %+.1f %%", e->names[v], c->complexity.match, 100.0 * error);
}

static status_t scale_variant(experiment_t *e, int v)
{
    config_t *c = e->configs[v];
    const config_t *other = e->configs[config_variant(e, c->complexity.match)];
    dataset_t *dataset;
    TRY(dataset_open(c->data.path, 1 << 20, &dataset));
    const dataset_info_t *info = dataset_info(dataset);
    const double target = complexity_count(other, info, c->complexity.by);
    status_t status = complexity_scale(c, e->names[v], info, target);
    if (status == ST_OK)
        report(e, v, info, target);
    dataset_close(&dataset);
    return status;
}

status_t complexity_agree(cluster_t *cluster, experiment_t *e)
{
    int matched = 0;
    for (int v = 0; v < e->variants; v++)
        matched += *e->configs[v]->complexity.match != 0;
    if (!matched)
        return ST_OK;
    const bool zero = cluster_rank(cluster) == 0;
    const int64_t block = (int64_t)sizeof(widths_t) * (e->variants + 1); /* the last one's dim is the status */
    widths_t *mine = MEM_ARRAY(widths_t, e->variants + 1);
    widths_t *all = MEM_ARRAY(widths_t, (int64_t)(e->variants + 1) * cluster_size(cluster));
    status_t status = ST_OK;
    for (int v = 0; zero && v < e->variants && status == ST_OK; v++)
        if (*e->configs[v]->complexity.match) {
            status = scale_variant(e, v);
            mine[v] = widths_of(e->configs[v]);
        }
    mine[e->variants].dim = (int32_t)status;
    status = cluster_gather_all(cluster, mine, block, all);
    if (status == ST_OK)
        status = (status_t)all[e->variants].dim; /* of rank 0, which has said what is wrong */
    for (int v = 0; v < e->variants && status == ST_OK; v++) {
        config_t *c = e->configs[v];
        if (!*c->complexity.match)
            continue;
        put_widths(c, &all[v]);
        *c->complexity.match = 0;
    }
    mem_free(mine);
    mem_free(all);
    return status;
}
