/* Scoring with the parameters of an earlier run: BEGIN, its rows and dense parameters, its scaling, EVALUATE. */
#include "launcher/checkpoint_resume.h"
#include "launcher/coordinator_state.h"
#include "launcher/coordinator_tell.h"
#include "launcher/inputs.h"

status_t coordinator_predict(coordinator_t *c, const coordinator_source_t *source, split_t split, predictions_t *out)
{
    const config_t *config = c->o.experiment->base;
    const checkpoint_resume_t *checkpoint = source->checkpoint;
    inputs_t inputs = {0};
    c->workers = config_active_workers(config, c->o.roster->workers);
    status_t status;
    coordinator_clear(c);
    c->run_id++;
    c->run_dir = source->run_dir;
    c->components = (int)config->model.components;
    TRY_DONE(coordinator_open_dataset(c, config));
    TRY_DONE(inputs_read(c->run_dir, &inputs));
    TRY_DONE(inputs_check(&inputs, c->run_dir, dataset_info(c->dataset), config->data.path));
    TRY_DONE(tell_begin(c, -1, 0, checkpoint ? checkpoint->from.step : 0, false));
    TRY_DONE(checkpoint ? tell_checkpoint(c, checkpoint)
                        : tell_finished_run(c, c->run_dir, source->run, (int32_t)config_tables(config) * (inputs.single + inputs.multi)));
    TRY_DONE(tell_scaling(c, &inputs));
    TRY_DONE(coordinator_score(c, split));
    *out = c->predictions;
    c->predictions = (predictions_t){0};
done:
    inputs_fini(&inputs);
    return status;
}
