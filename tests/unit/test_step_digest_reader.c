/* test_step_trace - what shards and workers say of their steps is what a reader finds (launcher/metrics/step_digest_merger.h,
 * sink_steps_file.c, step_digest_reader.h): lines of several shards merge whatever the order of messages, a resumed run's
 * later lines count, and of two runs the first step that differs is named, and in it what does. */
#include "common/files/run_paths.h"
#include "launcher/metrics/metrics_lines.h"
#include "launcher/metrics/step_digest_reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "common/net/step_batch.h"
#include "launcher/metrics/step_digest_merger.h"
#include "tests/lib/testing.h"

#define TABLES 3
#define SHARDS 3
#define STEPS 40
#define KEYS 30

/* A run of made-up updates: every step touches KEYS rows; one may be told to differ. */
typedef struct fault {
    int64_t step; /* -1: none */
    int key;
} fault_t;

static uint64_t key_of(int64_t step, int i)
{
    return rng_u64(5, (uint64_t)step, (uint64_t)i);
}

static void digest_step(uint64_t *words, int64_t step, int shard, fault_t fault)
{
    step_digest_t d = {.words = words, .tables = TABLES};
    for (int i = 0; i < KEYS; i++) {
        const uint64_t key = key_of(step, i);
        if ((int)(hash_slot(key) * SHARDS / HASH_SLOTS) != shard)
            continue;
        const float payload[2] = {(float)i, step == fault.step && i == fault.key ? 1.0F : 0.0F};
        step_digest_rows(&d, (uint32_t)(i % TABLES), &key, &(const void *){payload}, 1, sizeof payload);
    }
    step_digest_end(&d);
}

/* The lines of a run's folder while it trains. */
typedef struct training {
    run_events_t *events;
    step_digest_merger_t *merger;
} training_t;

static void training_end(training_t *t)
{
    step_digest_merger_destroy(&t->merger);
    run_events_destroy(&t->events);
}

/* From the beginning, or from the checkpoint before `step` on where that is not 0; shards tell of steps from `first` on. */
static status_t training_begin(training_t *t, const char *dir, int64_t step, int64_t depth, int64_t first)
{
    const step_digest_options_t o = {.shards = SHARDS,
                                     .tables = TABLES,
                                     .groups = 1,
                                     .components = 2,
                                     .first_rows = first,
                                     .first_dense = first,
                                     .end = 1 << 20};
    uint64_t lines = 0;
    *t = (training_t){.events = run_events_create(NULL)};
    step_digest_options_t merged = o;
    merged.events = t->events;
    t->merger = step_digest_merger_create(&merged);
    const run_event_t event = {
        .kind = EVENT_TRAIN,
        .train = {.run_dir = dir, .resumed = step > 0, .step = step, .depth = depth, .where = "here", .lines = &lines}};
    const status_t status = run_events_emit(t->events, &event);
    if (status != ST_OK)
        training_end(t);
    return status;
}

static void put(step_digest_merger_t *lines, int shard, int64_t from, int64_t to, fault_t fault)
{
    const int64_t of_step = step_digest_words(TABLES);
    uint64_t words[STEP_BATCH_STEPS * 64] = {0};
    for (int64_t step = from; step < to; step++)
        digest_step(words + (step - from) * of_step, step, shard, fault);
    net_message_t message = {.header = {.type = WIRE_DIGESTS, .step = from, .count = to - from},
                             .frames = 1,
                             .frame = {{words, (to - from) * of_step * 8}}};
    assert_int_equal(step_digest_merger_put_rows(lines, shard, &message), ST_OK);
}

static void put_dense(step_digest_merger_t *lines, int64_t from, int64_t to, int64_t wrong)
{
    uint64_t words[2 * STEPS];
    for (int64_t step = from; step < to; step++)
        for (int k = 0; k < 2; k++)
            words[2 * (step - from) + k] = (uint64_t)(step * 10 + k + (step >= wrong && k == 1));
    net_message_t message = {.header = {.type = WIRE_DIGESTS, .step = from, .count = to - from},
                             .frames = 1,
                             .frame = {{words, (to - from) * 2 * 8}}};
    assert_int_equal(step_digest_merger_put_dense(lines, 0, &message), ST_OK);
}

/* A run's folder with its lines; shards speak in pieces of `piece` steps. */
static const char *make_run(const char *name, int64_t piece, fault_t fault, int64_t wrong_dense)
{
    const char *dir = test_path("%s", name);
    char *metrics = run_path(dir, FILE_METRICS);
    training_t t;
    assert_int_equal(dir_create(dir), ST_OK);
    assert_int_equal(training_begin(&t, dir, 0, 0, 0), ST_OK);
    assert_int_equal(file_write_atomic(metrics, "{\"step\": 50, \"logloss\": 0.5}\n", 29), ST_OK);
    put_dense(t.merger, 0, STEPS, wrong_dense);
    for (int64_t from = 0; from < STEPS; from += piece)
        for (int s = 0; s < SHARDS; s++)
            put(t.merger, (s + (int)from) % SHARDS, from, from + piece < STEPS ? from + piece : STEPS, fault);
    training_end(&t);
    mem_free(metrics);
    return dir;
}

static const fault_t none = {-1, 0};

static divergence_t compare(const char *a, const char *b)
{
    step_digest_reader_t ta, tb;
    divergence_t d;
    assert_int_equal(step_digest_reader_read(a, &ta), ST_OK);
    assert_int_equal(step_digest_reader_read(b, &tb), ST_OK);
    assert_int_equal(ta.n, 2 * STEPS);
    assert_int_equal(step_digest_reader_compare(&ta, &tb, &d), ST_OK);
    step_digest_reader_fini(&ta);
    step_digest_reader_fini(&tb);
    return d;
}

static void test_equal_runs(void **state)
{
    (void)state;
    char a[256];
    snprintf(a, sizeof a, "%s", make_run("a", 7, none, INT64_MAX));
    divergence_t d = compare(a, make_run("b", 40, none, INT64_MAX));
    assert_int_equal(d.step, -1);
    assert_int_equal(d.compared, STEPS);
    assert_int_equal(d.first_compared, 0);
}

/* "up to the first step that is not in both": a file that ends early, in the middle of a line or at its end, or lost one, is
 * not equal. */
static void assert_alone(const char *a, const char *b, bool in_b, int64_t step)
{
    step_digest_reader_t ta, tb;
    divergence_t d;
    assert_int_equal(step_digest_reader_read(a, &ta), ST_OK);
    assert_int_equal(step_digest_reader_read(b, &tb), ST_OK);
    assert_int_equal(step_digest_reader_compare(&ta, &tb, &d), ST_OK);
    assert_int_equal(d.step, -1);
    assert_int_equal(d.alone, step);
    assert_int_equal(d.compared, step);
    assert_true(d.alone_in_b == in_b);
    step_digest_reader_fini(&ta);
    step_digest_reader_fini(&tb);
}

/* Removes the first line with this text, or its second half; `rest`: and what comes after it. */
static void lose_line(const char *dir, const char *with, bool half, bool rest)
{
    char *path = run_path(dir, FILE_STEPS), *text;
    assert_int_equal(file_read(path, &text, NULL), ST_OK);
    char *line = strstr(text, with);
    assert_non_null(line);
    while (line > text && line[-1] != '\n')
        line--;
    const char *next = strchr(line, '\n') + 1;
    char *kept = mem_printf("%.*s%s", (int)(line - text) + (half ? (int)(next - line) / 2 : 0), text, rest ? "" : next);
    assert_int_equal(file_write_atomic(path, kept, strlen(kept)), ST_OK);
    mem_free(kept);
    mem_free(text);
    mem_free(path);
}

static void test_a_run_that_ends_early(void **state)
{
    (void)state;
    char a[256], b[256];
    for (int half = 0; half < 2; half++) {
        snprintf(a, sizeof a, "%s", make_run(half ? "a5" : "a4", 7, none, INT64_MAX));
        snprintf(b, sizeof b, "%s", make_run(half ? "b5" : "b4", 40, none, INT64_MAX));
        lose_line(b, "{\"step\": 31, \"rows\"", half, true);
        assert_alone(a, b, false, 31);
        assert_alone(b, a, true, 31);
    }
}

static void test_a_line_that_is_lost(void **state)
{
    (void)state;
    char a[256], b[256];
    snprintf(a, sizeof a, "%s", make_run("a6", 7, none, INT64_MAX));
    snprintf(b, sizeof b, "%s", make_run("b6", 40, none, INT64_MAX));
    lose_line(b, "{\"step\": 12, \"component\"", false, false);
    assert_alone(a, b, false, 12);
    lose_line(b, "{\"step\": 5, \"rows\"", false, false);
    assert_alone(a, b, false, 5);
}

static void test_a_row_and_a_component_are_named(void **state)
{
    (void)state;
    char a[256];
    snprintf(a, sizeof a, "%s", make_run("a1", 7, none, INT64_MAX));
    divergence_t d = compare(a, make_run("b1", 3, (fault_t){23, 11}, INT64_MAX));
    assert_int_equal(d.step, 23);
    assert_int_equal(d.compared, 23);
    assert_true(d.rows && !d.dense && d.in_rows.one_row);
    assert_true(d.in_rows.key == key_of(23, 11));
    assert_int_equal(d.in_rows.first_table, 11 % TABLES);
    d = compare(a, make_run("c1", 3, (fault_t){30, 2}, 9));
    assert_int_equal(d.step, 9);
    assert_int_equal(d.compared, 9);
    assert_true(d.dense && !d.rows);
    assert_int_equal(d.component, 1);
    d = compare(a, make_run("d1", 3, (fault_t){0, 2}, 0));
    assert_int_equal(d.step, 0);
    assert_int_equal(d.compared, 0);
    assert_true(d.dense && d.rows);
}

/* The lines before the resume are of a life that was lost; those after it are what the run is made of. */
static void test_a_resumed_run(void **state)
{
    (void)state;
    char a[256], b[256];
    snprintf(a, sizeof a, "%s", make_run("a2", 7, none, INT64_MAX));
    snprintf(b, sizeof b, "%s", make_run("b2", 8, (fault_t){30, 1}, 30));
    assert_int_equal(compare(a, b).step, 30);
    char *path = run_path(b, FILE_STEPS);
    training_t t;
    assert_int_equal(training_begin(&t, b, 2 * STEPS, 0, 25), ST_OK); /* a cut that leaves all of them */
    for (int s = SHARDS - 1; s >= 0; s--)
        put(t.merger, s, 25, STEPS, none);
    put_dense(t.merger, 25, STEPS, INT64_MAX);
    training_end(&t);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs("{\"step\": 3, \"rows\": \"00", file); /* cut off by a crash */
    fclose(file);
    mem_free(path);
    assert_int_equal(compare(a, b).step, -1);
}

/* Leaves the lines of `from` that come before the cut in it, and puts all others into `to`. */
static void split_lines(const char *from, const char *to, int64_t cut)
{
    char *whole, *end;
    uint64_t intervals;
    assert_int_equal(file_read(from, &whole, NULL), ST_OK);
    char *kept = mem_strdup(whole);
    assert_int_equal(metrics_lines_keep(from, cut, 0, kept, &intervals, &end), ST_OK);
    *end = 0;
    FILE *others = fopen(to, "a");
    assert_non_null(others);
    for (char *line = whole, *next; *line; line = next) {
        next = strchr(line, '\n') + 1;
        char *text = mem_printf("%.*s", (int)(next - line), line);
        if (!strstr(kept, text))
            fputs(text, others);
        mem_free(text);
    }
    fclose(others);
    assert_int_equal(file_write_atomic(from, kept, strlen(kept)), ST_OK);
    mem_free(whole);
    mem_free(kept);
}

/* "metrics.jsonl, where older programs put them": all lines there, or those of before a resume. */
static void test_lines_of_an_older_smelter(void **state)
{
    (void)state;
    char a[256], b[256];
    snprintf(a, sizeof a, "%s", make_run("a7", 7, none, INT64_MAX));
    for (int whole = 0; whole < 2; whole++) {
        snprintf(b, sizeof b, "%s", make_run(whole ? "b7" : "b8", 8, none, INT64_MAX));
        char *metrics = run_path(b, FILE_METRICS), *steps = run_path(b, FILE_STEPS);
        split_lines(steps, metrics, 0);
        if (whole)
            assert_int_equal(unlink(steps), 0);
        else
            split_lines(metrics, steps, 25);
        assert_int_equal(compare(a, b).compared, STEPS);
        mem_free(metrics);
        mem_free(steps);
    }
}

/* "lines of later steps leave the file, and one that was cut off": of rows those of the last `depth` steps too, which come
 * again. */
static void test_lines_are_cut_where_a_run_goes_on(void **state)
{
    (void)state;
    const char *dir = make_run("a9", 7, none, INT64_MAX);
    char *path = run_path(dir, FILE_STEPS), *text;
    FILE *file = fopen(path, "a");
    fputs("{\"step\": 3, \"rows\": \"00", file);
    fclose(file);
    training_t t;
    assert_int_equal(training_begin(&t, dir, 25, 1, 25), ST_OK);
    training_end(&t);
    assert_int_equal(file_read(path, &text, NULL), ST_OK);
    assert_true(text[strlen(text) - 1] == '\n');
    assert_non_null(strstr(text, "{\"step\": 24, \"component\""));
    assert_null(strstr(text, "{\"step\": 25, "));
    assert_non_null(strstr(text, "{\"step\": 23, \"rows\""));
    assert_null(strstr(text, "{\"step\": 24, \"rows\""));
    /* A digit; the name of the step of the last line, which then seems to be of none; the name of its check. */
    char *last = text + strlen(text) - 1;
    while (last > text && last[-1] != '\n')
        last--;
    char *const places[] = {strstr(text, "\"rows\": \"") + 9, strstr(last, "step"), strstr(last, "check")};
    for (int i = 0; i < 3; i++) {
        *places[i] ^= 1;
        assert_int_equal(file_write_atomic(path, text, strlen(text)), ST_OK);
        catch_start();
        assert_int_equal(training_begin(&t, dir, 25, 1, 25), ST_CORRUPT);
        catch_stop();
        assert_caught("was changed after it was written");
        *places[i] ^= 1;
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(training_begin(&t, dir, 25, 1, 25), ST_OK);
    training_end(&t);
    assert_false(file_exists(path));
    mem_free(text);
    mem_free(path);
}

static void test_bad_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } bad[] = {
        {"{\"step\": 3, \"rows\": \"00\"}\n", "line 1: its digest is not a whole number of 16 digits"},
        {"{\"step\": 3, \"rows\": \"000000000000000g\"}\n", "characters that are no hexadecimal digits"},
        {"{\"rows\": \"0000000000000000\"}\n", "a digest without a step"},
        {"{\"step\": -3, \"rows\": \"0000000000000000\"}\n", "its step is not a number"},
        {"{\"step\": 3, \"dense\": \"0000000000000000\"}\n", "without a component"},
        {"{\"step\": 3, \"rows\": \"0000000000000001\", \"check\": \"01234567\"}\n",
         "line 1: it was changed after it was written"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *dir = test_path("bad%zu", i);
        char *path = run_path(dir, FILE_METRICS);
        step_digest_reader_t trace;
        assert_int_equal(dir_create(dir), ST_OK);
        assert_int_equal(file_write_atomic(path, bad[i].line, strlen(bad[i].line)), ST_OK);
        catch_start();
        assert_int_equal(step_digest_reader_read(dir, &trace), ST_CORRUPT);
        catch_stop();
        assert_caught(bad[i].why);
        mem_free(path);
    }
    step_digest_reader_t nothing = {0};
    divergence_t d;
    catch_start();
    assert_int_equal(step_digest_reader_compare(&nothing, &nothing, &d), ST_INPUT);
    catch_stop();
    assert_caught("no step in common");
}

/* A coordinator that was held up reads all that one connection has gathered before it reads the next: the lines are the
 * same. */
static void test_shards_may_arrive_one_after_the_other(void **state)
{
    (void)state;
    enum { MANY = 20 * STEP_BATCH_STEPS };
    char *text[2];
    for (int late = 0; late < 2; late++) {
        const char *dir = test_path("late%d", late);
        char *path = run_path(dir, FILE_STEPS);
        training_t t;
        assert_int_equal(dir_create(dir), ST_OK);
        assert_int_equal(training_begin(&t, dir, 0, 0, 5), ST_OK);
        for (int n = 0; n < MANY / STEP_BATCH_STEPS * SHARDS; n++) {
            const int shard = late ? n * STEP_BATCH_STEPS / MANY : n % SHARDS;
            const int64_t from = 5 + (late ? n * STEP_BATCH_STEPS % MANY : n / SHARDS * STEP_BATCH_STEPS);
            put(t.merger, shard, from, from + STEP_BATCH_STEPS, none);
        }
        training_end(&t);
        assert_int_equal(file_read(path, &text[late], NULL), ST_OK);
        mem_free(path);
    }
    assert_non_null(strstr(text[0], "\"step\": 1284"));
    assert_string_equal(text[0], text[1]);
    mem_free(text[0]);
    mem_free(text[1]);
}

static void test_bad_messages_are_refused(void **state)
{
    (void)state;
    const step_digest_options_t o = {
        .shards = SHARDS, .tables = TABLES, .groups = 2, .components = 2, .first_rows = 10, .first_dense = 11, .end = 14};
    step_digest_merger_t *lines = step_digest_merger_create(&o);
    uint64_t words[64] = {0};
    const int64_t bytes = step_digest_words(TABLES) * 8;
    net_message_t message = {
        .header = {.type = WIRE_DIGESTS, .step = INT64_C(1) << 60, .count = 1}, .frames = 1, .frame = {{words, bytes}}};
    assert_refusal(step_digest_merger_put_rows(lines, 0, &message), "those from 10 on come next, up to 13");
    put(lines, 1, 10, 12, none);
    message.header.step = 13;
    assert_refusal(step_digest_merger_put_rows(lines, 1, &message), "those from 12 on come next");
    message.header.step = 12;
    message.frame[0].bytes -= 8;
    assert_refusal(step_digest_merger_put_rows(lines, 1, &message), "digests of 1 steps came in");
    message.header.count = 3;
    message.frame[0].bytes = 3 * bytes;
    assert_refusal(step_digest_merger_put_rows(lines, 1, &message), "digests of steps 12 to 14 came");
    message.header.step = 11;
    assert_refusal(step_digest_merger_put_dense(lines, 0, &message), "digests of 3 steps came in");
    message.frame[0].bytes = 3 * 8;
    assert_refusal(step_digest_merger_put_dense(lines, 1, &message), "from component 0 on came from group 1");
    assert_int_equal(step_digest_merger_put_dense(lines, 0, &message), ST_OK);
    assert_refusal(step_digest_merger_put_dense(lines, 0, &message), "those from 14 on come next");
    message.header.table = 1;
    assert_int_equal(step_digest_merger_put_dense(lines, 1, &message), ST_OK);
    step_digest_merger_destroy(&lines);
}

static bool fdatasync_fails;

/* In the place of the C library's. */
int fdatasync(int fd)
{
    errno = EIO;
    return fdatasync_fails ? -1 : fsync(fd);
}

static void test_a_disk_that_fails_is_said_once(void **state)
{
    (void)state;
    training_t t;
    assert_int_equal(training_begin(&t, test_dir(), 0, 1, 0), ST_OK);
    put_dense(t.merger, 0, 1, STEPS);
    for (int shard = 0; shard < SHARDS; shard++)
        put(t.merger, shard, 0, 1, none);
    assert_true(file_exists(test_path(FILE_METRICS)) && file_exists(test_path(FILE_STEPS)));
    fdatasync_fails = true;
    catch_start();
    assert_int_equal(run_events_emit(t.events, &(run_event_t){.kind = EVENT_SYNC}), ST_SYSTEM);
    catch_stop();
    fdatasync_fails = false;
    assert_caught("cannot be synced: Input/output error");
    assert_ptr_equal(strchr(catch_text(), '\n') + 1, catch_text() + strlen(catch_text()));
    training_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_runs),
        cmocka_unit_test(test_a_row_and_a_component_are_named),
        cmocka_unit_test(test_a_run_that_ends_early),
        cmocka_unit_test(test_a_line_that_is_lost),
        cmocka_unit_test(test_a_resumed_run),
        cmocka_unit_test(test_lines_of_an_older_smelter),
        cmocka_unit_test(test_lines_are_cut_where_a_run_goes_on),
        cmocka_unit_test(test_bad_files_are_named),
        cmocka_unit_test(test_shards_may_arrive_one_after_the_other),
        cmocka_unit_test(test_bad_messages_are_refused),
        cmocka_unit_test(test_a_disk_that_fails_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
