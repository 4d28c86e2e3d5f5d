/* A ring of steps that some shards have told of and others have not. Shards are at most a few steps apart, and tell of
 * STEP_BATCH_STEPS at a time; but that holds for what they send, not for what has arrived: after a pause the coordinator reads
 * what one connection has gathered, and then what the next one has. So the ring grows. */
#include "launcher/metrics/step_digest_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/base/step_digest.h"
#include "common/files/file.h"
#include "common/net/step_batch.h"
#include "launcher/metrics/metrics_lines.h"
#include "launcher/metrics/step_line.h"

#define RING_LEAST (STEP_BATCH_STEPS * 4) /* steps between the first incomplete one and the last that a shard has told of */

struct step_lines {
    FILE *file;
    char *path;
    int shards;
    uint32_t tables;
    int64_t words;    /* of a step */
    int64_t first;    /* the first step that is not written; -1 before the first message */
    int64_t *next;    /* [shards] the step that a shard tells of next */
    int64_t ring;     /* steps that fit; step s lies at s % ring */
    int *heard;       /* [ring] shards that have told of the step */
    uint64_t *merged; /* [ring][words] */
};

status_t step_digest_writer_cut(const char *path, int64_t step, int64_t depth)
{
    char *text = NULL, *end;
    uint64_t intervals;
    if (!file_exists(path))
        return ST_OK;
    TRY(file_read(path, &text, NULL));
    status_t status = metrics_lines_keep(path, step, depth, text, &intervals, &end);
    if (status == ST_OK)
        status = file_write_atomic(path, text, (size_t)(end - text));
    mem_free(text);
    return status;
}

status_t step_digest_writer_create(const char *path, int shards, uint32_t tables, step_digest_writer_t **out)
{
    if (!file_exists(path))
        TRY(file_write_atomic(path, "", 0));
    FILE *file = fopen(path, "a");
    if (!file)
        return FAIL(ST_INPUT, "%s: cannot be written: %m; make the output folder writable or choose another --out", path);
    step_digest_writer_t *l = MEM_NEW(step_digest_writer_t);
    l->file = file;
    l->path = mem_strdup(path);
    l->shards = shards;
    l->tables = tables;
    l->words = step_digest_words(tables);
    l->first = -1;
    l->next = MEM_ARRAY(int64_t, shards);
    l->ring = RING_LEAST;
    l->heard = MEM_ARRAY(int, l->ring);
    l->merged = MEM_ARRAY(uint64_t, l->ring * l->words);
    *out = l;
    return ST_OK;
}

void step_digest_writer_destroy(step_digest_writer_t **lines)
{
    step_digest_writer_t *l = *lines;
    if (!l)
        return;
    fclose(l->file);
    mem_free(l->path);
    mem_free(l->next);
    mem_free(l->heard);
    mem_free(l->merged);
    mem_free(l);
    *lines = NULL;
}

/* Room for the steps up to, and without, `end`. */
static void make_room(step_digest_writer_t *l, int64_t end)
{
    int64_t ring = l->ring;
    while (end - l->first > ring)
        ring *= 2;
    if (ring == l->ring)
        return;
    int *heard = MEM_ARRAY(int, ring);
    uint64_t *merged = MEM_ARRAY(uint64_t, ring * l->words);
    for (int64_t step = l->first; step < l->first + l->ring; step++) {
        heard[step % ring] = l->heard[step % l->ring];
        memcpy(merged + step % ring * l->words, l->merged + step % l->ring * l->words, sizeof *merged * (size_t)l->words);
    }
    mem_free(l->heard);
    mem_free(l->merged);
    l->ring = ring;
    l->heard = heard;
    l->merged = merged;
}

/* A line from its beginning up to the digits, the digits of the words, and the check of both. */
static void write_line(const step_digest_writer_t *l, const char *begin, const uint64_t *words, int64_t n)
{
    const size_t head = strlen(begin), length = head + 16 * (size_t)n + 1;
    char *line = MEM_ARRAY(char, length + 1);
    memcpy(line, begin, head);
    for (int64_t i = 0; i < n; i++)
        snprintf(line + head + 16 * i, 17, "%016" PRIx64, words[i]);
    line[length - 1] = '"';
    fprintf(l->file, "%s" STEP_LINE_CHECK "\n", line, step_line_check(line, length));
    mem_free(line);
}

static status_t check_written(const step_digest_writer_t *l)
{
    return fflush(l->file) == 0 && !ferror(l->file) ? ST_OK
                                                    : FAIL(ST_SYSTEM, "%s: cannot be written: %s; is the disk full?", l->path,
                                                           file_error_text(errno, (char[FILE_ERROR_TEXT]){0}));
}

status_t step_digest_writer_sync(step_digest_writer_t *l)
{
    if (fflush(l->file) == 0 && fdatasync(fileno(l->file)) == 0)
        return ST_OK;
    return FAIL(ST_SYSTEM, "%s: cannot be synced: %m; is the disk full?", l->path);
}

/* Write the steps that are complete. */
static status_t write_rows(step_digest_writer_t *l)
{
    while (l->heard[l->first % l->ring] == l->shards) {
        uint64_t *words = l->merged + l->first % l->ring * l->words;
        char begin[64];
        snprintf(begin, sizeof begin, "{\"step\": %" PRId64 ", \"rows\": \"", l->first);
        write_line(l, begin, words, l->words);
        memset(words, 0, sizeof *words * (size_t)l->words);
        l->heard[l->first % l->ring] = 0;
        l->first++;
    }
    return check_written(l);
}

status_t step_digest_writer_put_rows(step_digest_writer_t *l, int shard, const net_message_t *message)
{
    const int64_t step = message->header.step, steps = message->header.count;
    ASSERT(shard >= 0 && shard < l->shards);
    if (step < 0 || steps < 0 || steps > STEP_BATCH_STEPS ||
        message->frame[0].bytes != steps * l->words * (int64_t)sizeof(uint64_t))
        return FAIL(ST_MESSAGE, "shard %d sent digests of %lld steps in %lld bytes; a step has %lld", shard, (long long)steps,
                    (long long)message->frame[0].bytes, (long long)(l->words * (int64_t)sizeof(uint64_t)));
    if (l->first < 0) {
        l->first = step; /* 0, or where a checkpoint was taken up */
        for (int s = 0; s < l->shards; s++)
            l->next[s] = step;
    }
    if (step != l->next[shard])
        return FAIL(ST_MESSAGE, "shard %d sent digests of steps %lld to %lld; those from %lld on come next", shard,
                    (long long)step, (long long)(step + steps - 1), (long long)l->next[shard]);
    make_room(l, step + steps);
    for (int64_t i = 0; i < steps; i++) {
        step_digest_merge(l->merged + (step + i) % l->ring * l->words, (const uint64_t *)message->frame[0].data + i * l->words,
                          l->tables);
        l->heard[(step + i) % l->ring]++;
    }
    l->next[shard] += steps;
    return write_rows(l);
}

status_t step_digest_writer_put_dense(step_digest_writer_t *l, const net_message_t *message)
{
    const int64_t step = message->header.step, steps = message->header.count;
    const int64_t words = message->frame[0].bytes / (int64_t)sizeof(uint64_t);
    if (step < 0 || steps < 1 || words % steps)
        return FAIL(ST_MESSAGE, "digests of the dense parameters of %lld steps came in %lld words", (long long)steps,
                    (long long)words);
    for (int64_t i = 0; i < steps; i++) {
        char begin[96];
        snprintf(begin, sizeof begin, "{\"step\": %" PRId64 ", \"component\": %u, \"dense\": \"", step + i,
                 wire_component(&message->header));
        write_line(l, begin, (const uint64_t *)message->frame[0].data + i * (words / steps), words / steps);
    }
    return check_written(l);
}
