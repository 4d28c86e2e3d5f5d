/* train.h - the training loop of a worker, from the first step or from a checkpoint's. */
#ifndef SMELTER_TRAIN_H
#define SMELTER_TRAIN_H

#include "worker/worker_impl.h"

/* train_begin - steps [first, end of the run) come now. ST_MESSAGE where `first` cannot be a checkpoint's, ST_INPUT without
 * examples. */
/* train_check - REFUSEs a first step that the run does not have, or a training whose teacher's predictions are not all here. */
WARN_UNUSED status_t train_check(const worker_run_t *run, int64_t first);
WARN_UNUSED status_t train_begin(worker_run_t *run, int64_t first);

/* train_all - train them, cut where a checkpoint is due, and tell the coordinator: TRAINED after the last step; only CUT where
 * it was told to stop earlier. Every worker of the run calls it. */
WARN_UNUSED status_t train_all(worker_run_t *run);

/* train_save - a SAVE of the coordinator: promise, or take its word (docs/PROTOCOL.md, "Checkpoints"). At any time of the
 * run. */
WARN_UNUSED status_t train_save(worker_run_t *run, const wire_header_t *save);

#endif
