#include "launcher/coordinator/continuation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "launcher/run/manifest.h"
#include "launcher/run/runs.h"

/* The content that the dataset of a finished run had. */
static status_t content_of(const char *run, uint64_t *out)
{
    manifest_t manifest;
    bool found = false;
    TRY(manifest_read(run, &manifest, &found));
    if (!found)
        return FAIL(ST_INPUT,
                    "--continue: %s holds no finished run (there is no " FILE_MANIFEST "); finish it first (--resume), or "
                    "name the folder of one",
                    run);
    *out = manifest.dataset_hash;
    manifest_fini(&manifest);
    return ST_OK;
}

/* One content for all replicas: they see the same rows. */
static status_t content_of_replicas(const char *dir, const char *variant, int64_t replicas, uint64_t *out)
{
    for (int r = 0; r < replicas; r++) {
        uint64_t content = 0;
        char *run = replica_path(dir, variant, r);
        status_t status = content_of(run, &content);
        if (status == ST_OK && r > 0 && content != *out)
            status = FAIL(ST_INPUT,
                          "--continue: %s was trained on another state of the dataset than r0 beside it; train both on "
                          "the same",
                          run);
        mem_free(run);
        TRY(status);
        *out = content;
    }
    return ST_OK;
}

/* folder, content: **taken over**. */
static void set(config_t *config, char *folder, char *content)
{
    mem_free(config->warm_start);
    mem_free(config->data.since);
    config->warm_start = folder;
    config->data.since = content;
}

static char *content_text(uint64_t content)
{
    return mem_printf("%016" PRIx64, content);
}

static status_t set_variant(const char *dir, const char *name, config_t *config)
{
    uint64_t content = 0;
    TRY(content_of_replicas(dir, name, config->experiment.replicas, &content));
    set(config, mem_printf("%s/%s/r{replica}", dir, name), content_text(content));
    return ST_OK;
}

/* What is gone on from stays: it is deployed, perhaps. */
static status_t check_place(const char *dir, const char *out)
{
    char *there = path_absolute(dir), *here = path_absolute(out);
    const bool same = strcmp(there, here) == 0;
    mem_free(there);
    mem_free(here);
    return same
               ? FAIL(ST_INPUT,
                      "--continue %s: results would go there, too, and what is gone on from stays as it is; name another --out",
                      dir)
               : ST_OK;
}

status_t continuation_apply(const char *dir, const char *out, bool in_variants, experiment_t *experiment)
{
    uint64_t content = 0;
    if (!dir)
        return ST_OK;
    TRY(check_place(dir, out));
    if (!in_variants) {
        TRY(content_of(dir, &content));
        set(experiment->base, mem_strdup(dir), content_text(content));
        return ST_OK;
    }
    for (int v = 0; v < experiment->variants; v++)
        TRY(set_variant(dir, experiment->names[v], experiment->configs[v]));
    if (experiment->variants == 0)
        return set_variant(dir, experiment->base->name, experiment->base);
    const config_t *first = experiment->configs[0];
    set(experiment->base, mem_strdup(first->warm_start), mem_strdup(first->data.since));
    return ST_OK;
}
