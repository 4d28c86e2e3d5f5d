/* commands.h - what the commands of the command line do. Each returns the status that becomes the exit code. */
#ifndef SMELTER_COMMANDS_H
#define SMELTER_COMMANDS_H

#include "common/config/config.h"
#include "launcher/job/options.h"

WARN_UNUSED status_t command_check(const options_t *options);
WARN_UNUSED status_t command_init(const options_t *options);
WARN_UNUSED status_t command_import(const options_t *options);
WARN_UNUSED status_t command_synth(const options_t *options);
WARN_UNUSED status_t command_train(const options_t *options);
WARN_UNUSED status_t command_compare(const options_t *options);
WARN_UNUSED status_t command_report(const options_t *options);
WARN_UNUSED status_t command_predict(const options_t *options);
WARN_UNUSED status_t command_evaluate(const options_t *options);
WARN_UNUSED status_t command_churn(const options_t *options);
WARN_UNUSED status_t command_tune(const options_t *options);
WARN_UNUSED status_t command_figures(const options_t *options);
WARN_UNUSED status_t command_checkpoint(const options_t *options);
WARN_UNUSED status_t command_gather(const options_t *options);
WARN_UNUSED status_t command_inspect(const options_t *options);
WARN_UNUSED status_t command_digest(const options_t *options);
WARN_UNUSED status_t command_diff(const options_t *options);
WARN_UNUSED status_t command_version(const options_t *options);
WARN_UNUSED status_t command_config_reference(const options_t *options);
WARN_UNUSED status_t command_man(const options_t *options);
WARN_UNUSED status_t command_completion(const options_t *options);

/* prepare_data - make the datasets of an experiment that do not exist yet: import data.input, or generate synth.rows. One that
 * exists and is not what the configuration asks for (stale.h) is made again with --reimport, and an error without.
 * ST_INPUT also where there is nothing to make one from. */
WARN_UNUSED status_t prepare_data(const experiment_t *experiment, const options_t *options);

/* check_pd_possible - differences between replicas cannot be had from one: ST_INPUT where an experiment asks for that. Who
 * wants none, only accuracy and cost of single runs, says so: experiment.vary []. */
WARN_UNUSED status_t check_pd_possible(const experiment_t *experiment, const char *config_path);

#endif
