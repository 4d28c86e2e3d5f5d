#include "launcher/ingest/stale.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/files/file.h"
#include "launcher/ingest/sources.h"
#include "launcher/ingest/synth.h"

/* The first line in which two texts of settings differ, as "there is LINE, and the configuration says LINE"; **owned**, NULL
 * where they are the same. */
static char *line_that_differs(const char *there, const char *here, const char *what)
{
    for (;;) {
        const size_t a = strcspn(there, "\n"), b = strcspn(here, "\n");
        if (a != b || memcmp(there, here, a) != 0) {
            char *text = mem_printf("%s '%.*s', and here it is '%.*s'", what, a ? (int)a : 7, a ? there : "nothing",
                                    b ? (int)b : 7, b ? here : "nothing");
            return text;
        }
        if (!there[a] && !here[b])
            return NULL;
        there += a + (there[a] != 0);
        here += b + (here[b] != 0);
    }
}

static char *real_path(const char *path)
{
    char *whole = realpath(path, NULL), *copy = mem_strdup(whole ? whole : path);
    free(whole);
    return copy;
}

/* Compare the file at `path` with one that was imported. */
static status_t check_file(const origin_file_t *origin, const char *path, char **difference, char **note)
{
    fingerprint_state_t state;
    fingerprint_t now;
    char there[FINGERPRINT_TEXT], here[FINGERPRINT_TEXT];
    char *whole = real_path(path);
    const bool moved = strcmp(whole, origin->path) != 0;
    mem_free(whole);
    if (!origin->is_file) {
        mem_free(*note);
        *note = mem_printf("it was imported from %s, which is no file that could be compared with data.input", origin->path);
        return ST_OK;
    }
    TRY(fingerprint_check(path, &origin->print, moved, &state, &now));
    if (state != FINGERPRINT_SAME)
        mem_free(*note);
    if (state == FINGERPRINT_MISSING)
        *note = mem_printf("data.input %s is not there to be compared with it", path);
    if (state == FINGERPRINT_CHANGED)
        *difference =
            mem_printf("it was imported from %s (%s), and %s has other content (%s)", origin->path,
                       fingerprint_text(&origin->print, there), moved ? path : "that file now", fingerprint_text(&now, here));
    return ST_OK;
}

/* All files that a dataset's rows came from. */
typedef struct made_of {
    origin_file_t *files; /* **owned**; their paths are borrowed */
    int imported, all;    /* of the import, and with those of the days that were appended */
} made_of_t;

static made_of_t made_of(const dataset_t *dataset)
{
    const origin_t *origin = dataset_origin(dataset);
    const day_list_t *days = dataset_days(dataset);
    made_of_t made = {.imported = origin->files_count ? origin->files_count : 1};
    int n = made.imported;
    for (int d = 0; d < days->n; d++)
        n += days->day[d].files_count;
    made.files = MEM_ARRAY(origin_file_t, n);
    made.files[0] = (origin_file_t){.path = origin->input, .is_file = origin->is_file, .print = origin->file};
    for (int i = 0; i < origin->files_count; i++)
        made.files[i] = origin->files[i];
    made.all = made.imported;
    for (int d = 0; d < days->n; d++)
        for (int i = 0; i < days->day[d].files_count; i++)
            made.files[made.all++] = days->day[d].files[i];
    return made;
}

/* Compare what data.input names now with what was imported, file by file; it may name what was appended since, or not. That
 * there is nothing to compare is no difference. */
static status_t check_files(const made_of_t *made, const char *input, char **difference, char **note)
{
    sources_t sources = {0};
    int specs;
    char **spec = sources_lines(input, &specs);
    const log_level_t level = log_level();
    log_set_level(LOG_NONE);
    status_t status = sources_find((const char *const *)spec, specs, &sources);
    log_set_level(level);
    const int n = sources.count == made->all ? made->all : made->imported;
    if (status != ST_OK)
        *note = mem_printf("what data.input names (%s) is not there to be compared with it", spec[0]);
    else if (sources.count != n)
        *difference =
            mem_printf("it was imported from %d file%s, and data.input names %d", n, n == 1 ? "" : "s", sources.count);
    status = ST_OK;
    for (int i = 0; !*note && i < n && i < sources.count && status == ST_OK && !*difference; i++)
        status = check_file(&made->files[i], sources.paths[i], difference, note);
    sources_fini(&sources);
    mem_free(spec[0]);
    mem_free(spec);
    return status;
}

char *stale_settings(const origin_t *origin, const schema_t *schema)
{
    char *here = schema_text(schema);
    char *what =
        mem_printf("it was imported by the schema %s, in which there was", *origin->schema ? origin->schema : "it was given");
    char *difference = line_that_differs(origin->settings, here, what);
    mem_free(what);
    mem_free(here);
    return difference;
}

static status_t check_schema(const origin_t *origin, const char *name, char **difference, char **note)
{
    if (*name == '/' && !file_exists(name)) {
        mem_free(*note);
        *note = mem_printf("data.schema %s is not there to be compared with it", name);
        return ST_OK;
    }
    schema_t *schema;
    TRY(schema_load(name, &schema));
    *difference = stale_settings(origin, schema);
    schema_destroy(&schema);
    return ST_OK;
}

static status_t check_import(const dataset_t *dataset, const config_t *config, char **difference, char **note)
{
    const origin_t *origin = dataset_origin(dataset);
    const char *input = config->data.input;
    if (config->synth.rows)
        *difference =
            mem_printf("it was imported from %s, and the configuration asks for generated data (synth.rows %" PRId64 ")",
                       origin->input, config->synth.rows);
    if (!*difference && *input && strstr(input, "${"))
        *note = mem_printf("data.input %s, a variable of which is not set, is not compared with it", input);
    else if (!*difference && *input) {
        made_of_t made = made_of(dataset);
        const status_t status = check_files(&made, input, difference, note);
        mem_free(made.files);
        TRY(status);
    }
    if (!*difference && *config->data.schema)
        TRY(check_schema(origin, config->data.schema, difference, note));
    return ST_OK;
}

static void check_synth(const origin_t *origin, const config_t *config, char **difference)
{
    char *here = synth_settings(&config->synth);
    if (config->synth.rows)
        *difference = line_that_differs(origin->settings, here, "it was generated with");
    else if (*config->data.input)
        *difference = mem_printf("it was generated, and data.input is %s", config->data.input);
    mem_free(here);
}

/* Generated datasets of older versions have their settings in a file beside the blocks. */
static status_t check_unknown(const config_t *config, char **difference, char **note)
{
    char *marker = mem_printf("%s/synth.settings", config->data.path), *found = NULL, *here = synth_settings(&config->synth);
    const bool has_marker = config->synth.rows && file_exists(marker);
    status_t status = has_marker ? file_read(marker, &found, NULL) : ST_OK;
    if (found)
        *difference = line_that_differs(found, here, "it was generated with");
    else if (status == ST_OK && (*config->data.input || config->synth.rows))
        *note =
            mem_strdup("an older version made it, which did not record of what: whether that has changed since is not known");
    mem_free(here);
    mem_free(found);
    mem_free(marker);
    return status;
}

status_t stale_check(const config_t *config, char **difference, char **note)
{
    dataset_t *dataset;
    *difference = *note = NULL;
    TRY(dataset_open(config->data.path, 0, &dataset));
    const origin_t *origin = dataset_origin(dataset);
    status_t status = ST_OK;
    if (origin->kind == ORIGIN_IMPORT)
        status = check_import(dataset, config, difference, note);
    else if (origin->kind == ORIGIN_SYNTH)
        check_synth(origin, config, difference);
    else
        status = check_unknown(config, difference, note);
    dataset_close(&dataset);
    return status;
}

/* The schema that the dataset was imported by, which is not asked for now: of one that is no file any more nothing is known,
 * and that it cannot be read is a change like any other. **Owned**, or NULL. */
static char *own_schema_difference(const origin_t *origin)
{
    struct stat facts;
    char *difference = NULL, *note = NULL;
    if (*origin->schema != '/' || stat(origin->schema, &facts) != 0 || !S_ISREG(facts.st_mode))
        return NULL;
    const log_level_t level = log_level();
    log_set_level(LOG_NONE);
    if (check_schema(origin, origin->schema, &difference, &note) != ST_OK)
        difference = mem_printf("it was imported by the schema %s, which is no longer there", origin->schema);
    log_set_level(level);
    mem_free(note);
    return difference;
}

status_t stale_input(const char *path, char **difference)
{
    dataset_t *dataset;
    char *note = NULL;
    *difference = NULL;
    TRY(dataset_open(path, 0, &dataset));
    const origin_t *origin = dataset_origin(dataset);
    status_t status = ST_OK;
    made_of_t made = made_of(dataset);
    for (int i = 0; origin->kind == ORIGIN_IMPORT && i < made.all && status == ST_OK && !*difference; i++)
        if (made.files[i].is_file)
            status = check_file(&made.files[i], made.files[i].path, difference, &note);
    mem_free(made.files);
    if (status == ST_OK && !*difference && origin->kind == ORIGIN_IMPORT)
        *difference = own_schema_difference(origin);
    mem_free(note);
    dataset_close(&dataset);
    return status;
}
