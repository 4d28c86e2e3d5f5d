#include "launcher/report/results_file.h"

#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "common/files/seal.h"
#include "launcher/report/html_report.h"
#include "launcher/run/run_files.h"

status_t results_read(const char *path, jsondoc_t **out)
{
    jsondoc_t *doc;
    bool sealed;
    char hash[HASH_TEXT_BYTES];
    TRY(seal_read(path, RESULTS_ADVICE, &doc, &sealed, hash));
    if (!sealed && jsondoc_has(doc, "provenance")) { /* they came together */
        jsondoc_destroy(&doc);
        return FAIL(ST_CORRUPT, "%s: was changed after it was written: it has no checksum; " RESULTS_ADVICE, path);
    }
    *out = doc;
    return ST_OK;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? mem_printf("%.*s", (int)(slash - path), path) : mem_strdup(".");
}

status_t results_put_files(jsondoc_t *results, const char *path)
{
    static const char *const names[] = {FILE_RESULTS_CSV, FILE_VERDICT};
    run_files_t files = {0};
    char *folder = folder_of(path);
    status_t status = run_files_seal_named(folder, names, 2, &files);
    if (status == ST_OK)
        run_files_put(results, &files);
    run_files_fini(&files);
    mem_free(folder);
    return status;
}

status_t results_check_files(const jsondoc_t *results, const char *path)
{
    if (!jsondoc_has(results, "files"))
        return ST_OK;
    run_files_t files;
    TRY(run_files_get(results, path, &files));
    char *folder = folder_of(path);
    status_t status = run_files_check_results(&files, folder, RESULTS_ADVICE);
    if (status == ST_OK)
        status = html_report_check(folder);
    run_files_fini(&files);
    mem_free(folder);
    return status;
}

status_t results_variant(const jsondoc_t *variant, const char *path, const char **name, const jsondoc_t **replicas)
{
    TRY(jsondoc_get_text(variant, path, "name", name));
    if (strchr(*name, '/') || (*name)[0] == '.')
        return FAIL(ST_CORRUPT, "%s: \"name\" is \"%s\"; it must be the name of a folder beside the file", path, *name);
    return jsondoc_get_array(variant, path, "replicas", replicas);
}

/* A folder that holds another training than results.json speaks of would put other seeds and curves beside its numbers. */
static status_t check_same(const jsondoc_t *replica, const char *path, const manifest_t *run, const char *folder)
{
    const char *digest, *manifest = run->result.manifest;
    TRY(jsondoc_get_text(replica, path, "digest", &digest));
    if (strcmp(digest, run->result.digest) != 0)
        return FAIL(ST_CORRUPT, "%s: holds a run of digest %s, and %s was written from one of digest %s; " RESULTS_ADVICE,
                    folder, run->result.digest, path, digest);
    if (jsondoc_has(replica, "manifest"))
        TRY(jsondoc_get_text(replica, path, "manifest", &manifest));
    if (strcmp(manifest, run->result.manifest) != 0)
        return FAIL(ST_CORRUPT,
                    "%s: has changed since %s was written: its " FILE_MANIFEST " has checksum %s, not %s; " RESULTS_ADVICE,
                    folder, path, run->result.manifest, manifest);
    return ST_OK;
}

status_t results_run(const jsondoc_t *replica, const char *path, const char *folder, run_reader_t *out, bool *found)
{
    run_reader_t run;
    status_t status;
    *found = false;
    if (!file_exists(folder))
        return ST_OK;
    TRY(run_reader_open(folder, 0, &run));
    if (!run.is_finished)
        status = FAIL(ST_CORRUPT,
                      "%s: has changed since %s was written: it holds no finished run (there is no " FILE_MANIFEST
                      "); " RESULTS_ADVICE ", or remove it",
                      folder, path);
    else
        status = check_same(replica, path, &run.manifest, folder);
    if (status == ST_OK)
        status = run_reader_want(&run, RUN_PUBLISHED);
    if (status != ST_OK) {
        run_reader_fini(&run);
        return status;
    }
    *out = run;
    *found = true;
    return ST_OK;
}

static status_t check_replica(const jsondoc_t *replica, const char *path, const char *dir, const char *variant)
{
    int64_t number;
    run_reader_t run;
    bool found;
    TRY(jsondoc_get_integer(replica, path, "replica", 0, INT32_MAX, &number));
    char *folder = replica_path(dir, variant, (int)number);
    status_t status = results_run(replica, path, folder, &run, &found);
    if (status == ST_OK && found)
        run_reader_fini(&run);
    mem_free(folder);
    return status;
}

static status_t check_variant(const jsondoc_t *variant, const char *path, const char *dir)
{
    const char *name;
    const jsondoc_t *replicas;
    TRY(results_variant(variant, path, &name, &replicas));
    char *variant_dir = mem_printf("%s/%s", dir, name);
    const int64_t n = file_exists(variant_dir) ? jsondoc_length(replicas) : 0;
    status_t status = ST_OK;
    for (int64_t r = 0; r < n && status == ST_OK; r++)
        status = check_replica(jsondoc_at(replicas, r), path, dir, name);
    mem_free(variant_dir);
    return status;
}

status_t results_check_runs(const jsondoc_t *results, const char *path)
{
    const jsondoc_t *variants;
    TRY(jsondoc_get_array(results, path, "variants", &variants));
    char *dir = folder_of(path);
    status_t status = ST_OK;
    for (int64_t v = 0; v < jsondoc_length(variants) && status == ST_OK; v++)
        status = check_variant(jsondoc_at(variants, v), path, dir);
    mem_free(dir);
    return status;
}
