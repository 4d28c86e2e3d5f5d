/* detector.h - who of a job's ranks is there: when each was last heard of, who said goodbye, who died, who is silent.
 *
 * Rank 0 tells it of every message; it names the ranks that are missing. It belongs to the coordinator's thread. */
#ifndef SMELTER_FAILURE_DETECTOR_H
#define SMELTER_FAILURE_DETECTOR_H

#include <stdbool.h>

#include "common/net/net.h"
#include "launcher/metrics/run_events.h"
#include "launcher/ranks/roster.h"

#define ATTENDANCE_NAME_BYTES 160

typedef struct failure_detector {
    net_t *net; /* borrowed, as the next two */
    const roster_t *roster;
    run_events_t *events; /* told before an error is said */
    bool starter_reports; /* who started the ranks says itself which of them died, and how */
    int64_t deadline_ns;
    int64_t *seen_ns;  /* [ranks] when a rank was last heard of */
    int64_t looked_ns; /* when detector was last checked */
    bool *heard;       /* [ranks] it has spoken, so it can be spoken to */
    bool *said_bye;    /* [ranks] */
    int n_heard;
    bool stuck;          /* one of them said that it cannot leave MPI with the others */
    bool *was_told;      /* [ranks] to end by SIGTERM, and said so */
    int told;            /* the first of them, or 0 */
    int64_t stopping_ns; /* since when the job is stopping; 0 before */
    int left;            /* the first rank that left before it was told to, or 0 */
    status_t left_status;
    int64_t left_ns;
} failure_detector_t;

void failure_detector_init(failure_detector_t *a, net_t *net, const roster_t *roster, run_events_t *events,
                           bool starter_reports, double deadline_s);
void failure_detector_fini(failure_detector_t *a);

/* failure_detector_name - "worker 1 (rank 3 on node2, pid 4711)"; returns text. */
const char *failure_detector_name(const failure_detector_t *a, int rank, char text[ATTENDANCE_NAME_BYTES]);

/* failure_detector_put - a rank spoke.  failure_detector_told - it was told to end by SIGTERM. failure_detector_bye - it left
 * before it was told to; stuck: not to leave MPI with the others. */
void failure_detector_put(failure_detector_t *a, int rank);
void failure_detector_told(failure_detector_t *a, int rank);
void failure_detector_bye(failure_detector_t *a, int rank, status_t status, bool stuck);

/* failure_detector_check - ST_TIMEOUT where a rank was silent for longer than the deadline, ST_PEER where one left and gave no
 * error; logged, with the names of all. Call it often: while it is not called this rank does not listen, and that is no rank's
 * silence. */
WARN_UNUSED status_t failure_detector_check(failure_detector_t *a);

/* failure_detector_is_stopping - a signal asked the coordinator, or SIGTERM another rank, to save and stop; stays true.
 * failure_detector_check_gone - while the job is stopping: ST_PEER, and a line that names them, where ranks on the
 * coordinator's host have ended, or others have not answered the launcher's SIGTERM for 0.6 s: then it came because of them,
 * and nothing can be saved. */
bool failure_detector_is_stopping(const failure_detector_t *a);

/* failure_detector_can_be_asked - while the job is stopping, after failure_detector_check_gone: every rank has answered the
 * launcher's SIGTERM, or had its time, so that no send waits for a rank that may have died first. */
bool failure_detector_can_be_asked(const failure_detector_t *a);
WARN_UNUSED status_t failure_detector_check_gone(failure_detector_t *a);

/* failure_detector_interrupted - a signal asked for the end, and nothing is saved before: find out for up to 0.6 s who died
 * before it came, and name them; always ST_STOPPED. */
status_t failure_detector_interrupted(failure_detector_t *a);

/* failure_detector_stop - tell all ranks that can hear it to stop, as `header` (STOP) says, and wait for goodbyes: to the
 * deadline after success, 2 s after a failure. */
void failure_detector_stop(failure_detector_t *a, const wire_header_t *header, bool failed);

/* failure_detector_all_left - all ranks have said goodbye, and can leave MPI together. */
bool failure_detector_all_left(const failure_detector_t *a);

#endif
