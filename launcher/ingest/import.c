/* Import: the rows of one file after another, of columns (import_columns.c) or of features (import_features.c), feed a
 * dataset_writer. */
#include "launcher/ingest/import.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/data/field_text.h"
#include "common/data/remarks.h"
#include "common/files/file.h"
#include "common/texts/shown_values.h"
#include "launcher/ingest/import_impl.h"
#include "launcher/ingest/rows/former_rows.h"
#include "launcher/ingest/stale.h"

#define PROGRESS_NS 3000000000ll
#define PROGRESS_ROWS 1024 /* rows between two looks at the clock */

/* ---- messages ---- */

status_t import_bad(import_t *im, int64_t line, const char *column, const char *what, const char *text, int bytes)
{
    char quoted[FIELD_QUOTE_BYTES];
    im->bad_rows++;
    im->files[im->file].rows++;
    const bool over = im->bad_rows > im->schema->max_bad_rows;
    log_write(over ? LOG_ERROR : LOG_WARN, "%s:%" PRId64 ": %s%s%s%s%s%s", im->input, line, column ? "column " : "",
              column ? column : "", column ? ": " : "", what, text ? ", value seen " : "",
              text ? field_quote(quoted, text, bytes) : "");
    if (!over)
        return ST_OK;
    return FAIL(ST_INPUT,
                "%s: %" PRId64 " bad row%s after %" PRId64 " good ones, more than max_bad_rows (%" PRId64
                ") allows; correct the input, or raise "
                "max_bad_rows in the schema to leave bad rows out",
                im->input, im->bad_rows, im->bad_rows == 1 ? "" : "s", im->rows, im->schema->max_bad_rows);
}

static void show_progress(import_t *im)
{
    if (!im->progress || (im->rows + im->bad_rows) % PROGRESS_ROWS != 0)
        return;
    const int64_t now = clock_now_ns();
    if (now - im->shown_ns < PROGRESS_NS)
        return;
    im->shown_ns = now;
    const double share = (im->file + text_reader_share(im->reader)) / im->sources->count;
    log_info("import %s: %" PRId64 " rows, %.0f %%, %.0f rows/s", im->input, im->rows, 100.0 * share,
             (double)im->rows / ((double)(now - im->started_ns) * 1e-9));
}

/* ---- the writer ---- */

static field_rules_t rules_of(const import_t *im, const slot_t *slot)
{
    if (im->format->features.rules)
        return im->format->features.rules();
    field_rules_t rules = slot->is_indicator ? field_rules_indicator() : field_rules_of(slot->column);
    if (slot->bins && slot->bins->bins.edge)
        field_rules_bins(&rules, &slot->bins->bins);
    field_rules_missing(&rules, slot->missing->word, slot->missing->count);
    return rules;
}

static dataset_extras_t extras_of(const import_t *im)
{
    const schema_t *schema = im->schema;
    dataset_extras_t extras = {.has_weight = im->weight >= 0,
                               .may_lack_label = schema->unlabelled == UNLABELLED_ALLOW,
                               .may_weigh_nothing = schema->may_lack_weight,
                               .keep_bytes = schema->keep_mb << 20,
                               .keep_field_bytes = schema->keep_field_mb << 20,
                               .labels = (int)schema->labels_count};
    for (unsigned l = 0; l < schema->labels_count; l++)
        extras.label_names[l] = schema->labels[l].name;
    return extras;
}

/* What the new rows have is what the dataset's rows have. */
static status_t check_fields(const import_t *im, const dataset_field_t *fields, int n)
{
    if (!im->former)
        return ST_OK;
    const dataset_info_t *info = dataset_info(im->former);
    bool same = n == info->numeric + info->single + info->multi && info->has_group == (im->group >= 0) &&
                info->has_time == (im->time >= 0) && info->has_weight == (im->weight >= 0) && info->labels == im->labels;
    for (int f = 0; f < n && same; f++)
        same = strcmp(fields[f].name, info->fields[f].name) == 0 && fields[f].kind == info->fields[f].kind &&
               fields[f].pooling == info->fields[f].pooling &&
               field_rules_difference(&fields[f].rules, &info->fields[f].rules) < 0;
    return same ? ST_OK
                : FAIL(ST_INPUT, "%s: its rows do not have the fields of dataset %s; import both together", im->input,
                       im->former_path);
}

/* The rows that are there already. */
static status_t begin_with_former(import_t *im)
{
    const dataset_info_t *info = dataset_info(im->former);
    int64_t last_time;
    dataset_writer_like(im->writer, im->former);
    TRY(former_rows_put(im->former_path, im->former, im->writer, &last_time));
    im->former_rows = info->rows;
    im->former_input_rows = info->rows + info->bad_rows;
    if (im->time < 0 || last_time == DATASET_NO_TIME)
        return ST_OK;
    im->unit = im->last_unit = dataset_census(im->former)->unit;
    im->has_unit = im->has_last = true;
    im->last_time = last_time;
    return ST_OK;
}

status_t import_create_writer(import_t *im)
{
    const int n = im->numeric + im->single + im->multi;
    if (n == 0)
        return FAIL(ST_INPUT, "%s: the schema names no input column", im->input);
    dataset_field_t *fields = MEM_ARRAY(dataset_field_t, n);
    bool *standardise = MEM_ARRAY(bool, n);
    status_t status = ST_OK;
    for (int f = 0; f < n; f++) {
        const schema_column_t *column = im->slots[f].column;
        if (strlen(column->name) >= sizeof fields[f].name) {
            status = FAIL(ST_INPUT, "%s: the name of column %s is longer than %zu bytes", im->input, column->name,
                          sizeof fields[f].name - 1);
            goto done;
        }
        strcpy(fields[f].name, column->name);
        fields[f].kind = column->kind;
        fields[f].pooling = column->pooling;
        fields[f].rules = rules_of(im, &im->slots[f]);
        standardise[f] = column->kind == COLUMN_NUMERIC && column->transform == TRANSFORM_STANDARDISE;
    }
    const dataset_extras_t extras = extras_of(im);
    TRY_DONE(check_fields(im, fields, n));
    TRY_DONE(dataset_writer_create_with(im->path, fields, n, standardise, im->group >= 0, im->time >= 0, &extras, im->compress,
                                        &im->writer));
    if (im->former)
        TRY_DONE(begin_with_former(im));
done:
    mem_free(fields);
    mem_free(standardise);
    return status;
}

status_t import_put(import_t *im)
{
    im->row.input_row = im->former_input_rows + im->rows + im->bad_rows + 1;
    TRY(im->waiting ? waiting_rows_put(im->waiting, &im->row, im->numbers) : dataset_writer_put(im->writer, &im->row));
    im->rows++;
    im->files[im->file].rows++;
    im->train_rows += im->row.train;
    show_progress(im);
    return ST_OK;
}

bool import_time_unit(import_t *im, time_unit_t unit)
{
    const bool scales = im->waiting && im->has_unit && im->unit == TIME_AS_GIVEN && unit == TIME_MILLIONTHS;
    return (!scales || waiting_rows_scale_times(im->waiting, 1000000)) && dataset_writer_time_unit(im->writer, unit);
}

/* ---- files ---- */

static char *whole_path(const char *path)
{
    char *whole = realpath(path, NULL), *copy = mem_strdup(whole ? whole : path);
    free(whole);
    return copy;
}

void import_set_file(import_t *im, int file)
{
    const char *path = im->sources->paths[file];
    im->file = file;
    im->input = strcmp(path, SOURCE_STDIN) == 0 ? "standard input" : path;
}

/* How the opened file is read; all files alike. */
static status_t choose_format(import_t *im)
{
    const input_format_t *before = im->format;
    TRY(input_format_of(im->reader, im->schema, &im->format));
    if (im->has_format && im->format != before)
        return FAIL(ST_INPUT, "%s: of format %s, and the files before it are of format %s; import each format on its own",
                    im->input, im->format->name, before->name);
    im->has_format = true;
    return ST_OK;
}

/* A part without a byte is none; of an import of one file there must be something. */
static status_t import_file(import_t *im, int file, feature_row_t *features)
{
    const bool may_be_empty = im->sources->count > 1;
    const char *path = im->sources->paths[file];
    status_t status;
    import_set_file(im, file);
    TRY_DONE(text_reader_open(path, may_be_empty, &im->reader));
    if (may_be_empty && text_reader_is_empty(im->reader)) {
        log_warn("%s: the file is empty, and adds no row", im->input);
    } else {
        TRY_DONE(choose_format(im));
        TRY_DONE(im->format->features.parse ? import_features(im, features) : import_columns(im));
    }
    origin_file_t *read = &im->files[file];
    read->is_file = !im->most && text_reader_fingerprint(im->reader, &read->print);
    read->path = read->is_file ? whole_path(path) : mem_strdup(im->input);
done:
    text_reader_close(&im->reader);
    return status;
}

static status_t import_all(import_t *im)
{
    feature_row_t features = {.label_reader = im->label_reader};
    status_t status;
    for (int file = 0; file < im->sources->count; file++)
        TRY_DONE(import_file(im, file, &features));
    TRY_DONE(import_features_finish(im, &features));
    status = ST_OK;
done:
    feature_row_fini(&features);
    return status;
}

/* ---- the end ---- */

/* The files of a new day, behind those of the days before; the first of which is the import itself. */
static void put_day(import_t *im)
{
    char date[CLOCK_UTC_BYTES];
    const dataset_info_t *info = dataset_info(im->former);
    day_list_t days = day_list_copy(dataset_days(im->former));
    if (days.n == 0) {
        dataset_day_t *first = day_list_add(&days, info->labels);
        first->date = mem_strdup("");
        first->content_hash = info->content_hash;
        first->rows = info->rows;
        first->train_rows = info->train_rows;
        first->test_rows = info->test_rows;
        first->bad_rows = info->bad_rows;
        for (int l = 0; l < info->labels; l++)
            first->label[l] =
                (day_label_t){info->label_of[l].positives, info->label_of[l].train_positives, info->label_of[l].test_positives};
    }
    day_list_add(&days, info->labels)->date = mem_strdup(clock_utc(date));
    for (int i = 0; i < im->sources->count; i++)
        day_list_add_file(&days, &im->files[i]);
    dataset_writer_days(im->writer, &days);
    day_list_fini(&days);
}

/* What the dataset is made of, to find out later whether it has changed. */
static void put_origin(import_t *im)
{
    if (im->former) {
        dataset_writer_origin(im->writer, dataset_origin(im->former));
        put_day(im);
        return;
    }
    const int n = im->sources->count;
    origin_t origin = {.kind = ORIGIN_IMPORT, .settings = schema_text(im->schema)};
    origin.schema = mem_strdup(im->schema->source ? im->schema->source : "");
    if (n == 1) {
        origin.input = mem_strdup(im->files[0].path);
        origin.is_file = im->files[0].is_file;
        origin.file = im->files[0].print;
    } else {
        origin.input = mem_printf("%d files from %s", n, im->files[0].path);
        origin.files = im->files;
        origin.files_count = n;
    }
    dataset_writer_origin(im->writer, &origin);
    origin.files = NULL;
    origin.files_count = 0;
    origin_fini(&origin);
}

/* The schema as rows to come are to be read by: with the edges that were found. */
static void put_schema(import_t *im)
{
    schema_t settled = *im->schema;
    if (im->format->features.has_fields)
        settled.fields = im->multi;
    settled.columns = MEM_ARRAY(schema_column_t, settled.columns_count);
    for (unsigned c = 0; c < settled.columns_count; c++) {
        settled.columns[c] = im->schema->columns[c];
        if (im->bins && im->bins[c].bins.edge)
            settled.columns[c].bins = bins_text(&im->bins[c].bins);
    }
    char *yaml = schema_yaml(&settled);
    dataset_writer_schema(im->writer, yaml);
    mem_free(yaml);
    for (unsigned c = 0; c < settled.columns_count; c++)
        if (im->bins && im->bins[c].bins.edge)
            mem_free(settled.columns[c].bins);
    mem_free(settled.columns);
}

static void say_remark(void *context, const char *text)
{
    const import_t *im = context;
    log_warn("%s: %s", im->input, text);
}

/* What is there to say about the new dataset, read back: how a reader gets it is what counts. */
static status_t make_remarks(import_t *im)
{
    dataset_t *dataset;
    TRY(dataset_open(im->path, 0, &dataset));
    remarks_make(dataset_info(dataset), dataset_census(dataset), say_remark, im);
    shown_values_t *shown = shown_values_create(dataset);
    const kept_index_t *kept = shown_values_kept(shown);
    if (kept && kept_index_values(kept).left)
        log_warn("%s: the texts of %" PRIu64 " values are not kept, as keep_values of the schema has it, and people will see "
                 "their keys; smelter inspect says which fields have them",
                 im->input, kept_index_values(kept).left);
    shown_values_destroy(&shown);
    dataset_close(&dataset);
    return ST_OK;
}

/* The rows from the first on that train, where their number alone says which; else -1. */
static int64_t first_train_rows(const import_t *im)
{
    return im->split >= 0 ? -1 : (int64_t)floor((double)im->rows * im->schema->train_fraction);
}

static status_t check_split(const import_t *im)
{
    const schema_t *schema = im->schema;
    if (im->rows == 0)
        return FAIL(ST_INPUT, "%s: there is no %srow in it", im->input, im->bad_rows > 0 ? "good " : "");
    if (im->former)
        return ST_OK; /* a day may be one split */
    if (im->split >= 0 && im->train_rows == 0 && schema->split_words)
        return FAIL(ST_INPUT, "%s: no row is in the training split: none has the word train in %s", im->input,
                    schema->split_column);
    if (im->split >= 0 && im->train_rows == 0)
        return FAIL(ST_INPUT, "%s: no row is in the training split, where %s <= %.15g", im->input, schema->split_column,
                    schema->split_train_max);
    if (first_train_rows(im) == 0 && schema->train_fraction > 0.0)
        return FAIL(ST_INPUT, "%s: train_fraction %g of %" PRId64 " rows leaves no training row", im->input,
                    schema->train_fraction, im->rows);
    return ST_OK;
}

/* Rows that waited go to the writer, and of fields whose bins are known now is said how their values came about. */
static status_t release_rows(import_t *im)
{
    if (!im->waiting)
        return ST_OK;
    TRY(waiting_rows_release(im->waiting, first_train_rows(im), im->writer));
    for (int f = im->numeric; f < im->numeric + im->single; f++)
        if (im->slots[f].number >= 0) {
            const field_rules_t rules = rules_of(im, &im->slots[f]);
            dataset_writer_rules(im->writer, f, &rules);
        }
    return ST_OK;
}

static status_t finish(import_t *im)
{
    TRY(check_split(im));
    TRY(release_rows(im));
    const int64_t tests = (int64_t)floor((double)im->rows * im->schema->test_fraction);
    if (im->split < 0 && im->former)
        dataset_writer_split_from(im->writer, im->former_rows, first_train_rows(im), tests);
    else if (im->split < 0)
        dataset_writer_split(im->writer, first_train_rows(im), tests);
    put_origin(im);
    put_schema(im);
    TRY(dataset_writer_commit(&im->writer, im->bad_rows + (im->former ? dataset_info(im->former)->bad_rows : 0)));
    if (im->bad_rows > 0)
        log_warn("%s: %" PRId64 " bad row%s left out (max_bad_rows is %" PRId64 ")", im->input, im->bad_rows,
                 im->bad_rows == 1 ? "" : "s", im->schema->max_bad_rows);
    if (im->word_groups > 0)
        log_warn("%s: %" PRId64
                 " row%s the query id '%s', which is a query like any other; leave the cell empty where a row belongs to "
                 "none",
                 im->input, im->word_groups, im->word_groups == 1 ? " has" : "s have", im->word_group);
    if (im->progress)
        log_info("import %s: %" PRId64 " rows %s %s in %.1f s", im->input, im->rows, im->former ? "appended to" : "into",
                 im->former ? im->former_path : im->path, (double)(clock_now_ns() - im->started_ns) * 1e-9);
    return make_remarks(im);
}

static void import_fini(import_t *im)
{
    dataset_writer_abort(&im->writer);
    import_columns_fini(im);
    import_features_fini(im);
    for (int l = 0; l < im->labels; l++)
        label_reader_fini(&im->label_reader[l]);
    missing_words_fini(&im->missing);
    for (int file = 0; file < im->sources->count; file++)
        mem_free(im->files[file].path);
    mem_free(im->files);
    mem_free(im->multi_count);
    mem_free(im->multi_key);
    mem_free(im->multi_weight);
    mem_free(im->multi_text);
}

/* im: what is to be imported, and by what. */
static status_t import_sources(import_t im, const char *all)
{
    const schema_t *schema = im.schema;
    im.format = input_format_get(schema->format);
    im.labels = schema->labels_count ? (int)schema->labels_count : 1;
    im.weight = im.group = im.time = im.split = -1;
    im.files = MEM_ARRAY(origin_file_t, im.sources->count);
    im.started_ns = im.shown_ns = clock_now_ns();
    for (int l = 0; l < im.labels; l++)
        label_reader_init(&im.label_reader[l], schema->labels_count ? schema->labels[l].rule : schema->label_rule,
                          schema_rows(schema->format) == ROWS_OF_FEATURES);
    missing_words_init(&im.missing, schema->missing);
    status_t status;
    TRY_DONE(import_all(&im));
    if (im.sources->count > 1)
        im.input = all; /* what is said from here on is of all files */
    TRY_DONE(finish(&im));
done:
    import_fini(&im);
    return status;
}

static status_t import_specs(const char *const *specs, int n, import_t im)
{
    sources_t sources = {0};
    char *all = NULL;
    status_t status;
    TRY_DONE(sources_find(specs, n, &sources));
    all = n > 1 ? mem_printf("%s and %d more", specs[0], n - 1) : mem_strdup(specs[0]);
    im.sources = &sources;
    TRY_DONE(import_sources(im, all));
done:
    mem_free(all);
    sources_fini(&sources);
    return status;
}

status_t import_files(const char *const *specs, int n, const schema_t *schema, const char *path, bool compress, bool progress)
{
    return import_specs(specs, n, (import_t){.schema = schema, .path = path, .compress = compress, .progress = progress});
}

status_t import_head(const char *input, const schema_t *schema, const char *path, int64_t rows)
{
    return import_specs(&input, 1, (import_t){.schema = schema, .path = path, .most = rows});
}

status_t import_text(const char *input, const schema_t *schema, const char *path, bool compress, bool progress)
{
    return import_files(&input, 1, schema, path, compress, progress);
}

/* ---- appending ----------------------------------------------------------------------------------------------------------- */

static bool is_same(const schema_t *a, const schema_t *b)
{
    char *of_a = schema_text(a), *of_b = schema_text(b);
    const bool same = strcmp(of_a, of_b) == 0;
    mem_free(of_a);
    mem_free(of_b);
    return same;
}

/* The schema of the dataset; a file that is given says the same, of bins how many or their edges. */
static status_t former_schema(dataset_t *former, const char *path, const schema_t *given, schema_t **out)
{
    const origin_t *origin = dataset_origin(former);
    char *yaml = NULL, *difference = NULL;
    status_t status;
    if (origin->kind != ORIGIN_IMPORT)
        return FAIL(ST_INPUT, "dataset %s was %s; rows are appended to what was imported", path,
                    origin->kind == ORIGIN_SYNTH ? "generated" : "made by a version that did not record of what");
    TRY_DONE(dataset_schema(former, &yaml));
    if (!yaml && !given)
        TRY_DONE(FAIL(ST_INPUT, "dataset %s was made by a version that did not keep its schema; name it with --schema", path));
    difference = given ? stale_settings(origin, given) : NULL;
    if (yaml)
        TRY_DONE(schema_parse(yaml, strlen(yaml), path, out));
    if (difference && (!*out || !is_same(*out, given)))
        TRY_DONE(FAIL(ST_INPUT, "dataset %s: %s; rows are appended by the schema of those that are there", path, difference));
    mem_free(yaml);
    yaml = *out ? NULL : schema_yaml(given);
    if (yaml)
        TRY_DONE(schema_parse(yaml, strlen(yaml), path, out));
done:
    mem_free(difference);
    mem_free(yaml);
    return status;
}

/* The folder, for one import alone; -1 and an error where another has it. */
static status_t lock_former(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return FAIL(file_blame(errno), "dataset %s cannot be opened: %m", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return ST_OK;
    close(*fd);
    return FAIL(ST_INPUT, "dataset %s: another import appends to it now; wait for its end", path);
}

/* What imports that were killed have left. */
static status_t sweep(const char *path)
{
    glob_t found = {0};
    char *pattern = mem_printf("%s.appending.*", path);
    status_t status = ST_OK;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && status == ST_OK; i++)
            status = dir_remove_tree(found.gl_pathv[i]);
    globfree(&found);
    mem_free(pattern);
    return status;
}

/* In one step, so that there is a whole dataset at any moment; a job that reads the old one keeps it. */
static status_t take_place(const char *fresh, const char *path)
{
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) != 0)
        return FAIL(ST_SYSTEM, "the dataset with the new rows, %s, cannot take the place of %s: %m; the old one is as it was",
                    fresh, path);
    return dir_remove_tree(fresh);
}

static status_t append(const char *const *specs, int n, import_t im, const char *path)
{
    char *fresh = mem_printf("%s.appending.%ld", path, (long)getpid());
    status_t status;
    im.former_path = path;
    im.path = fresh;
    TRY_DONE(sweep(path));
    TRY_DONE(import_specs(specs, n, im));
    TRY_DONE(take_place(fresh, path));
done:
    mem_free(fresh);
    return status;
}

status_t import_append(const char *const *specs, int n, const schema_t *given, int64_t max_bad_rows, const char *path,
                       bool compress, bool progress)
{
    char *whole = whole_path(path); /* where a link leads */
    dataset_t *former = NULL;
    schema_t *schema = NULL;
    int fd = -1;
    status_t status;
    TRY_DONE(dataset_open(whole, 0, &former));
    TRY_DONE(lock_former(whole, &fd));
    TRY_DONE(former_schema(former, whole, given, &schema));
    schema->max_bad_rows = max_bad_rows >= 0 ? max_bad_rows : schema->max_bad_rows;
    TRY_DONE(
        append(specs, n, (import_t){.schema = schema, .former = former, .compress = compress, .progress = progress}, whole));
done:
    if (fd >= 0)
        close(fd);
    schema_destroy(&schema);
    dataset_close(&former);
    mem_free(whole);
    return status;
}
