#include "launcher/metrics/line_sums.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/memory.h"
#include "launcher/metrics/step_line.h"

#define LATER_MOST (INT64_C(1) << 21) /* lines since a checkpoint; a job that makes none keeps no more than their 32 MB */

typedef struct later_line {
    int64_t step;
    uint64_t hash;
} later_line_t;

struct line_sums {
    line_sum_t before;   /* of the lines before the last step that was asked for */
    later_line_t *later; /* [n], the others, as they came */
    int64_t n;
    size_t capacity;
    bool lost; /* there were too many of them: nothing is recorded from here on */
};

line_sums_t *line_sums_create(void)
{
    return MEM_NEW(line_sums_t);
}

void line_sums_destroy(line_sums_t **sums)
{
    if (!*sums)
        return;
    mem_free((*sums)->later);
    mem_free(*sums);
    *sums = NULL;
}

void line_sums_put(line_sums_t *sums, int64_t step, uint64_t hash)
{
    sums->lost = sums->lost || sums->n == LATER_MOST;
    if (sums->lost)
        return;
    MEM_GROW(sums->later, sums->capacity, (size_t)sums->n + 1);
    sums->later[sums->n++] = (later_line_t){step, hash};
}

line_sum_t line_sums_at(line_sums_t *sums, int64_t step)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < sums->n; i++) {
        if (sums->later[i].step >= step) {
            sums->later[kept++] = sums->later[i];
            continue;
        }
        sums->before.lines++;
        sums->before.checksum += sums->later[i].hash;
    }
    sums->n = kept;
    if (sums->lost)
        return (line_sum_t){0};
    return sums->before;
}

status_t line_sums_resume(line_sums_t *sums, const char *path, const char *text, size_t bytes, int64_t step, line_sum_t saved,
                          const char *where)
{
    line_sum_t all = {0}, first = {0};
    for (const char *line = text, *end; line < text + bytes; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + bytes - line));
        ASSERT(end);
        all.lines++;
        all.checksum += step_line_hash(line, (size_t)(end - line));
        if (all.lines <= saved.lines)
            first = all;
    }
    if (all.lines < saved.lines)
        return FAIL(ST_CORRUPT,
                    "%s: has %" PRId64 " lines about what was before step %" PRId64 ", and the run had written %" PRId64
                    " of them before the checkpoint in %s: it is another run's, or was removed or cut; put the run's own in "
                    "its place",
                    path, all.lines, step, saved.lines, where);
    if (first.checksum != saved.checksum)
        return FAIL(ST_CORRUPT,
                    "%s: its first %" PRId64 " lines about what was before step %" PRId64 " have checksum %016" PRIx64
                    ", those that the run had written before the checkpoint in %s have %016" PRIx64
                    ": it is another run's, or was changed; put the run's own in its place",
                    path, saved.lines, step, first.checksum, where, saved.checksum);
    sums->before = all;
    sums->n = 0;
    sums->lost = false;
    return ST_OK;
}
