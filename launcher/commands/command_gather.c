/* smelter gather RUN: the parts of a run that its servers wrote on disks of their own, into the run's folder here.
 *
 * A part is the store of a shard, or its folder of an incarnation's checkpoints. It is copied to RUN/.gather, under the name
 * that it has in the run, checked there as every reader checks it, and renamed to its place: so what is in its place is whole,
 * and a gathering that was cut off is begun again. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/file.h"
#include "common/files/folder_copy.h"
#include "common/files/run_paths.h"
#include "launcher/checkpoint/checkpoint_catalog.h"
#include "launcher/checkpoint/checkpoint_verify.h"
#include "launcher/commands/commands.h"
#include "launcher/run/run_reader.h"
#include "launcher/run/runs.h"

#define DIR_GATHER ".gather"

typedef struct gathering {
    const options_t *options;
    const char *dir;           /* what was named; absolute */
    int64_t here, gathered, n; /* n: parts in all */
    status_t status;           /* the first error; the others were said */
} gathering_t;

/* A part of a run: of a finished one, or of the checkpoints of one incarnation. */
typedef struct run_part {
    const char *run_dir, *path; /* path: below the run's folder */
    int shard;
    const places_t *places;
    const manifest_t *manifest;             /* of the finished run, or NULL */
    const checkpoint_resume_t *checkpoints; /* [n] of the incarnation */
    int64_t n;
} run_part_t;

/* ---- is it whole? ------------------------------------------------------------------------------------------------------- */

static status_t pass_over(void *context, uint32_t table, int64_t payload_floats, const table_row_t *row)
{
    (void)context;
    (void)table;
    (void)payload_floats;
    (void)row;
    return ST_OK;
}

static status_t check_store(const run_part_t *part, const char *path)
{
    store_t *store = NULL;
    status_t status;
    TRY_DONE(store_open(path, false, &store));
    TRY_DONE(manifest_check_store(part->manifest, part->shard, store));
    TRY_DONE(store_scan(store, pass_over, NULL));
    TRY_DONE(store_verify(store));
done:
    store_close(&store);
    return status;
}

/* The part below a folder that stands for the run's: whose it is, and every checksum. */
static status_t check_part(const run_part_t *part, const char *root)
{
    status_t status = ST_OK;
    if (part->manifest) {
        char *path = run_path(root, part->path);
        status = check_store(part, path);
        mem_free(path);
    }
    for (int64_t i = 0; i < part->n && status == ST_OK; i++) {
        checkpoint_resume_t there = part->checkpoints[i];
        checkpoint_verified_t sum = {0};
        there.run_dir = (char *)(uintptr_t)root;
        status = checkpoint_verify_shard(disk_posix(), &there, part->shard, &sum);
    }
    return status;
}

static bool has_part(const run_part_t *part, const char *root)
{
    char *path = run_path(root, part->path);
    const bool has = file_exists(path);
    mem_free(path);
    return has;
}

/* ---- a command of the user's -------------------------------------------------------------------------------------------- */

/* A word for the shell, whatever is in it. */
static void put_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else
            fputc(*text, out);
    fputc('\'', out);
}

static bool is_host(const char *name)
{
    if (*name == '-' || !*name)
        return false;
    while (isalnum((unsigned char)*name) || (*name && strchr("._-", *name)))
        name++;
    return !*name;
}

/* The command with host, path and target in their places; **owned**. */
static char *command_of(const char *template, const char *host, const char *path, const char *to)
{
    const struct {
        const char *name, *value;
    } words[] = {{"{host}", host}, {"{path}", path}, {"{to}", to}};
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    ASSERT(out);
    for (const char *at = template; *at;) {
        size_t w = 0, n = sizeof words / sizeof *words;
        while (w < n && strncmp(at, words[w].name, strlen(words[w].name)) != 0)
            w++;
        if (w < n)
            put_quoted(out, words[w].value);
        else
            fputc(*at, out);
        at += w < n ? strlen(words[w].name) : 1;
    }
    const int failed = fclose(out);
    ASSERT(failed == 0);
    char *command = mem_strdup(text);
    free(text);
    return command;
}

static status_t fetch(const gathering_t *g, const run_part_t *part, const char *to)
{
    const char *host = part->places->host[part->shard];
    if (!is_host(host))
        return FAIL(ST_INPUT, "%s: its manifest names the host \"%s\", which is no name of one; use --from", part->run_dir,
                    host);
    char *path = run_path(part->places->folder, part->path), *command = command_of(g->options->fetch, host, path, to);
    status_t status;
    TRY_DONE(dir_create(to));
    printf("fetching  %s/%s from %s: %s\n", part->run_dir, part->path, host, command);
    fflush(stdout);
    const int result = system(command);
    if (result != 0)
        TRY_DONE(FAIL(ST_SYSTEM, "%s/%s: the command of --fetch ended with %d: %s", part->run_dir, part->path,
                      WIFEXITED(result) ? WEXITSTATUS(result) : result, command));
done:
    mem_free(command);
    mem_free(path);
    return status;
}

/* ---- a part ------------------------------------------------------------------------------------------------------------- */

/* The folder of the run below the --from that has the part; **owned**, NULL: none has it. */
static char *source_of(const gathering_t *g, const run_part_t *part)
{
    for (int i = 0; i < g->options->n_from; i++) {
        char *root = mem_printf("%s%s", g->options->from[i], part->run_dir + strlen(g->dir));
        if (has_part(part, root))
            return root;
        mem_free(root);
    }
    return NULL;
}

static status_t no_source(const run_part_t *part)
{
    char *place = part->manifest
                      ? places_store(part->places, part->shard)
                      : places_checkpoint(part->places, (uint32_t)part->checkpoints[0].from.incarnation, part->shard);
    const status_t status =
        place ? FAIL(ST_INPUT, "%s/%s: is not here, and in no folder of --from: it was written on %s", part->run_dir,
                     part->path, place)
              : FAIL(ST_INPUT, "%s/%s: is not here, and in no folder of --from; the run does not record where it was written",
                     part->run_dir, part->path);
    mem_free(place);
    return status;
}

/* From the folder where it waits to its place, durably. */
static status_t put_in_place(const run_part_t *part, const char *staged)
{
    char *to = run_path(part->run_dir, part->path), *above = mem_strdup(to);
    status_t status;
    *strrchr(above, '/') = 0;
    TRY_DONE(disk_make_dir(disk_posix(), above));
    TRY_DONE(disk_rename(disk_posix(), staged, to));
    TRY_DONE(disk_sync_dir(disk_posix(), above));
done:
    mem_free(above);
    mem_free(to);
    return status;
}

static status_t gather_missing(const gathering_t *g, const run_part_t *part)
{
    char *stage = run_path(part->run_dir, DIR_GATHER), *staged = run_path(stage, part->path), *above = mem_strdup(staged),
         *root = source_of(g, part), *from = root ? run_path(root, part->path) : NULL;
    status_t status;
    *strrchr(above, '/') = 0;
    if (!root && (!g->options->fetch || !part->places->shards))
        TRY_DONE(no_source(part));
    TRY_DONE(dir_remove_tree(staged));
    TRY_DONE(dir_create(above));
    if (root)
        TRY_DONE(check_part(part, root));
    TRY_DONE(root ? folder_copy_all(from, staged) : fetch(g, part, staged));
    TRY_DONE(check_part(part, stage));
    TRY_DONE(put_in_place(part, staged));
    printf("gathered  %s/%s from %s\n", part->run_dir, part->path, root ? root : part->places->host[part->shard]);
done:
    mem_free(from);
    mem_free(root);
    mem_free(above);
    mem_free(staged);
    mem_free(stage);
    return status;
}

static void gather_part(gathering_t *g, const run_part_t *part)
{
    status_t status;
    g->n++;
    if (has_part(part, part->run_dir)) {
        status = check_part(part, part->run_dir);
        g->here += status == ST_OK;
        printf("%-8s  %s/%s\n", status == ST_OK ? "here" : "damaged", part->run_dir, part->path);
    } else {
        status = gather_missing(g, part);
        g->gathered += status == ST_OK;
    }
    fflush(stdout);
    if (g->status == ST_OK)
        g->status = status;
}

/* ---- runs --------------------------------------------------------------------------------------------------------------- */

static void gather_stores(gathering_t *g, const char *run_dir, const manifest_t *manifest)
{
    for (int64_t s = 0; s < manifest_shards(manifest); s++) {
        char *path = run_store_path("", (int)s);
        const run_part_t part = {.run_dir = run_dir,
                                 .path = path + 1, /* without the slash of a folder of no name */
                                 .shard = (int)s,
                                 .places = &manifest->places,
                                 .manifest = manifest};
        gather_part(g, &part);
        mem_free(path);
    }
}

/* The checkpoints of one incarnation share the folders of its shards. */
static void gather_incarnation(gathering_t *g, const char *run_dir, const checkpoint_resume_t *checkpoints, int64_t n)
{
    const checkpoint_manifest_t *newest = &checkpoints[n - 1].from;
    for (int64_t s = 0; s < checkpoint_manifest_shards(newest); s++) {
        char *path = checkpoint_shard_path("", (uint32_t)newest->incarnation, (int)s);
        const run_part_t part = {.run_dir = run_dir,
                                 .path = path + 1,
                                 .shard = (int)s,
                                 .places = &newest->places,
                                 .checkpoints = checkpoints,
                                 .n = n};
        gather_part(g, &part);
        mem_free(path);
    }
}

static status_t open_checkpoints(const char *run_dir, const checkpoint_catalog_t *catalog, checkpoint_resume_t *out)
{
    for (int64_t i = 0; i < catalog->n; i++) {
        char *folder = checkpoint_step_path(run_dir, catalog->at[i].incarnation, catalog->at[i].step);
        const status_t status = checkpoint_resume_open(disk_posix(), folder, &out[i]);
        mem_free(folder);
        TRY(status);
    }
    return ST_OK;
}

static status_t gather_checkpoints(gathering_t *g, const char *run_dir)
{
    checkpoint_catalog_t catalog;
    TRY(checkpoint_catalog_read(disk_posix(), run_dir, &catalog));
    checkpoint_resume_t *all = MEM_ARRAY(checkpoint_resume_t, catalog.n + 1);
    const status_t status = open_checkpoints(run_dir, &catalog, all);
    for (int64_t i = 0, n; status == ST_OK && i < catalog.n; i += n) {
        for (n = 1; i + n < catalog.n && catalog.at[i + n].incarnation == catalog.at[i].incarnation;)
            n++;
        gather_incarnation(g, run_dir, &all[i], n);
    }
    for (int64_t i = 0; i < catalog.n; i++)
        checkpoint_resume_fini(&all[i]);
    mem_free(all);
    checkpoint_catalog_fini(&catalog);
    return status;
}

static status_t gather_run(void *context, const char *run_dir)
{
    gathering_t *g = context;
    run_reader_t run = {0};
    status_t status;
    TRY_DONE(run_reader_open(run_dir, 0, &run));
    if (run.is_finished)
        gather_stores(g, run_dir, &run.manifest);
    TRY_DONE(gather_checkpoints(g, run_dir));
done:
    run_reader_fini(&run);
    char *stage = run_path(run_dir, DIR_GATHER);
    const int left = dir_discard_tree(stage);
    mem_free(stage);
    if (status == ST_OK && left)
        status = FAIL(ST_SYSTEM, "%s/" DIR_GATHER ": cannot be removed: %s", run_dir, strerror(left));
    if (g->status == ST_OK)
        g->status = status;
    return ST_OK;
}

status_t command_gather(const options_t *options)
{
    if (!file_exists(options->argument))
        return FAIL(ST_INPUT, "%s does not exist", options->argument);
    if (options->fetch && !strstr(options->fetch, "{to}"))
        return FAIL(ST_INPUT,
                    "--fetch \"%s\" does not say where to copy to: {to} stands for it, {host} and {path} for what to copy",
                    options->fetch);
    for (int i = 0; i < options->n_from; i++)
        if (!file_exists(options->from[i]))
            return FAIL(ST_INPUT, "--from %s does not exist on this host", options->from[i]);
    char *dir = path_absolute(options->argument);
    gathering_t g = {.options = options, .dir = dir};
    status_t status = runs_visit(dir, FILE_CONFIG, gather_run, &g);
    if (status == ST_OK)
        status = g.status;
    if (g.n)
        printf("%" PRId64 " parts: %" PRId64 " here before, %" PRId64 " gathered, %" PRId64 " not\n", g.n, g.here, g.gathered,
               g.n - g.here - g.gathered);
    else if (status == ST_OK)
        status = FAIL(ST_INPUT, "%s holds no finished run and no checkpoint; gather where the coordinator of the run was",
                      options->argument);
    mem_free(dir);
    return status;
}
