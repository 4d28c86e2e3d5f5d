/* sim - play many scenarios: `make sim SEEDS=10000`, or one of them again: `make sim SEED=4711`.
 *
 *     sim [-n SEEDS] [-f FIRST] [-s SEED] [-m MISTAKE]
 *
 * One line per violation, with the command that replays it; a summary at the end. Exit code 1 where there was one.          */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/lib/testing.h"
#include "tests/sim/sim_scenario.h"

#define SEED_SECONDS 30 /* of the processor; a seed needs a small part of one */

static volatile uint64_t now_playing;

/* An assertion, a crash or a loop without an end in a scenario ends the process, not without the line that replays it. */
static void on_crash(int number)
{
    char line[96];
    const int n = snprintf(line, sizeof line, "seed %" PRIu64 ": signal %d; again: make sim SEED=%" PRIu64 "\n", now_playing,
                           number, now_playing);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

static void play(uint64_t seed, sim_mistake_t mistake, bool verbose, sim_verdict_t *sum)
{
    const struct itimerval most = {.it_value = {.tv_sec = SEED_SECONDS}};
    now_playing = seed;
    setitimer(ITIMER_VIRTUAL, &most, NULL);
    const sim_verdict_t v = sim_scenario_run(seed, mistake);
    sim_verdict_add(sum, &v);
    if (!v.good) {
        sum->good = false;
        printf("seed %" PRIu64 ": %s; %s; again: make sim SEED=%" PRIu64 "\n", seed, v.violation, v.summary, seed);
    } else if (verbose) {
        printf("seed %" PRIu64 ": good; %s; %d starts\n", seed, v.summary, v.starts);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint64_t seeds = 100, first = 1, one = 0;
    int mistake = SIM_NO_MISTAKE, option, violations = 0;
    while ((option = getopt(argc, argv, "n:f:s:m:")) != -1)
        switch (option) {
        case 'n':
            seeds = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            first = strtoull(optarg, NULL, 10);
            break;
        case 's':
            one = strtoull(optarg, NULL, 10);
            break;
        case 'm':
            mistake = atoi(optarg);
            break;
        default:
            fprintf(stderr, "usage: sim [-n SEEDS] [-f FIRST] [-s SEED] [-m MISTAKE]\n");
            return 2;
        }
    if (mistake < 0 || mistake >= SIM_MISTAKE_COUNT)
        return 2;
    signal(SIGSEGV, on_crash);
    signal(SIGABRT, on_crash);
    signal(SIGVTALRM, on_crash);
    sim_begin();
    sim_verdict_t sum = {.good = true};
    const int64_t start = clock_now_ns();
    if (one) {
        seeds = 1;
        first = one;
    }
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        const bool before = sum.good;
        sum.good = true;
        play(seed, (sim_mistake_t)mistake, one != 0, &sum);
        violations += !sum.good;
        sum.good &= before;
    }
    const net_sim_counts_t *c = &sum.counts;
    printf("%" PRIu64 " seeds, %d violations; %d starts, %d with deaths, %d resumed, %d checkpoints, %d damaged; %" PRId64
           " messages dropped, %" PRId64 " duplicated, %" PRId64 " late; %" PRId64 " of strangers, %" PRId64
           " malformed, %" PRId64 " refused; %.1f s\n",
           seeds, violations, sum.starts, sum.kills, sum.resumes, sum.checkpoints, sum.damaged, c->dropped, c->duplicated,
           c->late, c->strangers, c->misshapen, c->refused, (double)(clock_now_ns() - start) * 1e-9);
    sim_end();
    return violations ? 1 : 0;
}
