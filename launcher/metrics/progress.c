#include "launcher/metrics/progress.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/printable.h"
#include "common/base/terminal.h"
#include "common/base/text.h"

#define SECOND_NS INT64_C(1000000000)
#define TTY_PERIOD_NS (SECOND_NS / 10) /* faster than that is flicker */
#define LINES_PERIOD_NS (5 * SECOND_NS)
#define RATE_WINDOW_NS (3 * SECOND_NS) /* shown speed is that of the last few seconds, so that a stall is seen */

typedef enum progress_mode { MODE_TTY, MODE_LINES, MODE_OFF, MODE_COUNT } progress_mode_t;
static const char *const mode_names[MODE_COUNT] = {"tty", "lines", "off"};

typedef struct shown_number {
    const char *name;
    double value; /* NaN: not shown */
} shown_number_t;

struct progress {
    int fd;
    progress_mode_t mode;
    char variant[64];
    progress_run_t run;
    bool is_running, is_drawn;
    int64_t start_ns, drawn_ns;
    int64_t step, examples;
    shown_number_t number[PROGRESS_NUMBERS];
    int numbers;
    int64_t mark_ns, mark_examples; /* where the window of the shown speed began */
    double examples_per_second;
    double seconds_done; /* of the runs finished so far */
    int runs_done;
};

status_t progress_create(int fd, progress_t **out)
{
    progress_mode_t mode = isatty(fd) ? MODE_TTY : MODE_LINES;
    const char *word = getenv("SMELTER_PROGRESS");
    if (word && *word) {
        int i = 0;
        while (i < MODE_COUNT && strcmp(word, mode_names[i]) != 0)
            i++;
        if (i == MODE_COUNT)
            return FAIL(ST_INPUT, "SMELTER_PROGRESS is \"%s\"; it must be tty, lines or off", word);
        mode = (progress_mode_t)i;
    }
    progress_t *progress = MEM_NEW(progress_t);
    progress->fd = fd;
    progress->mode = mode;
    *out = progress;
    return ST_OK;
}

void progress_destroy(progress_t **progress)
{
    if (!*progress)
        return;
    progress_clear(*progress);
    mem_free(*progress);
    *progress = NULL;
}

const char *progress_mode(const progress_t *progress)
{
    return mode_names[progress->mode];
}

static void emit(progress_t *progress, const char *text)
{
    size_t bytes = strlen(text);
    while (bytes > 0) {
        ssize_t n = write(progress->fd, text, bytes);
        if (n <= 0)
            return; /* a watcher who has gone away is no reason to stop training */
        text += n;
        bytes -= (size_t)n;
    }
}

/* "  progressive logloss 0.6123", of each number; short: "  logloss 0.6123". */
static void print_numbers(const progress_t *progress, bool is_short, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < progress->numbers && used < bytes; i++) {
        const shown_number_t *number = &progress->number[i];
        const char *last = strrchr(number->name, ' ');
        if (isfinite(number->value))
            used += (size_t)snprintf(text + used, bytes - used, "  %s %.4f", is_short && last ? last + 1 : number->name,
                                     number->value);
    }
}

/* "relu, replica 1 of 2 (run 1 of 8)"; short: "relu 1/2 (1/8)". */
static void print_name(const progress_t *progress, bool is_short, char *text, size_t bytes)
{
    const progress_run_t *run = &progress->run;
    int n = snprintf(text, bytes, "%s", progress->variant);
    if (run->replicas > 1)
        n += snprintf(text + n, bytes - (size_t)n, is_short ? " %d/%d" : ", replica %d of %d", run->replica + 1, run->replicas);
    if (run->runs > 1)
        snprintf(text + n, bytes - (size_t)n, is_short ? " (%d/%d)" : " (run %d of %d)", run->run + 1, run->runs);
}

static void print_time(const progress_t *progress, int64_t now_ns, bool is_final, char *text, size_t bytes)
{
    const progress_run_t *run = &progress->run;
    double elapsed = (double)(now_ns - progress->start_ns) / (double)SECOND_NS;
    const int64_t made = progress->step - run->first_step;
    double left = made > 0 ? elapsed / (double)made * (double)(run->steps - progress->step) : NAN;
    double per_run = progress->runs_done ? progress->seconds_done / progress->runs_done : elapsed + left;
    double left_in_all = left + per_run * (run->runs - run->run - 1);
    char clock[TEXT_BYTES], clock_in_all[TEXT_BYTES];
    if (is_final)
        snprintf(text, bytes, "%s s", text_count((int64_t)llrint(elapsed), clock));
    else if (run->runs > 1)
        snprintf(text, bytes, "%s left, %s in all", text_duration(left, clock), text_duration(left_in_all, clock_in_all));
    else
        snprintf(text, bytes, "%s left", text_duration(left, clock));
}

/* The line's length in bytes; all of it is ASCII but for a variant's name, which is, too. */
static int compose(const progress_t *progress, int64_t now_ns, bool is_final, bool is_short, char *line, size_t bytes)
{
    char step[TEXT_BYTES], steps[TEXT_BYTES], rate[TEXT_BYTES], what[192], when[112], numbers[256];
    print_name(progress, is_short, what, sizeof what);
    print_time(progress, now_ns, is_final, when, sizeof when);
    print_numbers(progress, is_short, numbers, sizeof numbers);
    return snprintf(line, bytes, is_short ? "%s: %s/%s  %s/s  %s%s" : "%s: step %s of %s  %s examples/s  %s%s", what,
                    text_count(progress->step, step), text_count(progress->run.steps, steps),
                    text_count((int64_t)llrint(progress->examples_per_second), rate), when, numbers);
}

/* On a terminal the cursor is left at the start of the line, which a log line of any rank clears first. A line that is longer
 * than the terminal is wide is said in fewer words; what is longer still is cut by the terminal (DECAWM off): wrapped, its
 * first rows could not be cleared. */
static void draw(progress_t *progress, int64_t now_ns, bool is_final)
{
    char line[768];
    const int length = compose(progress, now_ns, is_final, false, line, sizeof line);
    const int width = progress->mode == MODE_TTY ? terminal_width(progress->fd) : 0;
    if (width && length > width)
        compose(progress, now_ns, is_final, true, line, sizeof line);
    char whole[816];
    if (progress->mode == MODE_TTY)
        snprintf(whole, sizeof whole, "\r\033[?7l%s\033[K\033[?7h%s", line, is_final ? "\n" : "\r");
    else
        snprintf(whole, sizeof whole, "%s\n", line);
    emit(progress, whole);
    progress->drawn_ns = now_ns;
    progress->is_drawn = !is_final;
}

void progress_start(progress_t *progress, const progress_run_t *run, int64_t now_ns)
{
    ASSERT(run->runs > run->run && run->steps > 0);
    printable_put(progress->variant, sizeof progress->variant, run->variant, strlen(run->variant));
    progress->run = *run;
    progress->run.variant = progress->variant;
    progress->start_ns = progress->drawn_ns = progress->mark_ns = now_ns;
    progress->step = run->first_step;
    progress->examples = progress->mark_examples = 0;
    progress->examples_per_second = 0.0;
    progress->numbers = 0;
    progress->is_running = true;
}

/* Speed since the mark; the mark moves on once the window is full, and the first window is shown while it fills. */
static void measure_speed(progress_t *progress, int64_t now_ns)
{
    int64_t passed = now_ns - progress->mark_ns;
    bool is_first = progress->mark_ns == progress->start_ns;
    if (passed <= 0 || (!is_first && passed < RATE_WINDOW_NS))
        return;
    progress->examples_per_second = (double)(progress->examples - progress->mark_examples) * (double)SECOND_NS / (double)passed;
    if (passed >= RATE_WINDOW_NS) {
        progress->mark_ns = now_ns;
        progress->mark_examples = progress->examples;
    }
}

void progress_number(progress_t *progress, const char *name, double value)
{
    int i = 0;
    while (i < progress->numbers && strcmp(progress->number[i].name, name) != 0)
        i++;
    if (i == PROGRESS_NUMBERS)
        return;
    progress->numbers += i == progress->numbers;
    progress->number[i] = (shown_number_t){name, value};
}

void progress_update(progress_t *progress, int64_t step, int64_t examples, int64_t now_ns)
{
    if (!progress->is_running)
        return;
    progress->step = step;
    progress->examples = examples;
    measure_speed(progress, now_ns);
    int64_t period = progress->mode == MODE_TTY ? TTY_PERIOD_NS : LINES_PERIOD_NS;
    if (progress->mode != MODE_OFF && now_ns - progress->drawn_ns >= period)
        draw(progress, now_ns, false);
}

void progress_finish(progress_t *progress, int64_t now_ns)
{
    ASSERT(progress->is_running);
    double seconds = (double)(now_ns - progress->start_ns) / (double)SECOND_NS;
    progress->is_running = false;
    progress->seconds_done += seconds;
    progress->runs_done++;
    if (seconds > 0)
        progress->examples_per_second = (double)progress->examples / seconds;
    if (progress->mode != MODE_OFF)
        draw(progress, now_ns, true);
}

void progress_clear(progress_t *progress)
{
    if (progress->mode == MODE_TTY && progress->is_drawn)
        emit(progress, LOG_CLEAR_LINE);
    progress->is_drawn = false;
}
