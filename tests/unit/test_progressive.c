/* test_progressive - "examples are put back into the order of the training data, so the numbers depend neither on the number
 * of workers nor on how they cut the run into messages" and "the lines of a run that was resumed are those of one that never
 * stopped" (launcher/metrics/progressive.h): the same lines, byte for byte, from 1 to 4 workers with their messages cut
 * anywhere and in any order, saved and resumed before any step with other workers; and what does not fit the run is an
 * error. */
#include "launcher/metrics/progressive.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"
#include "common/files/file.h"
#include "common/files/jsondoc.h"
#include "common/metrics/time_windows.h"
#include "common/metrics/weighted.h"
#include "common/net/message.h"
#include "common/net/net_sim.h"
#include "tests/lib/testing.h"

#define MOST 2000

/* The run's predictions in the order of the training data. */
typedef struct truth {
    lanes_t lanes;
    int64_t first_visits;
    bool keeps; /* first visits */
    float p[MOST];
    uint8_t y[MOST];
    uint64_t group[MOST];
    bool weighted;  /* examples have weights, */
    int64_t window; /* and times, in ticks of a tenth of a second, which windows are of; 0: none */
    float w[MOST];
    int64_t time[MOST];
} truth_t;

static truth_t make_truth(int64_t batch, int64_t total, int lanes, uint64_t seed)
{
    truth_t t = {.lanes = {.batch = batch, .total = total, .lanes = lanes}, .first_visits = total};
    assert_true(total <= MOST);
    for (int i = 0; i < total; i++) {
        t.p[i] = (float)rng_uniform(seed, 1, (uint64_t)i);
        t.y[i] = rng_u64(seed, 2, (uint64_t)i) % 3 == 0;
        t.group[i] = rng_u64(seed, 3, (uint64_t)i) % 20;
        t.w[i] = (float)(rng_u64(seed, 4, (uint64_t)i) % 4) / 2.0f;
        t.time[i] = i % 31 == 5 ? TIME_WINDOWS_NO_TIME : 40 * i - 3000 + (int64_t)(rng_u64(seed, 5, (uint64_t)i) % 2000);
    }
    return t;
}

/* A worker's part of the steps [from, to), copied; returns its length. */
static int64_t part_of(const truth_t *t, int worker, int workers, int64_t from, int64_t to, float *p, uint8_t *y,
                       uint64_t *words)
{
    const message_about_t about = message_about(t->window > 0, t->weighted);
    int64_t n = 0;
    const int64_t size = t->lanes.batch / t->lanes.lanes;
    for (int64_t step = from; step < to; step++)
        for (int lane = lanes_first(&t->lanes, worker, workers); lane < lanes_first(&t->lanes, worker + 1, workers); lane++)
            for (int64_t i = 0; i < lanes_rows(&t->lanes, step, lane); i++, n++) {
                const int64_t at = step * t->lanes.batch + lane * size + i;
                p[n] = t->p[at];
                y[n] = t->y[at];
                words[n * about.words] = t->group[at];
                if (about.time >= 0)
                    words[n * about.words + about.time] = (uint64_t)t->time[at];
                if (about.weight >= 0)
                    words[n * about.words + about.weight] = message_weight_word(t->w[at]);
            }
    return n;
}

typedef struct fixture {
    net_sim_world_t *world;
    net_t *net, *worker[8];
    int workers;
    progressive_t *progressive;
    run_events_t *events;
    const char *path;
} fixture_t;

static void connect_all(fixture_t *f, int workers, uint64_t seed)
{
    *f = (fixture_t){.world = net_sim_world_create(seed, 5),
                     .workers = workers,
                     .events = run_events_create(NULL),
                     .path = test_path("metrics.jsonl")};
    f->net = net_sim_attach(f->world, 0);
    for (int w = 0; w < workers; w++) {
        f->worker[w] = net_sim_attach(f->world, w + 1);
        net_sim_dial(f->worker[w], 0, f->net);
    }
}

static progressive_options_t options_of(const fixture_t *f, const truth_t *t, int64_t interval)
{
    return (progressive_options_t){.events = f->events,
                                   .net = f->net,
                                   .workers = f->workers,
                                   .lanes = t->lanes,
                                   .interval = interval,
                                   .first_visits = t->first_visits,
                                   .has_weight = t->weighted,
                                   .window = t->window,
                                   .ticks = 10,
                                   .keeps = t->keeps};
}

/* The file of the lines is made, or cut where a run goes on. */
static status_t open_lines(run_events_t *events, progressive_t *progressive, const char *where)
{
    uint64_t lines;
    char *dir = mem_strdup(test_path("%s", ""));
    const bool known = progressive_lines(progressive, &lines);
    const event_train_t train = {.run_dir = dir,
                                 .resumed = where != NULL,
                                 .step = progressive_steps(progressive),
                                 .where = where,
                                 .lines = &lines,
                                 .lines_known = known};
    const status_t status = run_events_emit(events, &(run_event_t){.kind = EVENT_TRAIN, .train = train});
    if (status == ST_OK && !known)
        progressive_set_lines(progressive, lines);
    mem_free(dir);
    return status;
}

static status_t resume(const progressive_options_t *options, const void *saved, int64_t bytes, const char *where,
                       progressive_t **out)
{
    TRY(progressive_resume(options, saved, bytes, where, out));
    const status_t status = open_lines(options->events, *out, where);
    if (status != ST_OK)
        progressive_destroy(out);
    return status;
}

static void setup(fixture_t *f, const truth_t *t, int workers, int64_t interval, uint64_t seed)
{
    connect_all(f, workers, seed);
    const progressive_options_t options = options_of(f, t, interval);
    f->progressive = progressive_create(&options);
    assert_int_equal(open_lines(f->events, f->progressive, NULL), ST_OK);
    assert_true(isnan(progressive_logloss(f->progressive)));
}

static void teardown(fixture_t *f)
{
    progressive_destroy(&f->progressive);
    assert_null(f->progressive);
    run_events_destroy(&f->events);
    for (int w = 0; w < f->workers; w++)
        net_close(&f->worker[w]);
    net_close(&f->net);
    net_sim_world_destroy(&f->world);
}

static void post(fixture_t *f, int worker, int64_t step, int64_t count, const float *p, const uint8_t *y, const uint64_t *about,
                 int64_t words)
{
    const wire_header_t header = wire_header(WIRE_PROGRESS, 1, 0, 0, step, count);
    const wire_frame_t frames[] = {{p, count * 4}, {y, count}, {about, words * 8}};
    assert_int_equal(net_send(f->worker[worker], 0, &header, frames, 3), ST_OK);
}

static void post_part(fixture_t *f, const truth_t *t, int worker, int64_t from, int64_t to)
{
    static float p[MOST];
    static uint8_t y[MOST];
    static uint64_t words[3 * MOST];
    const int64_t n = part_of(t, worker, f->workers, from, to, p, y, words);
    post(f, worker, from, n, p, y, words, n * message_about(t->window > 0, t->weighted).words);
}

static const float *weights_from(const truth_t *t, int64_t first)
{
    return t->weighted ? t->w + first : NULL;
}

static double loss_of(const truth_t *t, int64_t first, int64_t end)
{
    return end > first ? weighted_logloss(t->p + first, t->y + first, weights_from(t, first), end - first) : NAN;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void assert_loss(double value, double expected)
{
    assert_true(isnan(expected) ? isnan(value) : fabs(value - expected) < 1e-12);
}

/* Both means at the end of the run: of the first visits, and of the others. */
static void check_losses(const progressive_t *progressive, const truth_t *t)
{
    const int64_t first = least(t->first_visits, t->lanes.total);
    assert_loss(progressive_logloss(progressive), loss_of(t, 0, first));
    assert_loss(progressive_training_logloss(progressive), loss_of(t, first, t->lanes.total));
    if (!t->keeps)
        return;
    int64_t n;
    const float *kept = progressive_first(progressive, &n);
    assert_int_equal(n, first);
    assert_memory_equal(kept, t->p, (size_t)n * sizeof *kept);
}

/* Take every message there is; the status of the first that was not taken. */
static status_t take_all(fixture_t *f)
{
    net_message_t message;
    while (net_receive(f->net, &message, 100) == ST_OK) {
        const status_t status = progressive_put(f->progressive, message.peer - 1, &message, 0);
        net_release(f->net, &message); /* where it was refused */
        TRY(status);
    }
    return ST_OK;
}

/* Send the steps [from, to) in messages: of every worker at once, or cut anywhere where `cut` is not 0. */
static void post_steps(fixture_t *f, const truth_t *t, int64_t from, int64_t to, uint64_t cut)
{
    for (int w = f->workers - 1; w >= 0; w--)
        for (int64_t at = from, end; at < to; at = end) {
            end = cut ? at + 1 + (int64_t)(rng_u64(cut, (uint64_t)w, (uint64_t)at) % 5) : to;
            post_part(f, t, w, at, end < to ? end : to);
        }
}

/* The whole run in intervals; the lines written, **owned**. */
static char *lines_of(const truth_t *t, int workers, int64_t interval, uint64_t seed, uint64_t cut)
{
    fixture_t f;
    setup(&f, t, workers, interval, seed);
    const int64_t steps = lanes_steps(&t->lanes);
    for (int64_t from = 0; from < steps; from += interval) {
        post_steps(&f, t, from, from + interval < steps ? from + interval : steps, cut);
        if (seed % 2) /* else all intervals are on their way together */
            assert_int_equal(take_all(&f), ST_OK);
    }
    assert_int_equal(take_all(&f), ST_OK);
    assert_int_equal(progressive_steps(f.progressive), steps);
    assert_int_equal(progressive_examples(f.progressive), t->lanes.total);
    check_losses(f.progressive, t);
    teardown(&f);
    char *text;
    assert_int_equal(file_read(test_path("metrics.jsonl"), &text, NULL), ST_OK);
    return text;
}

/* JSON has no NaN: a number that an interval does not have is null. */
static void check_number(const char *line, const char *key, double expected)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    double value;
    assert_non_null(at);
    at += strlen(quoted);
    at += strspn(at, " ");
    if (isnan(expected))
        assert_int_equal(strncmp(at, "null", 4), 0);
    else
        assert_true(sscanf(at, "%lf", &value) == 1 && fabs(value - expected) < 1e-12);
}

/* One worker's lines, against the metrics of each interval. */
static void check_lines(const truth_t *t, int64_t interval, const char *text)
{
    const int64_t steps = lanes_steps(&t->lanes);
    for (int64_t from = 0; from < steps; from += interval) {
        const int64_t first = from * t->lanes.batch, to = from + interval < steps ? from + interval : steps;
        const int64_t end = to * t->lanes.batch < t->lanes.total ? to * t->lanes.batch : t->lanes.total, n = end - first;
        check_number(text, "step", (double)to);
        check_number(text, "examples", (double)end);
        check_number(text, "interval_examples", (double)n);
        check_number(text, "logloss", weighted_logloss(t->p + first, t->y + first, weights_from(t, first), n));
        check_number(text, "auc_loss", weighted_auc_loss(t->p + first, t->y + first, weights_from(t, first), n));
        check_number(text, "calibration", weighted_calibration(t->p + first, t->y + first, weights_from(t, first), n));
        const int64_t visited = least(end, t->first_visits);
        check_number(text, "first_visits", (double)visited);
        check_number(text, "progressive_logloss", loss_of(t, 0, visited));
        check_number(text, "training_logloss", loss_of(t, visited, end));
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    assert_string_equal(text, "");
}

/* The last that the lines tell of a window; false where they do not. */
static bool find_window(const char *text, double start, double *examples, double *logloss, double *auc)
{
    bool found = false;
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        jsondoc_t *doc;
        assert_int_equal(jsondoc_parse(line, (size_t)(end - line), "line", &doc), ST_OK);
        const jsondoc_t *windows = NULL;
        if (jsondoc_has(doc, "windows"))
            assert_int_equal(jsondoc_get_array(doc, "line", "windows", &windows), ST_OK);
        for (int64_t i = 0; windows && i < jsondoc_length(windows); i++) {
            const jsondoc_t *one = jsondoc_at(windows, i);
            double of;
            assert_int_equal(jsondoc_get_number(one, "line", "start", &of), ST_OK);
            if (of != start && !(isnan(of) && isnan(start)))
                continue;
            found = true;
            assert_int_equal(jsondoc_get_number(one, "line", "examples", examples), ST_OK);
            assert_int_equal(jsondoc_get_number(one, "line", "logloss", logloss), ST_OK);
            assert_int_equal(jsondoc_get_number(one, "line", "auc", auc), ST_OK);
        }
        jsondoc_destroy(&doc);
    }
    return found;
}

/* First visits by windows: each is told of, whole, by the end of the first pass. */
static void check_windows(const truth_t *t, const char *text)
{
    time_window_t *window;
    const int64_t first = least(t->first_visits, t->lanes.total),
                  n = time_windows_measure(&(timed_predictions_t){first, t->p, t->y, weights_from(t, 0), t->time}, t->window,
                                           &window);
    assert_true(n > 1 || first < 100);
    for (int64_t i = 0; i < n; i++) {
        double examples, logloss, auc;
        const double start = window[i].start == TIME_WINDOWS_NO_TIME ? NAN : (double)window[i].start / 10;
        assert_true(find_window(text, start, &examples, &logloss, &auc));
        assert_true(examples == (double)window[i].examples);
        assert_loss(logloss, window[i].logloss);
        assert_true(isnan(auc) ? isnan(window[i].auc) : fabs(auc - window[i].auc) < 0.02); /* few examples: ties in bins */
    }
    mem_free(window);
}

static void test_lines_do_not_depend_on_the_workers(void **state)
{
    (void)state;
    /* batch, total, lanes, interval, first visits: of one epoch, of many that end inside and at the end of a batch and an
     * interval, of a run that ends in its first pass */
    static const int64_t shapes[][5] = {{32, 1000, 4, 5, 1000}, {32, 960, 8, 7, 960}, {8, 101, 8, 1, 101},
                                        {64, 70, 4, 50, 70},    {16, 1, 4, 3, 1},     {32, 1000, 4, 5, 333},
                                        {32, 960, 8, 7, 480},   {32, 960, 8, 5, 160}, {8, 101, 8, 1, 1},
                                        {64, 70, 4, 50, 35},    {32, 640, 4, 5, 1000}};
    test_dir();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        truth_t t = make_truth(shapes[i][0], shapes[i][1], (int)shapes[i][2], i);
        t.first_visits = shapes[i][4];
        t.weighted = i % 2;
        t.window = i % 3 ? 5000 : 0;
        char *one = lines_of(&t, 1, shapes[i][3], 0, 0);
        check_lines(&t, shapes[i][3], one);
        if (t.window)
            check_windows(&t, one);
        for (int workers = 1; workers <= 4; workers++)
            for (uint64_t seed = 0; seed < 6; seed++) {
                char *more = lines_of(&t, workers, shapes[i][3], seed, seed / 2);
                assert_string_equal(more, one);
                mem_free(more);
            }
        mem_free(one);
    }
}

/* The run with a save before step `cut`, a crash some steps later in the middle of a line, and a resume with other workers. */
static void check_resume(const truth_t *t, int64_t interval, int64_t cut, int before, int after, const char *expected)
{
    fixture_t f;
    const int64_t steps = lanes_steps(&t->lanes), lost = cut + 2 * interval < steps ? cut + 2 * interval : steps;
    setup(&f, t, before, interval, 1);
    post_steps(&f, t, 0, cut, 1);
    assert_int_equal(take_all(&f), ST_OK);
    assert_int_equal(progressive_steps(f.progressive), cut);
    int64_t bytes;
    void *saved = progressive_save(f.progressive, 0, &bytes);
    line_sum_t none[3];
    const event_sync_t sync = {cut, &none[0], &none[1], &none[2]};
    assert_int_equal(run_events_emit(f.events, &(run_event_t){.kind = EVENT_SYNC, .sync = sync}), ST_OK);
    post_steps(&f, t, cut, lost, 0);
    assert_int_equal(take_all(&f), ST_OK);
    teardown(&f);
    FILE *file = fopen(test_path("metrics.jsonl"), "a");
    fputs("{\"step\": 1", file);
    fclose(file);

    connect_all(&f, after, 2);
    const progressive_options_t options = options_of(&f, t, interval);
    assert_int_equal(resume(&options, saved, bytes, "progress.bin", &f.progressive), ST_OK);
    assert_int_equal(progressive_steps(f.progressive), cut);
    assert_int_equal(progressive_examples(f.progressive),
                     cut * t->lanes.batch < t->lanes.total ? cut * t->lanes.batch : t->lanes.total);
    post_steps(&f, t, cut, steps, 2);
    assert_int_equal(take_all(&f), ST_OK);
    check_losses(f.progressive, t);
    teardown(&f);
    mem_free(saved);
    char *text;
    assert_int_equal(file_read(test_path("metrics.jsonl"), &text, NULL), ST_OK);
    assert_string_equal(text, expected);
    mem_free(text);
}

static void test_a_resumed_run_has_the_lines_of_one_that_never_stopped(void **state)
{
    (void)state;
    /* batch, total, lanes, interval, first visits */
    static const int64_t shapes[][5] = {{32, 1000, 4, 5, 1000}, {8, 101, 8, 3, 50}, {64, 70, 4, 1, 70}, {32, 600, 4, 5, 300}};
    test_dir();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        truth_t t = make_truth(shapes[i][0], shapes[i][1], (int)shapes[i][2], i);
        t.first_visits = shapes[i][4];
        t.weighted = i % 2;
        t.window = i ? 5000 : 0;
        char *expected = lines_of(&t, 1, shapes[i][3], 0, 0);
        for (int64_t cut = 0; cut < lanes_steps(&t.lanes); cut++)
            for (int after = 1; after <= 4; after += after) {
                t.keeps = (cut + after / 2) % 2;
                check_resume(&t, shapes[i][3], cut, 2, after, expected);
            }
        mem_free(expected);
    }
}

static void test_saves_that_do_not_fit(void **state)
{
    (void)state;
    test_dir();
    const truth_t t = make_truth(32, 320, 4, 9), shorter = make_truth(32, 64, 4, 9);
    fixture_t f;
    progressive_t *none = NULL;
    int64_t bytes;
    setup(&f, &t, 1, 4, 1);
    post_part(&f, &t, 0, 0, 6);
    assert_int_equal(take_all(&f), ST_OK);
    char *saved = progressive_save(f.progressive, 0, &bytes);
    const progressive_options_t options = options_of(&f, &t, 4), other = options_of(&f, &shorter, 4);
    catch_start();
    assert_int_equal(resume(&options, saved, 10, "progress.bin", &none), ST_CORRUPT);
    assert_caught("progress.bin: has 10 bytes, too few for progressive metrics");
    assert_int_equal(resume(&options, saved, bytes - 1, "progress.bin", &none), ST_CORRUPT);
    assert_caught("progress.bin: holds 128 and 64 examples before step 6 in");
    assert_int_equal(resume(&other, saved, bytes, "progress.bin", &none), ST_CORRUPT);
    assert_caught("which do not fit the run");
    progressive_options_t keeping = options;
    keeping.keeps = true;
    assert_int_equal(resume(&keeping, saved, bytes, "progress.bin", &none), ST_INPUT);
    assert_caught("progress.bin: does not hold what the first 192 examples were predicted as, which students are to learn");
    saved[8] = 6;
    assert_int_equal(resume(&options, saved, bytes, "progress.bin", &none), ST_CORRUPT);
    assert_caught("progress.bin: has format 6, this program reads 5; use the smelter that wrote it, or a newer one");
    saved[0] ^= 1;
    assert_int_equal(resume(&options, saved, bytes, "progress.bin", &none), ST_CORRUPT);
    assert_caught("progress.bin: does not hold progressive metrics");
    catch_stop();
    assert_null(none);
    mem_free(saved);
    teardown(&f);

    truth_t kept = t; /* one that was kept and is not wanted is passed over; one too few is an error */
    kept.keeps = true;
    setup(&f, &kept, 1, 4, 1);
    post_part(&f, &kept, 0, 0, 6);
    assert_int_equal(take_all(&f), ST_OK);
    saved = progressive_save(f.progressive, 0, &bytes);
    const progressive_options_t plain = options_of(&f, &t, 4);
    assert_int_equal(resume(&plain, saved, bytes, "progress.bin", &none), ST_OK);
    progressive_destroy(&none);
    catch_start();
    saved[9 * 8]--;
    assert_int_equal(resume(&plain, saved, bytes, "progress.bin", &none), ST_CORRUPT);
    assert_caught("progress.bin: holds 191 predictions of the first pass, and not the 192 before step 6");
    saved[9 * 8]++;
    assert_int_equal(resume(&plain, saved, bytes - 4, "progress.bin", &none), ST_CORRUPT);
    catch_stop();
    mem_free(saved);
    teardown(&f);
}

/* The lines from before the save must be those that the run wrote: not another's, not fewer, not changed. Else the file is as
 * it was. */
static void test_lines_of_another_run(void **state)
{
    (void)state;
    test_dir();
    const truth_t t = make_truth(32, 320, 4, 9), of_another = make_truth(32, 320, 4, 10);
    char *others = lines_of(&of_another, 1, 2, 0, 0);
    fixture_t f;
    progressive_t *none = NULL;
    int64_t bytes;
    setup(&f, &t, 1, 2, 1);
    post_part(&f, &t, 0, 0, 6);
    assert_int_equal(take_all(&f), ST_OK);
    char *saved = progressive_save(f.progressive, 0, &bytes), *own, *after;
    const progressive_options_t options = options_of(&f, &t, 2);
    assert_int_equal(file_read(f.path, &own, NULL), ST_OK);
    char *shorter = mem_strdup(own);
    strchr(shorter, '\n')[1] = 0;
    const char *const wrong[] = {others, shorter, ""};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(file_write_atomic(f.path, wrong[i], strlen(wrong[i])), ST_OK);
        catch_start();
        assert_int_equal(resume(&options, saved, bytes, "step-6/progress.bin", &none), ST_CORRUPT);
        catch_stop();
        assert_caught("metrics.jsonl: its lines up to step 6 have checksum ");
        assert_caught("those that the run had written before the checkpoint in step-6/progress.bin have ");
        assert_int_equal(file_read(f.path, &after, NULL), ST_OK);
        assert_string_equal(after, wrong[i]);
        mem_free(after);
    }
    assert_int_equal(dir_remove_tree(f.path), ST_OK);
    catch_start();
    assert_int_equal(resume(&options, saved, bytes, "step-6/progress.bin", &none), ST_CORRUPT);
    catch_stop();
    assert_caught("metrics.jsonl: is not there, and the run had written lines up to step 6 to it");
    assert_false(file_exists(f.path));
    assert_int_equal(file_write_atomic(f.path, own, strlen(own)), ST_OK);
    assert_int_equal(resume(&options, saved, bytes, "step-6/progress.bin", &none), ST_OK);
    progressive_destroy(&none);
    teardown(&f);
    mem_free(saved);
    mem_free(own);
    mem_free(others);
    mem_free(shorter);
}

/* What an older smelter saved: no sum of later visits, and one of all in its place. */
static void check_older(int64_t first_visits, bool is_known)
{
    truth_t t = make_truth(32, 640, 4, 3);
    fixture_t f;
    int64_t bytes;
    enum { HEAD = 7 * 8, HEAD_NOW = 9 * 8 };
    setup(&f, &t, 1, 5, 1); /* all visits are first ones: the sum is of all */
    post_part(&f, &t, 0, 0, 12);
    assert_int_equal(take_all(&f), ST_OK);
    char *saved = progressive_save(f.progressive, 0, &bytes);
    saved[8] = 1;
    memmove(saved + HEAD, saved + HEAD_NOW, (size_t)bytes - HEAD_NOW);
    bytes -= HEAD_NOW - HEAD;
    teardown(&f);

    t.first_visits = first_visits;
    connect_all(&f, 1, 2);
    const progressive_options_t options = options_of(&f, &t, 5);
    assert_int_equal(resume(&options, saved, bytes, "progress.bin", &f.progressive), ST_OK);
    post_part(&f, &t, 0, 12, 20);
    assert_int_equal(take_all(&f), ST_OK);
    if (is_known)
        check_losses(f.progressive, &t);
    else
        assert_true(isnan(progressive_logloss(f.progressive)) && isnan(progressive_training_logloss(f.progressive)));
    teardown(&f);
    mem_free(saved);
}

static void test_saves_of_an_older_smelter(void **state)
{
    (void)state;
    test_dir();
    check_older(640, true);  /* one epoch */
    check_older(320, true);  /* saved in the first pass */
    check_older(160, false); /* and after it */
}

static void test_messages_that_do_not_fit(void **state)
{
    (void)state;
    test_dir();
    const truth_t t = make_truth(32, 320, 4, 9);
    fixture_t f;
    setup(&f, &t, 2, 2, 1); /* half a step; and the interval before it stands */
    for (int w = 0; w < 2; w++)
        post_part(&f, &t, w, 0, 2);
    post(&f, 0, 2, 8, t.p, t.y, t.group, 8);
    assert_refusal(take_all(&f),
                   "worker 0 sent 8 progressive predictions from step 2 on, which are not those of whole steps from step 2 on");
    assert_int_equal(progressive_steps(f.progressive), 2);
    teardown(&f);

    setup(&f, &t, 1, 4, 1); /* the same steps twice */
    post_part(&f, &t, 0, 0, 4);
    post_part(&f, &t, 0, 0, 4);
    assert_refusal(
        take_all(&f),
        "worker 0 sent 128 progressive predictions from step 0 on, which are not those of whole steps from step 4 on");
    teardown(&f);

    setup(&f, &t, 1, 4, 1); /* more than the run has */
    post_part(&f, &t, 0, 0, 10);
    post(&f, 0, 10, 32, t.p, t.y, t.group, 32);
    assert_refusal(take_all(&f), "from step 10 on, which are not those of whole steps from step 10 on");
    teardown(&f);

    setup(&f, &t, 1, 4, 1); /* more than a group of each */
    post(&f, 0, 0, 32, t.p, t.y, t.group, 64);
    assert_refusal(take_all(&f), "worker 0 sent progressive predictions that are not one for each example, with a query");
    teardown(&f);

    const truth_t longer = make_truth(4, 1200, 4, 9);
    setup(&f, &longer, 2, 4, 1); /* after a pause: all of one worker comes before all of the other */
    for (int i = 0; i < 300; i++)
        post_part(&f, &longer, 1, i, i + 1);
    assert_int_equal(take_all(&f), ST_OK);
    assert_int_equal(progressive_steps(f.progressive), 0);
    for (int i = 0; i < 300; i++)
        post_part(&f, &longer, 0, i, i + 1);
    assert_int_equal(take_all(&f), ST_OK);
    assert_int_equal(progressive_steps(f.progressive), 300);
    teardown(&f);

    setup(&f, &longer, 2, 4, 1); /* what is here; and a step that no run has is told at once */
    post_part(&f, &longer, 0, 0, 7);
    post_part(&f, &longer, 1, 0, 300);
    assert_int_equal(take_all(&f), ST_OK);
    assert_true(progressive_has(f.progressive, 0, 7) && !progressive_has(f.progressive, 0, 8));
    assert_true(progressive_has(f.progressive, 1, 300) && progressive_has(f.progressive, 1, INT64_MAX));
    teardown(&f);

    uint64_t lines = 0;
    const run_event_t nowhere = {.kind = EVENT_TRAIN, .train = {.run_dir = "/nowhere", .lines = &lines, .lines_known = true}};
    run_events_t *events = run_events_create(NULL);
    catch_start();
    assert_int_equal(run_events_emit(events, &nowhere), ST_INPUT);
    catch_stop();
    assert_caught("/nowhere/metrics.jsonl");
    run_events_destroy(&events);
}

static void test_weights_that_are_none(void **state)
{
    (void)state;
    test_dir();
    truth_t weighted = make_truth(32, 320, 4, 9);
    fixture_t f;
    weighted.weighted = true;
    setup(&f, &weighted, 1, 4, 1);
    uint64_t words[64];
    float p[32];
    uint8_t y[32];
    part_of(&weighted, 0, 1, 0, 1, p, y, words);
    words[7] = message_weight_word(-1.0f);
    post(&f, 0, 0, 32, p, y, words, 64);
    assert_refusal(take_all(&f), "worker 0 sent progressive predictions of examples with weights that are none");
    post(&f, 0, 0, 32, p, y, words, 32);
    assert_refusal(take_all(&f), "worker 0 sent progressive predictions that are not one for each example, with a query");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_do_not_depend_on_the_workers),
        cmocka_unit_test(test_a_resumed_run_has_the_lines_of_one_that_never_stopped),
        cmocka_unit_test(test_saves_that_do_not_fit),
        cmocka_unit_test(test_lines_of_another_run),
        cmocka_unit_test(test_saves_of_an_older_smelter),
        cmocka_unit_test(test_messages_that_do_not_fit),
        cmocka_unit_test(test_weights_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
