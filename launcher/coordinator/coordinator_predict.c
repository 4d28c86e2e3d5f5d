/* Scoring with the parameters of an earlier run: BEGIN, its rows and dense parameters, its scaling, EVALUATE. */
#include "launcher/checkpoint/checkpoint_resume.h"
#include "launcher/coordinator/coordinator_impl.h"
#include "launcher/coordinator/coordinator_send.h"
#include "launcher/run/input_fields.h"

/* What the model's inputs are, where they come from (`who` in messages), and whether the dataset is one for them. */
static status_t check_inputs(coordinator_t *c, const coordinator_source_t *source, input_fields_t *inputs)
{
    const checkpoint_resume_t *checkpoint = source->checkpoint;
    const dataset_info_t *info = dataset_info(c->dataset);
    const char *who = checkpoint ? checkpoint->folder : c->run_dir;
    input_fields_t data = input_fields_of(info);
    bool found = false;
    status_t status;
    TRY_DONE(checkpoint ? checkpoint_resume_inputs(checkpoint, inputs, &found) : ST_OK);
    if (!found)
        TRY_DONE(input_fields_read(c->run_dir, inputs));
    TRY_DONE(input_fields_check(inputs, who, &data, c->dataset_path));
    if (info->content_hash != (checkpoint ? checkpoint->from.dataset_hash : source->run->dataset_hash))
        input_fields_warn_unrecorded(inputs, who, &data, c->dataset_path);
done:
    input_fields_fini(&data);
    return status;
}

/* Scores of a run that other processors have trained. */
static void warn_of_processors(const coordinator_t *c, const coordinator_source_t *source)
{
    processors_t now = processors_of(c->o.roster, 0);
    processors_warn_scores(c->run_dir, source->checkpoint ? &source->checkpoint->from.processors : &source->run->processors,
                           &now, c->o.experiment->base);
    processors_fini(&now);
}

status_t coordinator_predict(coordinator_t *c, const coordinator_source_t *source, split_t split, predictions_t *out)
{
    const config_t *config = c->o.experiment->base;
    const checkpoint_resume_t *checkpoint = source->checkpoint;
    input_fields_t inputs = {0};
    c->workers = config_active_workers(config, c->o.roster->workers);
    status_t status;
    coordinator_clear(c);
    c->run_id++;
    c->run_dir = source->run_dir;
    c->components = (int)config->model.components;
    c->chunk = peer_group_chunk(config, c->workers);
    TRY_DONE(coordinator_open_dataset(c, config, false));
    TRY_DONE(check_inputs(c, source, &inputs));
    warn_of_processors(c, source);
    TRY_DONE(coordinator_plan_tables(c, config));
    TRY_DONE(send_begin(c, (run_number_t){RUN_SCORES, -1, 0}, checkpoint ? checkpoint->from.step : 0));
    TRY_DONE(checkpoint ? send_checkpoint(c, checkpoint)
                        : send_finished_run(c, c->run_dir, source->run, (int32_t)c->plan.tables));
    TRY_DONE(send_scaling(c, &inputs));
    TRY_DONE(coordinator_score(c, split));
    *out = c->predictions;
    c->predictions = (predictions_t){0};
done:
    input_fields_fini(&inputs);
    return status;
}
