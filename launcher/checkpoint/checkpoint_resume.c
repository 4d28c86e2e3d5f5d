#include "launcher/checkpoint/checkpoint_resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/config/config_compare.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/run_paths.h"
#include "common/products/product.h"
#include "launcher/checkpoint/checkpoint_catalog.h"

void checkpoint_resume_fini(checkpoint_resume_t *resume)
{
    mem_free(resume->run_dir);
    mem_free(resume->folder);
    checkpoint_manifest_fini(&resume->from);
    *resume = (checkpoint_resume_t){0};
}

/* Cut the last `n` parts off a path. */
static void go_up(char *path, int n)
{
    for (; n > 0; n--) {
        char *slash = strrchr(path, '/');
        *(slash ? slash : path) = 0;
    }
}

status_t checkpoint_resume_open(disk_t *disk, const char *folder, checkpoint_resume_t *out)
{
    checkpoint_resume_t resume = {.run_dir = mem_strdup(folder), .folder = mem_strdup(folder)};
    uint32_t incarnation = 0;
    int64_t step = -1;
    status_t status = checkpoint_manifest_read(disk, folder, &resume.from);
    go_up(resume.run_dir, 3);
    const char *name = strrchr(folder, '/');
    char *above = mem_strdup(folder);
    go_up(above, 1);
    const char *incarnation_name = strrchr(above, '/');
    if (status == ST_OK && (!name || !incarnation_name || !checkpoint_step_of(name + 1, &step) ||
                            !checkpoint_incarnation_of(incarnation_name + 1, &incarnation) || step != resume.from.step ||
                            incarnation != resume.from.incarnation))
        status = FAIL(ST_CORRUPT,
                      "%s: its manifest is that of the checkpoint before step %" PRId64 " of incarnation %" PRId64
                      "; the folder was moved",
                      folder, resume.from.step, resume.from.incarnation);
    mem_free(above);
    if (status == ST_OK)
        *out = resume;
    else
        checkpoint_resume_fini(&resume);
    return status;
}

void checkpoint_resume_hint(disk_t *disk, const char *run_dir)
{
    checkpoint_catalog_t catalog;
    if (checkpoint_catalog_read(disk, run_dir, &catalog) != ST_OK)
        return; /* logged */
    if (catalog.n > 1) {
        const checkpoint_id_t newest = catalog.at[catalog.n - 1], older = catalog.at[catalog.n - 2];
        char *folder = checkpoint_step_path(run_dir, newest.incarnation, newest.step);
        char reason[STATUS_REASON_BYTES];
        status_reason(reason);
        log_info("if files of the newest checkpoint are damaged: the checkpoint before it is that of step %" PRId64
                 " of incarnation %u; to go on from there, remove %s/" FILE_MANIFEST "; what is wrong: %s",
                 older.step, older.incarnation, folder, reason);
        mem_free(folder);
    }
    checkpoint_catalog_fini(&catalog);
}

status_t checkpoint_resume_find(disk_t *disk, const char *run_dir, checkpoint_resume_t *out, bool *found)
{
    checkpoint_catalog_t catalog;
    TRY(checkpoint_catalog_read(disk, run_dir, &catalog));
    status_t status = ST_OK;
    if (catalog.n) {
        const checkpoint_id_t newest = catalog.at[catalog.n - 1];
        char *folder = checkpoint_step_path(run_dir, newest.incarnation, newest.step);
        status = checkpoint_resume_open(disk, folder, out);
        mem_free(folder);
        if (status == ST_CORRUPT)
            checkpoint_resume_hint(disk, run_dir);
    }
    if (status == ST_OK)
        *found = catalog.n > 0;
    checkpoint_catalog_fini(&catalog);
    return status;
}

status_t checkpoint_resume_incarnation(disk_t *disk, const char *run_dir, uint32_t *incarnation)
{
    checkpoint_catalog_t catalog;
    TRY(checkpoint_catalog_read(disk, run_dir, &catalog));
    *incarnation = catalog.incarnations ? catalog.incarnations : 1;
    checkpoint_catalog_fini(&catalog);
    return ST_OK;
}

/* ---- check ----------------------------------------------------------------------------------------------------------- */

static status_t check_text(const checkpoint_resume_t *r, const char *what, const char *found, const char *wanted)
{
    if (strcmp(found, wanted) == 0)
        return ST_OK;
    return FAIL(ST_INPUT,
                "%s: is a checkpoint of another experiment: its %s is %s, wanted is %s; choose another --out, or start without "
                "--resume",
                r->folder, what, found, wanted);
}

static status_t check_hash(const checkpoint_resume_t *r, const char *what, uint64_t found, uint64_t wanted)
{
    if (found == wanted)
        return ST_OK;
    return FAIL(ST_INPUT,
                "%s: the %s is not that of the run: it is %016" PRIx64 ", the run began with %016" PRIx64
                "; a run goes on with what it "
                "began with",
                r->folder, what, wanted, found);
}

/* All keys that must not differ in one error, all that may in one line each. How a short last batch is trained is no difference
 * where there is none. */
static status_t check_config(const checkpoint_resume_t *r, const manifest_t *wanted)
{
    config_t now = *wanted->config;
    char *origin = mem_printf("%s/" FILE_MANIFEST ": \"config\"", r->folder), *refused = mem_strdup("");
    config_t *before = NULL;
    config_difference_t *differences = NULL;
    int n = 0;
    status_t status;
    TRY_DONE(config_from_text(r->from.config, strlen(r->from.config), origin, &before));
    if (!wanted->left_over)
        now.train.last_batch = before->train.last_batch;
    config_compare(before, &now, &differences, &n);
    for (int i = 0; i < n; i++) {
        const config_difference_t *d = &differences[i];
        if (d->change != CLASS_IDENTITY)
            continue;
        char *longer = mem_printf("%s%s%s: %s -> %s", refused, *refused ? "; " : "", d->name, d->before, d->now);
        mem_free(refused);
        refused = longer;
    }
    if (*refused) {
        status = FAIL(ST_INPUT,
                      "%s: the configuration changed in what a run cannot change: %s; set it back, or train in another --out",
                      r->folder, refused);
        goto done;
    }
    for (int i = 0; i < n; i++)
        if (differences[i].change == CLASS_TUNABLE)
            log_info("%s: %s -> %s from step %" PRId64 " on", differences[i].name, differences[i].before, differences[i].now,
                     r->from.step);
done:
    config_differences_destroy(&differences, n);
    config_destroy(&before);
    mem_free(origin);
    mem_free(refused);
    return status;
}

status_t checkpoint_resume_inputs(const checkpoint_resume_t *r, input_fields_t *out, bool *found)
{
    *found = r->from.inputs.fields || input_fields_exist(r->run_dir);
    if (!*found)
        return ST_OK;
    if (!r->from.inputs.fields)
        return input_fields_read(r->run_dir, out);
    *out = input_fields_copy(&r->from.inputs);
    return ST_OK;
}

/* Data that were imported in another way since: named by field, before two hashes are. */
static status_t check_inputs(const checkpoint_resume_t *r, const manifest_t *wanted)
{
    input_fields_t inputs = {0};
    char difference[INPUT_FIELDS_DIFFERENCE_BYTES];
    bool found;
    TRY(checkpoint_resume_inputs(r, &inputs, &found));
    const bool differ = found && input_fields_difference(&inputs, &wanted->inputs, difference);
    input_fields_fini(&inputs);
    if (differ)
        return FAIL(
            ST_INPUT,
            "%s: dataset %s was imported in another way than the data that the run began with: %s; import it by the run's "
            "schema, or train in another --out",
            r->folder, wanted->config->data.path, difference);
    if (!found && *wanted->config->warm_start)
        log_warn("%s: neither the checkpoint nor the run has a record of the run's inputs (" FILE_INPUTS
                 "), so it could not be "
                 "checked that the "
                 "scaling of %s is the one that the run, a warm start, began with",
                 r->folder, wanted->config->data.path);
    return ST_OK;
}

status_t checkpoint_resume_check(const checkpoint_resume_t *r, const manifest_t *wanted)
{
    const checkpoint_manifest_t *from = &r->from;
    char found[24], expected[24];
    snprintf(found, sizeof found, "%" PRId64, from->replica);
    snprintf(expected, sizeof expected, "%d", wanted->result.replica);
    TRY(check_text(r, "experiment", from->experiment, wanted->experiment));
    TRY(check_text(r, "variant", from->variant, wanted->variant));
    TRY(check_text(r, "replica", found, expected));
    TRY(check_inputs(r, wanted));
    TRY(check_hash(r, "dataset", from->dataset_hash, wanted->dataset_hash));
    TRY(check_config(r, wanted));
    TRY(check_hash(r, *wanted->config->teacher.run ? "teacher" : "teacher's configuration", from->teacher_hash,
                   wanted->teacher_hash));
    if (strcmp(wanted->determinism, "sync") == 0 && from->workers != wanted->workers)
        return FAIL(ST_INPUT,
                    "%s: was made by %" PRId64 " workers, this job has %" PRId64
                    "; at determinism sync a run goes on with as many as it "
                    "began with (any number at invariant and portable): set cluster.workers=%" PRId64,
                    r->folder, from->workers, wanted->workers, from->workers);
    if (from->step >= wanted->steps)
        return FAIL(ST_INPUT,
                    "%s: comes before step %" PRId64 ", and the run now ends after %" PRId64
                    "; raise train.epochs or train.max_steps",
                    r->folder, from->step, wanted->steps);
    TRY(processors_check_earlier(r->folder, "is a checkpoint of a run that was", &from->processors, &wanted->processors,
                                 wanted->config));
    if (strcmp(from->build, wanted->build) != 0 ||
        (!from->processors.n && !product_texts_agree(from->kernels, wanted->kernels)))
        log_warn("%s: was made by build %s with kernels %s; this is build %s with kernels %s, and bits may differ from here on",
                 r->folder, from->build, from->kernels, wanted->build, wanted->kernels);
    return ST_OK;
}

/* ---- read ------------------------------------------------------------------------------------------------------------ */

status_t checkpoint_resume_dense(disk_t *disk, const checkpoint_resume_t *r, int component, float **out, int64_t *n)
{
    char name[DENSE_NAME_BYTES], *data;
    const checkpoint_file_t *file = &r->from.dense[component];
    ASSERT(component >= 0 && component < r->from.components);
    TRY(checkpoint_file_read(disk, r->folder, dense_name(component, name), file, &data));
    *out = (float *)(void *)data; /* as aligned as all of mem_alloc */
    *n = file->bytes / (int64_t)sizeof **out;
    return ST_OK;
}

status_t checkpoint_resume_progress(disk_t *disk, const checkpoint_resume_t *r, char **out)
{
    return checkpoint_file_read(disk, r->folder, FILE_PROGRESS, &r->from.progress, out);
}
