#include "launcher/commands/scores_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/data/dataset.h"
#include "common/files/file.h"
#include "common/metrics/queries.h"

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* --out FILE, FILE.tsv, FILE.csv or FILE.f32: the name without its ending; **owned**. */
static char *stem_of(const char *out)
{
    char *stem = mem_strdup(out);
    if (ends_with(out, ".tsv") || ends_with(out, ".csv") || ends_with(out, ".f32"))
        stem[strlen(stem) - 4] = 0;
    return stem;
}

/* The name of the table: FILE.tsv, or FILE.csv where that was asked for; **owned**. */
static char *table_of(const char *out)
{
    char *stem = stem_of(out), *table = mem_printf("%s.%s", stem, ends_with(out, ".csv") ? "csv" : "tsv");
    mem_free(stem);
    return table;
}

/* Two files of these names are an earlier prediction, which this one replaces; one of them alone is something else. */
static status_t check_replaced(const char *raw, const char *table)
{
    const bool has_raw = file_exists(raw), has_table = file_exists(table);
    char line[256] = "";
    if (!has_raw && !has_table)
        return ST_OK;
    FILE *file = has_raw && has_table ? fopen(table, "r") : NULL;
    if (has_raw && has_table && !file)
        return FAIL(file_blame(errno), "%s: cannot be read: %m; make it readable, or choose another --out", table);
    const bool ours = file && fgets(line, sizeof line, file) && strstr(line, "prediction");
    if (file)
        fclose(file);
    return ours ? ST_OK
                : FAIL(ST_INPUT, "%s exists and is no earlier prediction; choose another --out, or remove it",
                       has_raw ? raw : table);
}

/* Where the predictions go is seen to before hours of scoring. */
status_t scores_file_prepare(const char *out)
{
    char *stem = stem_of(out), *raw = mem_printf("%s.f32", stem), *table = table_of(out), *slash = strrchr(stem, '/');
    status_t status;
    TRY_DONE(check_replaced(raw, table));
    if (!*stem || (slash && !slash[1]))
        TRY_DONE(FAIL(ST_INPUT, "--out %s: name a file, to which .f32 and .tsv are added, and not a folder", out));
    if (slash)
        slash[slash == stem] = 0;
    TRY_DONE(dir_create(slash ? stem : "."));
    TRY_DONE(dir_check_writable(slash ? stem : "."));
done:
    mem_free(stem);
    mem_free(raw);
    mem_free(table);
    return status;
}

/* ---- the table ---- */

/* A text that may have the separator in it: quoted in CSV; in TSV, which has no quotes, with blanks for what would break it. */
static void write_cell(FILE *out, char separator, const char *text)
{
    if (separator != '\t') {
        text_csv(out, text);
        return;
    }
    for (; *text; text++)
        fputc(*text == '\t' || *text == '\n' || *text == '\r' ? ' ' : *text, out);
}

static void write_head(FILE *out, char separator, const scores_file_t *scores)
{
    fprintf(out, "index%clabel%cgroup%cprediction%crow", separator, separator, separator, separator);
    if (scores->std)
        fprintf(out, "%cstd%cpd", separator, separator);
    for (int c = 0; scores->carried && c < carried_columns(scores->carried); c++) {
        fputc(separator, out);
        write_cell(out, separator, carried_name(scores->carried, c));
    }
    fputc('\n', out);
}

static void write_row(FILE *out, char separator, const scores_file_t *scores, int64_t i)
{
    const uint64_t group = scores->group && scores->group[i] != QUERY_NONE ? scores->group[i] : 0;
    const char *label = scores->label[i] == DATASET_NO_LABEL ? "" : scores->label[i] ? "1" : "0";
    /* 9 digits read back to the same float. */
    fprintf(out, "%" PRId64 "%c%s%c%" PRIu64 "%c%.9g%c%" PRId64, i, separator, label, separator, group, separator,
            (double)scores->p[i], separator, scores->row[i]);
    if (scores->std)
        fprintf(out, "%c%.9g%c%.9g", separator, (double)scores->std[i], separator, (double)scores->pd[i]);
    for (int c = 0; scores->carried && c < carried_columns(scores->carried); c++) {
        fputc(separator, out);
        write_cell(out, separator, carried_text(scores->carried, scores->carried_by_example ? i + 1 : scores->row[i], c));
    }
    fputc('\n', out);
}

static status_t write_table(const char *path, char separator, const scores_file_t *scores)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    write_head(out, separator, scores);
    for (int64_t i = 0; i < scores->rows; i++)
        write_row(out, separator, scores, i);
    status_t status = fclose(out) == 0 ? file_write_atomic(path, text, bytes)
                                       : FAIL(ST_SYSTEM, "%s: no memory for the text of the file", path);
    free(text);
    return status;
}

/* Both files or none: on a full disk an earlier prediction stays a pair. */
status_t scores_file_write(const char *name, const scores_file_t *scores)
{
    char *stem = stem_of(name), *raw = mem_printf("%s.f32", stem), *table = table_of(name),
         *part = mem_printf("%s.part", table);
    status_t status;
    TRY_DONE(write_table(part, ends_with(name, ".csv") ? ',' : '\t', scores));
    TRY_DONE(file_write_atomic(raw, scores->p, (size_t)scores->rows * sizeof *scores->p));
    if (rename(part, table) != 0)
        TRY_DONE(FAIL(ST_SYSTEM, "%s: cannot be renamed to %s: %s", part, table, strerror(errno)));
    printf("%s  %s\n", raw, table);
done:
    if (status != ST_OK)
        unlink(part);
    mem_free(part);
    mem_free(stem);
    mem_free(raw);
    mem_free(table);
    return status;
}
