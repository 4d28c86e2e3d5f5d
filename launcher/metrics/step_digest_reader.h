/* step_digest_reader.h - the digests of a run's steps, read back, and where two runs part. */
#ifndef SMELTER_STEP_DIGEST_READER_H
#define SMELTER_STEP_DIGEST_READER_H

#include "common/base/status.h"
#include "common/base/step_digest.h"

/* What one line says of a step. */
typedef struct step_record {
    int64_t step;
    int32_t component; /* the first one of `words`, a hash each; -1: words are a step_digest of rows */
    int32_t n;
    uint64_t *words; /* **owned**, [n] */
} step_record_t;

typedef struct step_digest_reader {
    step_record_t *records; /* **owned**, by step, then component; one each */
    int64_t n;
} step_digest_reader_t;

/* step_digest_reader_read - the digest lines of RUN/metrics.jsonl, where older programs put them, and of RUN/steps.jsonl, if
 * it is there; of two lines about the same the later one counts, since a run that was taken up from a checkpoint has made
 * those steps again.  out **owned**, step_digest_reader_fini; without records
 * where there are none. ST_INPUT: there is no metrics.jsonl; ST_CORRUPT: a line is not what a run writes. */
WARN_UNUSED status_t step_digest_reader_read(const char *run_dir, step_digest_reader_t *out);
void step_digest_reader_fini(step_digest_reader_t *trace);

/* step_digest_reader_end - the last step of which it has digests of both kinds, of rows and of dense parameters; -1: of
 * none. */
int64_t step_digest_reader_end(const step_digest_reader_t *trace);

typedef struct divergence {
    int64_t first_compared; /* the first step that both have */
    int64_t compared;       /* steps from there on that both have and that are equal, before the first that is not */
    int64_t step;           /* the first that differs; -1: none does */
    int64_t alone;    /* the first step after them of which one run has a digest that the other has not; -1: there is none */
    bool alone_in_b;  /* it is b that has it */
    bool rows, dense; /* what differs there */
    step_difference_t in_rows; /* where `rows` */
    int32_t component;         /* where `dense`: the first component that differs */
} divergence_t;

/* step_digest_reader_compare - up to the first step that is not in both, or not in both alike.  ST_INPUT where the traces have
 * no step in common, or their tables are not the same in number. */
WARN_UNUSED status_t step_digest_reader_compare(const step_digest_reader_t *a, const step_digest_reader_t *b,
                                                divergence_t *out);

#endif
