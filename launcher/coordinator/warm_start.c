#include "launcher/coordinator/warm_start.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/field_plan.h"
#include "common/files/run_paths.h"
#include "launcher/run/run_reader.h"
#include "worker/embedding.h"
#include "worker/network/model.h"

/* The finished run. */
typedef struct donor {
    run_reader_t run;
    bool quiet; /* decide, and say nothing */
} donor_t;

static void PRINTF_LIKE(2, 3) tell(const donor_t *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!s->quiet)
        log_vwrite(LOG_INFO, format, args);
    va_end(args);
}

static status_t source_read(const char *dir, run_reader_t *out)
{
    TRY(run_reader_open(dir, 0, out));
    TRY(run_reader_need_finished(out, "warm_start: ", "; name the folder of one, for example out/NAME or out/NAME/VARIANT/r0"));
    TRY(run_reader_want(out, RUN_CONFIG | RUN_INPUTS | RUN_DENSE));
    TRY(run_reader_config(out));
    TRY(run_reader_check_config(out));
    TRY(run_reader_inputs(out));
    return run_reader_tables(out);
}

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

/* The field of this name, or -1. */
static int field_of(const table_plan_t *plan, const char *name)
{
    for (int f = 0; f < plan->fields; f++)
        if (strcmp(plan->name[f], name) == 0)
            return f;
    return -1;
}

/* The field whose name the table has that a field's rows are in. */
static int owner_of(const table_plan_t *plan, int field)
{
    return plan->table[plan->field[field].table].field;
}

/* Tables of this run that the finished run did not have. */
static void tell_new_tables(const donor_t *s, const table_plan_t *here)
{
    for (int f = 0; f < here->fields; f++) {
        const int there = field_of(&s->run.plan, here->name[f]);
        if (owner_of(here, f) != f)
            continue;
        if (there < 0)
            tell(s, "warm start: the tables of %s start anew: the run has no such field", here->name[f]);
        else if (owner_of(&s->run.plan, there) != there)
            tell(s, "warm start: the tables of %s start anew: the run has its rows in the table of %s", here->name[f],
                 s->run.plan.name[owner_of(&s->run.plan, there)]);
    }
}

/* How many different keys a field may have as a cross; 0: no limit, or it is none. */
static int64_t buckets_of(const table_plan_t *plan, int field)
{
    const int cross = field - plan->first_cross;
    return cross >= 0 && cross < plan->crosses ? plan->cross[cross].buckets : 0;
}

/* Why a table is not taken by that of the same component and field `field`, or NULL where it is. */
static const char *refuse_table(const donor_t *s, const planned_table_t *there, const table_plan_t *here, int field)
{
    if (field < 0)
        return "the dataset has no such field";
    if (there->component >= here->sets)
        return "this run has no such component";
    if (owner_of(here, field) != field)
        return "here the field shares the table of another";
    if (buckets_of(here, field) != buckets_of(&s->run.plan, there->field))
        return "the cross has another number of buckets there";
    const set_table_t *to = &here->table[here->field[field].table];
    if (here->linear != there->linear)
        return there->linear ? "its rows have first-order weights, and those here have none"
                             : "its rows have no first-order weights, and those here have";
    const bool same = to->width == there->width && to->optimizer == there->optimizer &&
                      (!here->linear || here->linear_optimizer == there->linear_optimizer);
    return same ? NULL : "its rows have another width or optimizer";
}

static void plan_tables(const donor_t *s, const table_plan_t *here, warm_start_t *plan)
{
    plan->tables = (int32_t)s->run.plan.tables;
    plan->map = MEM_ARRAY(int32_t, plan->tables);
    for (int32_t t = 0; t < plan->tables; t++) {
        const planned_table_t there = table_plan_at(&s->run.plan, (uint32_t)t);
        const char *name = s->run.plan.name[there.field];
        const int field = field_of(here, name);
        const char *reason = refuse_table(s, &there, here, field);
        plan->map[t] = reason ? -1 : (int32_t)table_plan_id(here, there.component, here->field[field].table);
        plan->tables_taken += !reason;
        if (reason)
            tell(s, "warm start: table %s of component %d is not taken: %s", name, there.component, reason);
    }
    tell_new_tables(s, here);
}

/* ---- networks -------------------------------------------------------------------------------------------------------- */

/* Do all columns of an input row mean the same in both? */
static bool same_inputs(const donor_t *s, const table_plan_t *here, const dataset_info_t *info)
{
    const input_fields_t *a = &s->run.inputs;
    const table_plan_t *there = &s->run.plan;
    bool same =
        a->numeric == info->numeric && a->single == info->single && a->multi == info->multi && there->fields == here->fields;
    for (int f = 0; same && f < info->numeric; f++)
        same = strcmp(a->fields[f].name, info->fields[f].name) == 0;
    for (int f = 0; same && f < here->fields; f++)
        same = strcmp(there->name[f], here->name[f]) == 0 && there->field[f].width == here->field[f].width;
    return same;
}

static bool find_block(const model_t *model, const char *name, model_block_t *out)
{
    for (int i = 0; model_block(model, i, out); i++)
        if (strcmp(out->name, name) == 0)
            return true;
    return false;
}

static void add_piece(warm_start_t *plan, int component, int64_t first, const float *floats, int64_t n)
{
    if (n > 0)
        plan->pieces[plan->n_pieces++] = (warm_piece_t){component, first, n, floats};
}

/* Why a block is not taken, or NULL where it is; *from becomes the block of the finished run. */
static const char *refuse_block(const model_t *there, const model_block_t *to, bool inputs_match, model_block_t *from)
{
    if (!find_block(there, to->name, from))
        return "the run has no such block";
    if (from->rows != to->rows || from->width != to->width)
        return "it has another shape there";
    if (!inputs_match && to->of_inputs)
        return "the inputs have other names, widths or another order";
    return from->optimizer == to->optimizer ? NULL : "it was trained by another optimizer";
}

/* Component k: compare the two networks block by block. */
static void plan_network(const donor_t *s, bool inputs_match, int k, const model_t *there, const model_t *here,
                         warm_start_t *plan)
{
    model_block_t to, from;
    for (int i = 0; model_block(here, i, &to); i++) {
        const char *reason = refuse_block(there, &to, inputs_match, &from);
        plan->blocks++;
        if (reason) {
            tell(s, "warm start: %s of component %d is not taken: %s", to.name, k, reason);
            continue;
        }
        plan->blocks_taken++;
        add_piece(plan, k, to.values, plan->dense[k] + from.values, to.rows * to.width);
        add_piece(plan, k, model_parameters(here) + to.state, plan->dense[k] + model_parameters(there) + from.state,
                  to.state_floats);
    }
}

static status_t read_dense(const donor_t *s, int k, const model_t *there, float **out)
{
    const int64_t wanted = model_parameters(there) + model_state_count(there);
    char name[DENSE_NAME_BYTES];
    float *dense;
    int64_t n;
    TRY(run_reader_dense(&s->run, k, &dense, &n));
    if (n == wanted) {
        *out = dense;
        return ST_OK;
    }
    mem_free(dense);
    return FAIL(ST_CORRUPT,
                "%s/%s has %" PRId64 " bytes, and the network of its " FILE_CONFIG " has %" PRId64
                "; the files changed after training",
                s->run.dir, dense_name(k, name), n * (int64_t)sizeof *dense, wanted * (int64_t)sizeof *dense);
}

static status_t plan_networks(const donor_t *s, const config_t *config, const table_plan_t *tables, const dataset_info_t *info,
                              warm_start_t *plan)
{
    plan->components = (int)s->run.config->model.components;
    plan->dense = MEM_ARRAY(float *, plan->components);
    status_t status = ST_OK;
    for (int k = 0; k < config->model.components && status == ST_OK; k++) {
        model_t *there = NULL, *here = NULL;
        if (k >= plan->components) {
            tell(s, "warm start: component %d starts anew: the run has %d", k, plan->components);
            continue;
        }
        TRY_DONE(model_create(s->run.config, k, embedding_shape(&s->run.plan, s->run.inputs.numeric), 1, &there));
        TRY_DONE(model_create(config, k, embedding_shape(tables, info->numeric), 1, &here));
        TRY_DONE(read_dense(s, k, there, &plan->dense[k]));
        if (!plan->pieces) {
            model_block_t block;
            int blocks = 0;
            while (model_block(here, blocks, &block))
                blocks++;
            plan->pieces = MEM_ARRAY(warm_piece_t, 2 * blocks * config->model.components);
        }
        plan_network(s, same_inputs(s, tables, info), k, there, here, plan);
    done:
        model_destroy(&there);
        model_destroy(&here);
    }
    return status;
}

/* ---- inputs ---------------------------------------------------------------------------------------------------------- */

/* Fields that both have are made alike; numbers are scaled as there. */
static status_t check_inputs(const donor_t *s, const config_t *config, const dataset_info_t *info)
{
    char difference[INPUT_FIELDS_DIFFERENCE_BYTES];
    input_fields_t own = input_fields_of(info);
    status_t status = ST_OK;
    if (input_fields_difference_by_name(&s->run.inputs, &own, difference))
        status =
            FAIL(ST_INPUT,
                 "warm_start: dataset %s was imported in another way than the data that %s was trained on: %s; import it by "
                 "the same schema, or give the field another name",
                 config->data.path, s->run.dir, difference);
    else if (!s->quiet && s->run.manifest.dataset_hash != info->content_hash)
        input_fields_warn_unrecorded(&s->run.inputs, s->run.dir, &own, config->data.path);
    if (status == ST_OK && !input_fields_is_scaled_as(&own, &s->run.inputs))
        tell(s, "warm start: numeric fields keep the scaling of %s, not that of %s", s->run.dir, config->data.path);
    input_fields_fini(&own);
    return status;
}

static status_t decide(const config_t *config, const dataset_info_t *info, bool quiet, warm_start_t *out)
{
    donor_t source = {.quiet = quiet};
    warm_start_t plan = {.dir = mem_strdup(config->warm_start)};
    table_plan_t here = {0};
    status_t status;
    TRY_DONE(field_plan_of(&here, config, info, config->data.path));
    TRY_DONE(source_read(plan.dir, &source.run));
    TRY_DONE(check_inputs(&source, config, info));
    plan.inputs = input_fields_copy(&source.run.inputs);
    plan_tables(&source, &here, &plan);
    TRY_DONE(plan_networks(&source, config, &here, info, &plan));
    tell(&source, "warm start from %s: %d of %d tables and %d of %d blocks of the networks are taken", plan.dir,
         plan.tables_taken, (int)here.tables, plan.blocks_taken, plan.blocks);
done:
    plan.run = source.run.manifest;
    source.run.manifest = (manifest_t){0};
    run_reader_fini(&source.run);
    table_plan_fini(&here);
    if (status == ST_OK)
        *out = plan;
    else
        warm_start_fini(&plan);
    return status;
}

static bool is_empty(const warm_start_t *plan)
{
    return plan->tables_taken + plan->blocks_taken == 0;
}

status_t warm_start_plan(const config_t *config, const dataset_info_t *info, warm_start_t *out)
{
    warm_start_t plan;
    TRY(decide(config, info, false, &plan));
    if (is_empty(&plan)) {
        status_t status =
            FAIL(ST_INPUT, "warm_start: nothing of %s fits this run by name and shape; the lines above say why", plan.dir);
        warm_start_fini(&plan);
        return status;
    }
    *out = plan;
    return ST_OK;
}

status_t warm_start_check(const config_t *config, const dataset_info_t *info)
{
    warm_start_t plan;
    TRY(decide(config, info, true, &plan));
    const bool empty = is_empty(&plan);
    warm_start_fini(&plan);
    if (!empty)
        return ST_OK;
    TRY(warm_start_plan(config, info, &plan)); /* the same once more, aloud */
    ASSERT(!"a plan changed between two looks");
    return ST_OK;
}

void warm_start_fini(warm_start_t *plan)
{
    for (int k = 0; k < plan->components && plan->dense; k++)
        mem_free(plan->dense[k]);
    manifest_fini(&plan->run);
    mem_free(plan->dir);
    mem_free(plan->map);
    mem_free(plan->pieces);
    mem_free(plan->dense);
    input_fields_fini(&plan->inputs);
    *plan = (warm_start_t){0};
}
