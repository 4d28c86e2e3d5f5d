/* Evaluations while a run trains, when it ends because of them, and with which of its checkpoints.
 *
 * With evaluate.patience each evaluation comes where the cluster is cut for a checkpoint, and workers wait for the word whether
 * they go on; so the steps that are trained, and all that is written of them, depend on the evaluations alone. That of the best
 * so far is kept. A run that ends with it begins again, in the same start, as a run that a checkpoint is restored into and
 * that trains no step: pushes that were pending at the cut are applied, and what is in the tables is what a run would have
 * that ended there. */
#include <inttypes.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/validation.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/checkpoint/checkpoint_catalog.h"
#include "launcher/checkpoint/checkpoint_resume.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "launcher/coordinator/coordinator_send.h"
#include "launcher/run/input_fields.h"

/* ---- while it trains ------------------------------------------------------------------------------------------------- */

status_t coordinator_open_validation(coordinator_t *c, const config_t *config, int64_t first)
{
    const dataset_info_t *info = dataset_info(c->dataset);
    validation_merger_options_t o = {
        .events = c->events,
        .workers = c->workers,
        .examples = validation_examples(config, info->eval_rows),
        .chunk = c->chunk,
        .has_group = info->has_group,
        .period = validation_period(config, info->train_rows),
        .first = first,
        .end = lanes_steps(&c->lanes),
        .metric = (validated_t)config->evaluate.metric,
        .patience = config->evaluate.patience,
        .min_delta = config->evaluate.min_delta,
    };
    validation_curve_t before = {0};
    if (!o.period || !o.examples)
        return ST_OK;
    TRY(coordinator_read_weights(c, SPLIT_EVAL, &c->validation_weight));
    o.weight = c->validation_weight;
    c->validations = validation_merger_create(&o);
    if (first == 0)
        return ST_OK;
    TRY(validation_curve_read(c->run_dir, first, &before));
    for (int64_t i = 0; i < before.n; i++)
        validation_merger_before(c->validations, &before.point[i]);
    validation_curve_fini(&before);
    return ST_OK;
}

status_t coordinator_validated(coordinator_t *c, int worker, const net_message_t *message)
{
    const int64_t before = validation_merger_last(c->validations);
    TRY(validation_merger_put(c->validations, worker, message));
    const early_stopping_t *state = validation_merger_state(c->validations);
    if (!state->patience || validation_merger_last(c->validations) == before)
        return ST_OK;
    c->verdict = validation_merger_last(c->validations);
    checkpointer_pin(c->checkpointer, state->best_step);
    return coordinator_tell_verdict(c);
}

status_t coordinator_tell_verdict(coordinator_t *c)
{
    if (!c->verdict || checkpointer_is_crowded(c->checkpointer))
        return ST_OK;
    const early_stopping_t *state = validation_merger_state(c->validations);
    const bool is_over = early_stopping_is_over(state);
    wire_header_t header = coordinator_header(c, WIRE_VERDICT, is_over);
    header.step = c->verdict;
    if (is_over) {
        c->stopped_at = c->verdict;
        log_info("the run has not got better since step %" PRId64 ", %" PRId64 " evaluations ago: it ends before step %" PRId64,
                 state->best_step, state->since, c->verdict);
    }
    c->verdict = 0;
    return send_workers(c, &header, NULL);
}

/* ---- after it -------------------------------------------------------------------------------------------------------- */

/* The newest of the run's checkpoints before this step. */
static status_t open_checkpoint(const coordinator_t *c, int64_t step, checkpoint_resume_t *out)
{
    checkpoint_catalog_t catalog;
    TRY(checkpoint_catalog_read(c->disk, c->run_dir, &catalog));
    int64_t at = catalog.n - 1;
    while (at >= 0 && catalog.at[at].step != step)
        at--;
    char *folder = at < 0 ? NULL : checkpoint_step_path(c->run_dir, catalog.at[at].incarnation, step);
    checkpoint_catalog_fini(&catalog);
    const status_t status = folder ? checkpoint_resume_open(c->disk, folder, out)
                                   : FAIL(ST_CORRUPT,
                                          "%s: the checkpoint before step %" PRId64
                                          ", the best evaluation, is gone, and the run cannot end with it; train it anew",
                                          c->run_dir, step);
    mem_free(folder);
    return status;
}

static status_t write_dense(coordinator_t *c, const checkpoint_resume_t *from)
{
    for (int k = 0; k < c->components; k++) {
        float *floats = NULL;
        int64_t n;
        const uint32_t component = (uint32_t)k;
        TRY(checkpoint_resume_dense(c->disk, from, k, &floats, &n));
        char *path = run_dense_path(c->run_dir, k);
        hash_digest_add(&c->digest, &component, sizeof component, floats, (size_t)n * sizeof *floats);
        const status_t status = file_write_atomic(path, floats, (size_t)n * sizeof *floats);
        mem_free(path);
        mem_free(floats);
        TRY(status);
    }
    return ST_OK;
}

static status_t deploy(coordinator_t *c, const coordinator_run_t *run, const manifest_t *manifest, int64_t step)
{
    checkpoint_resume_t best = {0};
    status_t status;
    TRY_DONE(open_checkpoint(c, step, &best));
    log_info("the run ends with the parameters before step %" PRId64 ", the best of its evaluations", step);
    c->digest = (hash_digest_t){0};
    TRY_DONE(send_begin(c, (run_number_t){RUN_DEPLOYS, run->variant, run->replica}, step));
    TRY_DONE(send_scaling(c, &manifest->inputs));
    TRY_DONE(send_checkpoint(c, &best));
    c->digest = (hash_digest_t){0};
    status = write_dense(c, &best);
done:
    checkpoint_resume_fini(&best);
    return status;
}

/* What the last step has left, against the best evaluation before it. */
static status_t evaluate_last(coordinator_t *c)
{
    predictions_t *p = &c->predictions;
    TRY(coordinator_score(c, SPLIT_EVAL));
    uint64_t *group = MEM_ARRAY(uint64_t, p->rows);
    memcpy(group, p->group, (size_t)p->rows * sizeof *group);
    const status_t status = validation_merger_final(c->validations, p->p, p->label, group);
    mem_free(group);
    return status;
}

status_t coordinator_settle(coordinator_t *c, const coordinator_run_t *run, manifest_t *manifest, bool *scored)
{
    *scored = false;
    if (!c->validations)
        return ST_OK;
    if (!c->stopped_at)
        TRY(evaluate_last(c));
    const early_stopping_t *state = validation_merger_state(c->validations);
    manifest->stopped_at = c->stopped_at;
    *scored = !c->stopped_at;
    if (!state->patience || !state->best_step || state->best_step == lanes_steps(&c->lanes))
        return ST_OK;
    manifest->best_step = state->best_step;
    *scored = false;
    return deploy(c, run, manifest, state->best_step);
}
