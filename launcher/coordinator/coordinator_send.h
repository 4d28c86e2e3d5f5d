/* coordinator_send.h - what workers and shards are told before they train or score: which run, whose parameters, where to
 * begin. For the files launcher/coordinator*.c alone. What has an answer returns when it is here. */
#ifndef SMELTER_COORDINATOR_SEND_H
#define SMELTER_COORDINATOR_SEND_H

#include "launcher/coordinator/coordinator_impl.h"
#include "launcher/coordinator/warm_start.h"
#include "launcher/run/input_fields.h"

/* send_workers, send_shards - a message to all of them; frame NULL: none. */
WARN_UNUSED status_t send_workers(coordinator_t *c, const wire_header_t *header, const wire_frame_t *frame);
WARN_UNUSED status_t send_shards(coordinator_t *c, const wire_header_t *header, const wire_frame_t *frames, int n);

/* send_begin - BEGIN to all; shards first, so that no worker pulls from one that has no tables.  first_step:
 * message_begin_t. */
WARN_UNUSED status_t send_begin(coordinator_t *c, run_number_t run, int64_t first_step);

/* Where parameters come from, in the place of initial ones: send_warm_start - those of a finished run that fit; nothing where
 * the plan is empty send_checkpoint - a checkpoint's, with optimizer state, and the pushes that its rows have not seen
 * send_finished_run - a finished run's, all of `tables`, checked by its digest; to score with */
WARN_UNUSED status_t send_warm_start(coordinator_t *c, const warm_start_t *plan);
WARN_UNUSED status_t send_checkpoint(coordinator_t *c, const checkpoint_resume_t *checkpoint);
WARN_UNUSED status_t send_finished_run(coordinator_t *c, const char *run_dir, const manifest_t *run, int32_t tables);

/* send_scaling - the run's mean and scale of every numeric field. */
WARN_UNUSED status_t send_scaling(coordinator_t *c, const input_fields_t *inputs);

/* send_train - begin to train, with this step. */
WARN_UNUSED status_t send_train(coordinator_t *c, int64_t first_step);

#endif
