/* How far a job has come is read from the newest metrics.jsonl below its folder: that run, and the end of its last interval.
 * (The launcher could listen to the coordinator's live line instead, but that may be off, and dies with what it is about.) A
 * line may or may not get there before a rank takes the job with it, so "at the same step" means: no further than any start
 * before. */
#include "launcher/job/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/disk.h"
#include "common/files/file.h"

#define SAME_MOST 3 /* failures in a row at one place */
#define PAUSE_MOST_S 64
#define RUN_BYTES 256

/* ---- what a job leaves behind ---- */

/* A folder being looked through. Its names are visited by disk_list. */
typedef struct supervise_look {
    const char *dir, *below; /* below: how a person calls the folder, with a slash at the end; "" for the first one */
    int depth;
    struct timespec newest;
    char *metrics, *run; /* **owned**; the newest metrics.jsonl and whose it is */
} supervise_look_t;

static bool is_newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static void look_at_metrics(supervise_look_t *look, const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0 || !is_newer(&facts.st_mtim, &look->newest))
        return;
    look->newest = facts.st_mtim;
    mem_free(look->metrics);
    mem_free(look->run);
    look->metrics = mem_strdup(path);
    look->run = mem_strdup(look->below);
}

/* A run is the folder itself, or DIR/VARIANT/rREPLICA below an experiment's. */
static void look_into(void *context, const char *name)
{
    supervise_look_t *look = context;
    char *path = mem_printf("%s/%s", look->dir, name);
    struct stat facts;
    if (strcmp(name, FILE_METRICS) == 0) {
        look_at_metrics(look, path);
    } else if (look->depth < 2 && stat(path, &facts) == 0 && S_ISDIR(facts.st_mode)) {
        supervise_look_t inner = *look;
        char *below = mem_printf("%s%s/", look->below, name);
        inner.dir = path;
        inner.below = below;
        inner.depth++;
        if (disk_list(disk_posix(), path, look_into, &inner) == ST_OK) {
            look->newest = inner.newest;
            look->metrics = inner.metrics;
            look->run = inner.run;
        }
        mem_free(below);
    }
    mem_free(path);
}

/* The step of the last interval that is whole, or 0. Lines of single steps do not count: they come in batches. */
static int64_t last_step(const char *path)
{
    char *text;
    int64_t step = 0;
    if (file_read(path, &text, NULL) != ST_OK)
        return 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        const char *key = strstr(line, "\"step\":");
        if (key && strstr(line, "\"logloss\":"))
            step = strtoll(key + strlen("\"step\":"), NULL, 10);
    }
    mem_free(text);
    return step;
}

typedef struct run_place {
    char run[RUN_BYTES]; /* "relu/r0/", or "" for the folder's own */
    int64_t step;        /* 0: before the first line */
} run_place_t;

static void find_place(const char *dir, run_place_t *out)
{
    supervise_look_t look = {.dir = dir, .below = ""};
    *out = (run_place_t){0};
    if (disk_list(disk_posix(), dir, look_into, &look) == ST_OK && look.metrics) {
        snprintf(out->run, sizeof out->run, "%s", look.run);
        out->step = last_step(look.metrics);
    }
    mem_free(look.metrics);
    mem_free(look.run);
}

/* "step 450 of relu/r0" */
static const char *place_text(const run_place_t *place, char text[RUN_BYTES + 64])
{
    const int run = (int)strlen(place->run);
    char step[32] = "the start";
    if (place->step)
        snprintf(step, sizeof step, "step %" PRId64, place->step);
    snprintf(text, RUN_BYTES + 64, "%s%s%.*s", step, run ? " of " : "", run - (run > 0), place->run);
    return text;
}

static void look_for_step(void *context, const char *name)
{
    supervise_look_t *look = context;
    int64_t step;
    struct stat facts;
    char *path = mem_printf("%s/%s/" FILE_MANIFEST, look->dir, name);
    if (checkpoint_step_of(name, &step) && stat(path, &facts) == 0 && is_newer(&facts.st_mtim, &look->newest))
        look->newest = facts.st_mtim;
    mem_free(path);
}

static void look_for_epoch(void *context, const char *name)
{
    supervise_look_t *look = context;
    uint32_t incarnation;
    if (!checkpoint_incarnation_of(name, &incarnation))
        return;
    char *path = mem_printf("%s/%s", look->dir, name);
    supervise_look_t inner = {.dir = path, .newest = look->newest};
    if (disk_list(disk_posix(), path, look_for_step, &inner) == ST_OK)
        look->newest = inner.newest;
    mem_free(path);
}

/* When the newest checkpoint was made; {0}: there is none. */
static struct timespec newest_checkpoint(const char *dir)
{
    char *path = checkpoint_path(dir);
    supervise_look_t look = {.dir = path};
    const bool listed = file_exists(path) && disk_list(disk_posix(), path, look_for_epoch, &look) == ST_OK;
    mem_free(path);
    return listed ? look.newest : (struct timespec){0};
}

/* ---- starting again ---- */

static bool is_final(status_t status)
{
    return status == ST_OK || status == ST_INPUT || status == ST_STOPPED;
}

status_t supervise_run(const supervise_options_t *o)
{
    run_place_t now, furthest = {0};
    char text[RUN_BYTES + 64];
    int same = 0, seconds = 1;
    const struct timespec removed = o->again ? newest_checkpoint(o->dir) : (struct timespec){0};
    for (int64_t n = 0;; n++) {
        const struct timespec newest = n > 0 ? newest_checkpoint(o->dir) : (struct timespec){0};
        const status_t status = o->start(o->context, is_newer(&newest, &removed));
        if (is_final(status) || o->restarts == 0)
            return status;
        find_place(o->dir, &now);
        const bool further = n == 0 || strcmp(now.run, furthest.run) != 0 || now.step > furthest.step;
        same = further ? 1 : same + 1;
        if (further)
            furthest = now;
        if (same == SAME_MOST)
            return FAIL(
                status,
                "the job has failed %d times in a row no further than at %s, and is not started again: something there fails "
                "every time; the lines above say what",
                same, place_text(&furthest, text));
        if (n == o->restarts)
            return FAIL(status,
                        "the job has failed %" PRId64
                        " times, the last time at %s, and is not started again: --restarts is %" PRId64,
                        n + 1, place_text(&now, text), o->restarts);
        log_warn("the job failed at %s; it starts again in %d s (restart %" PRId64 " of %" PRId64 ")", place_text(&now, text),
                 seconds, n + 1, o->restarts);
        TRY(o->pause(o->context, seconds));
        seconds = seconds < PAUSE_MOST_S ? seconds * 2 : PAUSE_MOST_S;
    }
}

status_t supervise_pause(void *context, int seconds)
{
    (void)context;
    const struct timespec most = {seconds, 0};
    sigset_t asked, before;
    struct sigaction hangup;
    sigemptyset(&asked);
    sigaddset(&asked, SIGINT);
    sigaddset(&asked, SIGTERM);
    sigaddset(&asked, SIGUSR2);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&asked, SIGHUP);
    sigprocmask(SIG_BLOCK, &asked, &before);
    const int number = sigtimedwait(&asked, NULL, &most);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (number > 0)
        return FAIL(ST_STOPPED, "interrupted by signal %d (%s) before the job started again", number, strsignal(number));
    return ST_OK;
}

status_t supervise_parse(const char *text, int64_t *out)
{
    *out = 0;
    if (!text)
        return ST_OK;
    char *end;
    errno = 0;
    const int64_t value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < 0 || value > 1000000)
        return FAIL(ST_INPUT, "--restarts %s: must be a number from 0 to 1,000,000", text);
    *out = value;
    return ST_OK;
}
