/* smelter checkpoint list|verify|show DIR: what there is to go on from, and whether it is whole. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/identity.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/net/slots.h"
#include "launcher/checkpoint/checkpoint_catalog.h"
#include "launcher/checkpoint/checkpoint_verify.h"
#include "launcher/commands/commands.h"
#include "launcher/run/runs.h"

/* What is done with each checkpoint that DIR holds. */
typedef struct checkpoint_walk {
    status_t (*visit)(struct checkpoint_walk *walk, const checkpoint_resume_t *checkpoint);
    jsondoc_t *json; /* an array that collects, or NULL */
    const char *run; /* whose checkpoints were listed last */
    int64_t found;
    status_t status; /* the first error; the others were said */
} checkpoint_walk_t;

static void keep_first(checkpoint_walk_t *walk, status_t status)
{
    if (walk->status == ST_OK)
        walk->status = status;
}

static void visit_folder(checkpoint_walk_t *walk, const char *folder)
{
    checkpoint_resume_t checkpoint;
    status_t status = checkpoint_resume_open(disk_posix(), folder, &checkpoint);
    walk->found++;
    if (status == ST_OK) {
        status = walk->visit(walk, &checkpoint);
        checkpoint_resume_fini(&checkpoint);
    }
    keep_first(walk, status);
}

static status_t visit_run(void *context, const char *run_dir)
{
    checkpoint_walk_t *walk = context;
    checkpoint_catalog_t catalog;
    TRY(checkpoint_catalog_read(disk_posix(), run_dir, &catalog));
    walk->run = NULL;
    for (int64_t i = 0; i < catalog.n; i++) {
        char *folder = checkpoint_step_path(run_dir, catalog.at[i].incarnation, catalog.at[i].step);
        visit_folder(walk, folder);
        mem_free(folder);
    }
    checkpoint_catalog_fini(&catalog);
    return ST_OK;
}

/* ---- list ------------------------------------------------------------------------------------------------------------ */

static status_t list_one(checkpoint_walk_t *walk, const checkpoint_resume_t *c)
{
    const checkpoint_manifest_t *m = &c->from;
    char step[TEXT_BYTES], rows[TEXT_BYTES], id[IDENTITY_BYTES];
    if (walk->json) {
        jsondoc_t *one = checkpoint_manifest_json(m);
        jsondoc_put_text(one, "folder", c->folder);
        jsondoc_append(walk->json, &one);
        return ST_OK;
    }
    if (!walk->run)
        printf("%s\n  %15s  %11s  %-20s  %10s  %15s  %-16s  %s\n", c->run_dir, "step", "incarnation", "time", "MB",
               "changed rows", "run id", "cluster");
    walk->run = "";
    printf("  %15s  %11" PRId64 "  %-20s  %10.3f  %15s  %-16s  %" PRId64 " workers, %" PRId64 " shards\n",
           text_count(m->step, step), m->incarnation, m->time, (double)checkpoint_manifest_bytes(m) * 1e-6,
           text_count(checkpoint_manifest_rows(m), rows), identity_text(m->run_id, id), m->workers,
           checkpoint_manifest_shards(m));
    return ST_OK;
}

/* ---- show ------------------------------------------------------------------------------------------------------------ */

static void show_shards(const checkpoint_manifest_t *m)
{
    const int n = (int)checkpoint_manifest_shards(m);
    char rows[TEXT_BYTES], pending[TEXT_BYTES], bytes[TEXT_BYTES];
    printf("  %5s  %11s  %15s  %12s  %15s  %s\n", "shard", "slots", "changed rows", "pending", "bytes", "checksum");
    for (int s = 0; s < n; s++)
        printf("  %5d  %4d - %4d  %15s  %12s  %15s  %016" PRIx64 "%016" PRIx64 "\n", s, slots_first(s, n),
               slots_first(s + 1, n) - 1, text_count(m->shards[s].rows, rows), text_count(m->shards[s].pending, pending),
               text_count(m->shards[s].bytes, bytes), m->shards[s].checksum_high, m->shards[s].checksum_low);
}

static status_t show_one(checkpoint_walk_t *walk, const checkpoint_resume_t *c)
{
    const checkpoint_manifest_t *m = &c->from;
    char step[TEXT_BYTES], steps[TEXT_BYTES], bytes[TEXT_BYTES], examples[TEXT_BYTES], wall[TEXT_BYTES], cpu[TEXT_BYTES],
        id[IDENTITY_BYTES];
    if (walk->json)
        return list_one(walk, c);
    printf("checkpoint   %s\n", c->folder);
    printf("run          %s, variant %s, replica %" PRId64 ", id %s\n", m->experiment, m->variant, m->replica,
           identity_text(m->run_id, id));
    printf("step         %s of %s comes next; incarnation %" PRId64 ", resumed %" PRId64 " times\n", text_count(m->step, step),
           text_count(m->steps, steps), m->incarnation, m->resumed);
    printf("saved        %s by build %s, kernels %s\n", m->time, m->build, m->kernels);
    printf("determinism  %s, %" PRId64 " workers, %" PRId64 " servers with %" PRId64 " shards each\n", m->determinism,
           m->workers, m->servers, m->shards_per_server);
    printf("so far       %s examples in %s, %s of CPU\n", text_count(m->totals.examples, examples),
           text_duration(m->totals.wall_seconds, wall), text_duration(m->totals.cpu_seconds, cpu));
    printf("hashes       configuration %016" PRIx64 ", dataset %016" PRIx64 "\n", m->config_hash, m->dataset_hash);
    for (int64_t k = 0; k < m->components; k++)
        printf(FILE_DENSE "%-6" PRId64 " %s bytes, checksum %016" PRIx64 "\n", k, text_count(m->dense[k].bytes, bytes),
               m->dense[k].checksum);
    printf("progress     %s bytes, checksum %016" PRIx64 "\n", text_count(m->progress.bytes, bytes), m->progress.checksum);
    printf("deltas       %" PRId64 " of this incarnation, from step %" PRId64 " on\n", m->n_deltas, m->deltas[0]);
    show_shards(m);
    return ST_OK;
}

/* ---- verify ---------------------------------------------------------------------------------------------------------- */

static status_t verify_one(checkpoint_walk_t *walk, const checkpoint_resume_t *c)
{
    (void)walk;
    checkpoint_verified_t sum;
    char rows[TEXT_BYTES], id[IDENTITY_BYTES];
    status_t status = checkpoint_verify(disk_posix(), c, &sum);
    printf("%-7s %s  %" PRId64 " files, %.1f MB, %s rows, run id %s\n", status == ST_OK ? "whole" : "damaged", c->folder,
           sum.files, (double)sum.bytes * 1e-6, text_count(sum.rows, rows), identity_text(c->from.run_id, id));
    return status == ST_INPUT ? ST_CORRUPT : status; /* what is missing is damage, too */
}

/* ---- the command ------------------------------------------------------------------------------------------------------- */

/* The folder of a single checkpoint, by its name; what is in it is looked at later. */
static bool is_checkpoint(const char *dir)
{
    const char *name = strrchr(dir, '/');
    int64_t step;
    return checkpoint_step_of(name ? name + 1 : dir, &step);
}

static status_t walk_all(checkpoint_walk_t *walk, const char *argument)
{
    if (!file_exists(argument))
        return FAIL(ST_INPUT, "%s does not exist", argument);
    char *dir = path_absolute(argument);
    if (is_checkpoint(dir))
        visit_folder(walk, dir);
    else
        keep_first(walk, runs_visit(dir, DIR_CHECKPOINTS, visit_run, walk));
    if (walk->status == ST_OK && walk->found == 0)
        walk->status = FAIL(ST_INPUT, "%s holds no checkpoint", argument);
    mem_free(dir);
    return walk->status;
}

status_t command_checkpoint(const options_t *options)
{
    static const struct {
        const char *word;
        status_t (*visit)(checkpoint_walk_t *walk, const checkpoint_resume_t *checkpoint);
    } actions[] = {{"list", list_one}, {"show", show_one}, {"verify", verify_one}};
    checkpoint_walk_t walk = {0};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(options->argument, actions[i].word) == 0)
            walk.visit = actions[i].visit;
    if (!walk.visit)
        return FAIL(ST_INPUT, "smelter checkpoint takes list, show or verify, not \"%s\"", options->argument);
    if (options->json)
        walk.json = jsondoc_array();
    status_t status = walk_all(&walk, options->second);
    if (walk.json) {
        char *text = jsondoc_text(walk.json, true);
        fputs(text, stdout);
        mem_free(text);
    }
    jsondoc_destroy(&walk.json);
    return status;
}
