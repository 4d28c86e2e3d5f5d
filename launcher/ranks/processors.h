/* processors.h - the kinds of processor that a run was computed on: which ranks, on which hosts, in which of its starts.
 *
 * At determinism sync and invariant a run promises bits, and bits depend on the kind (common/kernels/processor.h); at portable
 * they do not, and kinds are only recorded. So a job
 * whose ranks differ, a run that goes on with another kind than it began with, and an experiment that would add to the replicas
 * of another kind are refused there, unless cluster.mixed_processors allows it; the manifest says what took part in any
 * case. */
#ifndef SMELTER_PROCESSORS_H
#define SMELTER_PROCESSORS_H

#include <stdio.h>

#include "common/config/config.h"
#include "common/files/jsondoc.h"
#include "common/kernels/processor.h"
#include "launcher/ranks/roster.h"

#define PROCESSORS_HOSTS_BYTES 200

/* Ranks of one start that compute alike. */
typedef struct processors_kind {
    processor_t processor;
    int64_t incarnation;                /* the start (manifest.h) */
    int32_t ranks;                      /* their number, */
    int32_t first;                      /* this one and others */
    char hosts[PROCESSORS_HOSTS_BYTES]; /* "node1, node2", cut short where they are many */
} processors_kind_t;

typedef struct processors {
    processors_kind_t *kind; /* **owned**, [n]; none: not recorded */
    int64_t n;
} processors_t;

void processors_fini(processors_t *processors);

/* processors_of - the kinds of a job's ranks.  processors_copy - of another list.  Both **owned**, processors_fini.
 * processors_add - those of a later start behind; one that took part with the same hosts and ranks before is not repeated. */
processors_t processors_of(const roster_t *roster, int64_t incarnation);
processors_t processors_copy(const processors_t *from);
void processors_add(processors_t *to, const processors_t *later);

/* processors_check_job - rank 0, at the start of a job: more than one kind is ST_INPUT, logged with both sides, where a
 * configuration of the experiment promises bits and does not allow it; else a warning. */
WARN_UNUSED status_t processors_check_job(const roster_t *roster, const experiment_t *experiment);

/* processors_check_earlier - what is in `folder` was computed on other kinds than `now`: ST_INPUT at sync and invariant where
 * it is not allowed; else a warning. what: "is a checkpoint of a run". Nothing where either is not recorded. */
WARN_UNUSED status_t processors_check_earlier(const char *folder, const char *what, const processors_t *earlier,
                                              const processors_t *now, const config_t *config);

/* processors_warn_scores - the same for a run that is scored by that configuration, whose scores are as good: a line in the
 * log at any level below portable. */
void processors_warn_scores(const char *folder, const processors_t *earlier, const processors_t *now, const config_t *config);

/* processors_are_same - the same kinds, or not recorded on one side. */
bool processors_are_same(const processors_t *a, const processors_t *b);

/* processors_print - a line for each, for `smelter inspect`. */
void processors_print(FILE *out, const processors_t *processors);

/* processors_put, processors_get - the member "processors" of a manifest; it may be missing. get: **owned**,
 * processors_fini. */
void processors_put(jsondoc_t *manifest, const processors_t *processors);
WARN_UNUSED status_t processors_get(const jsondoc_t *manifest, const char *where, processors_t *out);

#endif
