/* The lines are copied into a file of their own, so that import, which reads whole files, is what looks at them; its messages
 * name that file, and are turned into messages about the input on their way to the log. */
#include "launcher/init/head_import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "launcher/ingest/import.h"
#include "launcher/ingest/text_reader.h"

typedef struct renamed {
    const char *from, *to;
    log_sink_fn *sink; /* where lines went before */
    void *context;
} renamed_t;

/* A sink: error lines, with the input's name in the place of the copy's. */
static void rename_line(void *context, log_level_t level, const char *text)
{
    const renamed_t *renamed = context;
    const size_t length = strlen(renamed->from);
    if (level > LOG_WARN || (level == LOG_WARN && strncmp(text, renamed->from, length) == 0 && text[length] == ':' &&
                             (text[length + 1] < '0' || text[length + 1] > '9')))
        return;
    log_set_sink(renamed->sink, renamed->context);
    const char *at = strstr(text, renamed->from);
    if (at)
        log_write(level, "%.*s%s%s", (int)(at - text), text, renamed->to, at + length);
    else
        log_write(level, "%s", text);
    log_set_sink(rename_line, context);
}

static status_t copy_lines(text_reader_t *reader, FILE *out, const char *copy)
{
    bool inside = false; /* of quotes */
    for (int64_t lines = 0; lines < HEAD_LINES || inside; lines++) {
        char *line;
        size_t bytes;
        TRY(text_reader_line(reader, &line, &bytes));
        if (!line || lines > 2 * HEAD_LINES)
            break;
        for (size_t i = 0; i < bytes; i++)
            inside ^= line[i] == '"';
        fwrite(line, 1, bytes, out);
        fputc('\n', out);
    }
    return ferror(out) ? FAIL(ST_SYSTEM, "%s: cannot be written: %s", copy, strerror(errno)) : ST_OK;
}

/* What is in a Parquet file is said at its end, so there is no head to cut off: it has no copy. */
static status_t copy_head(const char *input, const char *copy, bool *is_copied)
{
    text_reader_t *reader = NULL;
    status_t status = ST_OK;
    TRY(text_reader_open(input, false, &reader));
    *is_copied = !text_reader_parquet(reader);
    if (!*is_copied)
        goto done;
    FILE *out = fopen(copy, "w");
    if (!out)
        TRY_DONE(FAIL(ST_SYSTEM, "%s: cannot be written: %s", copy, strerror(errno)));
    status = copy_lines(reader, out, copy);
    if (fclose(out) != 0 && status == ST_OK)
        status = FAIL(ST_SYSTEM, "%s: cannot be written: %s", copy, strerror(errno));
done:
    text_reader_close(&reader);
    return status;
}

status_t head_import(const char *input, const schema_t *schema, const char *folder, const char *path)
{
    char *copy = mem_printf("%s/head", folder);
    renamed_t renamed = {.from = copy, .to = input};
    bool is_copied;
    status_t status;
    TRY_DONE(copy_head(input, copy, &is_copied));
    renamed.from = is_copied ? copy : input;
    renamed.sink = log_get_sink(&renamed.context);
    log_set_sink(rename_line, &renamed);
    status = is_copied ? import_text(copy, schema, path, false, false) : import_head(input, schema, path, HEAD_LINES);
    log_set_sink(renamed.sink, renamed.context);
done:
    mem_free(copy);
    return status;
}
