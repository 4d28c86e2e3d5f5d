/* provenance.h - by which program, on which machine and when: what manifests and results.json say of where they come from. None
 * of it enters a hash or a
 * digest. */
#ifndef SMELTER_PROVENANCE_H
#define SMELTER_PROVENANCE_H

#include <stddef.h>

#include "common/base/status.h"
#include "common/files/jsondoc.h"

#define SMELTER_VERSION "0.1.0"
#define PROVENANCE_COMMIT_BYTES 64 /* of the field in the program that holds the commit, zeros at its end */

/* X(name): texts, in the order of the file. begun, ended: clock_utc, of the last start. hosts: of all ranks, each once, in
 * the order of ranks. cpu: the coordinator's model. commit: of the source that the program was built from, "-dirty" where it
 * was changed after that, "unknown" where it was built outside of a repository. march: of instructions_march; empty in older
 * manifests. */
#define PROVENANCE_TEXTS(X) X(begun) X(ended) X(hosts) X(cpu) X(version) X(commit) X(march)

typedef struct provenance {
#define PROVENANCE_TEXT(name) char *name; /* **owned**; NULL: not recorded */
    PROVENANCE_TEXTS(PROVENANCE_TEXT)
#undef PROVENANCE_TEXT
} provenance_t;

/* provenance_set_commit - called once, by main, before all others: the commit, a field of PROVENANCE_COMMIT_BYTES, borrowed for
 * ever. It is handed in because the library that tests link must not change with every commit. */
void provenance_set_commit(const char *commit);

/* provenance_commit - or "unknown".  provenance_blank_commit - clear it where it occurs in the bytes of this program, so that
 * two programs that differ in nothing else are the same. */
const char *provenance_commit(void);
void provenance_blank_commit(char *program, size_t bytes);

/* provenance_cpu, provenance_host - of this machine; borrowed for ever. */
const char *provenance_cpu(void);
const char *provenance_host(void);

/* provenance_put / provenance_get - as the member "provenance"; get leaves out empty where there is none, as in older
 * manifests. ST_CORRUPT: it lacks a text.  out **owned**, provenance_fini. */
void provenance_put(jsondoc_t *manifest, const provenance_t *provenance);
WARN_UNUSED status_t provenance_get(const jsondoc_t *manifest, const char *where, provenance_t *out);
void provenance_fini(provenance_t *provenance);

/* provenance_put_here - the member "provenance" of what this process writes now: written (a date), host, cpu, kernels, version,
 * commit. kernels: of the matrix products, or NULL where it made none and they are left out. */
void provenance_put_here(jsondoc_t *results, const char *kernels);

#endif
