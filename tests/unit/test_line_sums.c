/* test_line_sums - a checkpoint knows the lines about steps before it (launcher/metrics/line_sums.h): those that come later,
 * those that a cut takes off and those that are written again do not change what it knows; other lines, and fewer, do. */
#include "launcher/metrics/line_sums.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "launcher/metrics/step_line.h"
#include "tests/lib/testing.h"

/* A file of lines in memory, as a sink writes it. */
typedef struct lines_file {
    char text[4096];
    line_sums_t *sums;
} lines_file_t;

static void setup(lines_file_t *f)
{
    *f = (lines_file_t){.sums = line_sums_create()};
}

/* A line about `step`, by `who`. */
static void append(lines_file_t *f, int64_t step, int who)
{
    char line[64];
    snprintf(line, sizeof line, "{\"step\": %" PRId64 ", \"who\": %d", step, who);
    const uint64_t hash = hash64(line, strlen(line), 0);
    const size_t at = strlen(f->text);
    snprintf(f->text + at, sizeof f->text - at, "%s" STEP_LINE_CHECK "\n", line, step_line_check(hash));
    line_sums_put(f->sums, step, hash);
}

/* What a cut before `step` leaves, in *out. */
static void cut(const lines_file_t *f, int64_t step, lines_file_t *out)
{
    setup(out);
    for (const char *line = f->text, *end; *line; line = end + 1) {
        int64_t of;
        end = strchr(line, '\n');
        assert_int_equal(sscanf(line, "{\"step\": %" SCNd64, &of), 1);
        if (of < step)
            strncat(out->text, line, (size_t)(end + 1 - line));
    }
}

static status_t resume(lines_file_t *f, int64_t step, line_sum_t saved)
{
    return line_sums_resume(f->sums, "lines", f->text, strlen(f->text), step, saved, "here");
}

static void expect_refused(lines_file_t *f, int64_t step, line_sum_t saved, const char *text)
{
    catch_start();
    assert_int_equal(resume(f, step, saved), ST_CORRUPT);
    catch_stop();
    assert_caught(text);
}

/* Two shards' lines interleave; the checkpoint before step 4 is committed when 0 to 5 were told by one, and 0 to 2 by the
 * other. */
static line_sum_t write_until_commit(lines_file_t *f)
{
    setup(f);
    for (int64_t step = 0; step < 6; step++) {
        append(f, step, 1);
        if (step < 3)
            append(f, step, 2);
    }
    return line_sums_at(f->sums, 4);
}

static void test_the_runs_own_lines_go_on(void **state)
{
    (void)state;
    lines_file_t first, again, third;
    const line_sum_t saved = write_until_commit(&first);
    assert_int_equal(saved.lines, 4 + 3);
    append(&first, 3, 2); /* after the commit, of before the cut */
    append(&first, 6, 1);
    cut(&first, 4, &again);
    assert_int_equal(resume(&again, 4, saved), ST_OK);
    append(&again, 4, 2);
    append(&again, 4, 1);
    const line_sum_t later = line_sums_at(again.sums, 5); /* the next checkpoint, of this start */
    assert_int_equal(later.lines, 4 + 4 + 2);
    cut(&again, 4, &third); /* its files are lost, and the first one counts again */
    assert_int_equal(resume(&third, 4, saved), ST_OK);
    line_sums_destroy(&third.sums);
    cut(&again, 5, &third);
    assert_int_equal(resume(&third, 5, later), ST_OK);
    line_sums_destroy(&third.sums);
    line_sums_destroy(&first.sums);
    line_sums_destroy(&again.sums);
}

static void test_other_lines_are_refused(void **state)
{
    (void)state;
    lines_file_t own, other, left;
    const line_sum_t saved = write_until_commit(&own);
    setup(&other);
    for (int64_t step = 0; step < 6; step++) {
        append(&other, step, 3);
        append(&other, step, 4);
    }
    cut(&other, 4, &left);
    expect_refused(&left, 4, saved, "lines: its first 7 lines about what was before step 4 have checksum");
    line_sums_destroy(&left.sums);
    cut(&own, 3, &left);
    expect_refused(&left, 4, saved,
                   "lines: has 6 lines about what was before step 4, and the run had written 7 of them before the checkpoint "
                   "in here: it is another run's, or was removed or cut");
    *left.text = 0;
    expect_refused(&left, 4, saved, "lines: has 0 lines");
    assert_int_equal(resume(&left, 4, (line_sum_t){0}), ST_OK); /* a checkpoint that knows nothing of lines */
    line_sums_destroy(&left.sums);
    line_sums_destroy(&own.sums);
    line_sums_destroy(&other.sums);
}

/* Lines of older versions have no check; their hash is that of all of them. */
static void test_hashes(void **state)
{
    (void)state;
    const char *older = "{\"step\": 1, \"rows\": \"00\"}";
    char newer[80];
    snprintf(newer, sizeof newer, "{\"step\": 1, \"rows\": \"00\"" STEP_LINE_CHECK, 7U);
    assert_true(step_line_hash(older, strlen(older)) == hash64(older, strlen(older), 0));
    assert_true(step_line_hash(newer, strlen(newer)) == hash64(older, strlen(older) - 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_runs_own_lines_go_on),
        cmocka_unit_test(test_other_lines_are_refused),
        cmocka_unit_test(test_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
