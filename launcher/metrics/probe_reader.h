/* probe_reader.h - what a run predicted for the probe set while it trained, from its folder (sink_probe_file.c):
 *
 *     RUN/probes.f32      the predictions of one probe after the other, those of the first examples of the evaluation split
 *     RUN/probes.jsonl    a line for each: {"step": 200, "examples": 2000, "floats": "HEX", "check": "HEX"}
 *
 * step: the probe was before it, so after as many steps; examples: that were predicted; floats: hash64 of the predictions'
 * bytes; check: step_line.h. */
#ifndef SMELTER_PROBE_READER_H
#define SMELTER_PROBE_READER_H

#include "common/base/status.h"

typedef struct probe_point {
    int64_t step, examples;
    const float *p; /* [examples], in `floats` */
} probe_point_t;

typedef struct probe_reader {
    probe_point_t *point; /* **owned**, [n], ascending steps */
    int64_t n;            /* 0: none, or there are no such files */
    float *floats;        /* **owned** */
    int64_t n_floats;     /* of these points */
    char *lines;          /* **owned**, those of these points, as they are */
} probe_reader_t;

/* probe_reader_read - the probes before steps < end. A line that was cut off is none, and what comes from `end` on is not
 * looked at: a crash may have left anything there.  out **owned**, probe_reader_fini.
 * ST_CORRUPT: a line or its predictions are not as they were written. */
WARN_UNUSED status_t probe_reader_read(const char *run_dir, int64_t end, probe_reader_t *out);
void probe_reader_fini(probe_reader_t *probes);

/* probe_reader_find - the probe before exactly this step; NULL: there is none. */
const probe_point_t *probe_reader_find(const probe_reader_t *probes, int64_t step);

#endif
