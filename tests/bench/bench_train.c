/* bench_train - what whole runs of the program cost, from the manifests that they leave.
 *
 *     toy       the paper's toy net, one worker, one server, batches of 1,024: seconds of a training step, beside the seconds of
 *               its bare matrix products, which are measured before and after every run
 *     workers   CPU-seconds of all ranks per example for 1, 2 and 4 workers
 *     ensemble  examples/s of a single network, of three such networks, and of three with its parameters in all
 *     kuairand  examples/s of configs/kuairand.yaml, its base variant (a single ReLU network)
 *
 * Prints `name value` lines: medians of several runs, taken in turns.
 *
 * usage: bench_train SMELTER SCRATCH toy|workers|ensemble|kuairand */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "launcher/manifest.h"
#include "tests/bench/bench.h"

#define TOY_BATCH 1024
#define TOY_RUNS 5
#define TOY_PRODUCTS 8 /* steps of bare products between two runs */
#define WORKERS_BATCH 1024
#define WORKERS_RUNS 3
#define ENSEMBLE_RUNS 3 /* as in tests/bench/ensemble.yaml */
#define KUAIRAND_RUNS 3
#define SETS 4 /* --set arguments of a run, at most */

typedef struct bench {
    const char *smelter, *scratch, *part;
    int runs;
} bench_t;

/* What the program says goes to standard error, which run.sh shows where something fails. */
static void become(const char *program, const char *const *arguments)
{
    if (dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
        execv(program, (char *const *)arguments);
    _exit(127);
}

/* Run a command on `config` with up to SETS overrides. */
static status_t run(bench_t *b, const char *command, const char *config, const char *folder, const char *const *sets, int n)
{
    const char *arguments[5 + 2 * SETS + 1] = {b->smelter, command, config, "--out", folder};
    ASSERT(n <= SETS);
    for (int i = 0; i < n; i++) {
        arguments[5 + 2 * i] = "--set";
        arguments[6 + 2 * i] = sets[i];
    }
    pid_t child = fork();
    if (child == 0)
        become(b->smelter, arguments);
    int end = 0;
    if (child < 0 || waitpid(child, &end, 0) != child || end != 0)
        return FAIL(ST_PEER, "%s %s %s failed", b->smelter, command, config);
    return ST_OK;
}

/* The manifest that a run left in its folder; **owned**. */
static status_t read_manifest(bench_t *b, const char *folder, manifest_t *out)
{
    bool found = false;
    TRY(manifest_read(folder, out, &found));
    return found ? ST_OK : FAIL(ST_PEER, "%s left no manifest in %s", b->smelter, folder);
}

/* Train `config` into a folder of its own; the manifest is **owned**. */
static status_t train(bench_t *b, const char *config, const char *const *sets, int n, manifest_t *out)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/%s-%d", b->scratch, b->part, b->runs++);
    TRY(run(b, "train", config, folder, sets, n));
    return read_manifest(b, folder, out);
}

/* ---- toy ------------------------------------------------------------------------------------------------------------- */

static double products_seconds(bench_products_t *products)
{
    double start = bench_seconds();
    for (int i = 0; i < TOY_PRODUCTS; i++)
        bench_products_step(products);
    return (bench_seconds() - start) / TOY_PRODUCTS;
}

static status_t toy(bench_t *b)
{
    double share[TOY_RUNS], steps[TOY_RUNS], bare[TOY_RUNS];
    char data[512];
    snprintf(data, sizeof data, "data.path=%s/data-toy", b->scratch);
    const char *const sets[] = {data};
    bench_products_t products;
    gemm_init();
    bench_products_init(&products, TOY_BATCH);
    products_seconds(&products);
    double before = products_seconds(&products);
    for (int i = 0; i < TOY_RUNS; i++) {
        manifest_t manifest;
        TRY(train(b, "tests/bench/toy.yaml", sets, 1, &manifest));
        double after = products_seconds(&products);
        bare[i] = 0.5 * (before + after);
        steps[i] = TOY_BATCH / manifest.result.cost.examples_per_second;
        share[i] = bare[i] / steps[i];
        before = after;
        manifest_fini(&manifest);
    }
    bench_products_fini(&products);
    printf("toy_sgemm_seconds %.6f\n", bench_median(bare, TOY_RUNS));
    printf("toy_step_seconds %.6f\n", bench_median(steps, TOY_RUNS));
    printf("worker_step_over_sgemm %.4f\n", bench_median(share, TOY_RUNS));
    return ST_OK;
}

/* ---- workers --------------------------------------------------------------------------------------------------------- */

static status_t workers(bench_t *b)
{
    static const int counts[] = {1, 2, 4};
    enum { COUNTS = sizeof counts / sizeof *counts };
    double cpu[COUNTS][WORKERS_RUNS];
    char data[512], number[64];
    snprintf(data, sizeof data, "data.path=%s/data-workers", b->scratch);
    const char *const sets[] = {data, number};
    for (int i = 0; i < WORKERS_RUNS; i++)
        for (int c = 0; c < COUNTS; c++) {
            manifest_t manifest;
            snprintf(number, sizeof number, "cluster.workers=%d", counts[c]);
            TRY(train(b, "tests/bench/workers.yaml", sets, 2, &manifest));
            cpu[c][i] = manifest.result.cost.cpu_seconds / ((double)manifest.steps * WORKERS_BATCH);
            manifest_fini(&manifest);
        }
    for (int c = 0; c < COUNTS; c++)
        printf("cpu_seconds_per_example_w%d %.4g\n", counts[c], bench_median(cpu[c], WORKERS_RUNS));
    return ST_OK;
}

/* ---- ensemble -------------------------------------------------------------------------------------------------------- */

/* compare trains the first replica of all variants before the second of any, so that replicas are rounds. */
static status_t ensemble(bench_t *b)
{
    static const char *const variants[] = {"single", "ensemble3", "ensemble3_equal"};
    enum { VARIANTS = sizeof variants / sizeof *variants };
    double rate[VARIANTS][ENSEMBLE_RUNS], ratio[VARIANTS][ENSEMBLE_RUNS];
    char data[512], folder[512], path[640];
    snprintf(data, sizeof data, "data.path=%s/data-workers", b->scratch);
    snprintf(folder, sizeof folder, "%s/ensemble", b->scratch);
    const char *const sets[] = {data};
    TRY(run(b, "compare", "tests/bench/ensemble.yaml", folder, sets, 1));
    for (int r = 0; r < ENSEMBLE_RUNS; r++)
        for (int v = 0; v < VARIANTS; v++) {
            manifest_t manifest;
            snprintf(path, sizeof path, "%s/%s/r%d", folder, variants[v], r);
            TRY(read_manifest(b, path, &manifest));
            rate[v][r] = manifest.result.cost.examples_per_second;
            ratio[v][r] = rate[0][r] / rate[v][r];
            manifest_fini(&manifest);
        }
    for (int v = 0; v < VARIANTS; v++) {
        printf("%s_examples_per_second %.0f\n", variants[v], bench_median(rate[v], ENSEMBLE_RUNS));
        if (v)
            printf("single_over_%s %.3f\n", variants[v], bench_median(ratio[v], ENSEMBLE_RUNS));
    }
    return ST_OK;
}

/* ---- kuairand -------------------------------------------------------------------------------------------------------- */

static status_t kuairand(bench_t *b)
{
    double rate[KUAIRAND_RUNS];
    for (int i = 0; i < KUAIRAND_RUNS; i++) {
        manifest_t manifest;
        TRY(train(b, "configs/kuairand.yaml", NULL, 0, &manifest));
        rate[i] = manifest.result.cost.examples_per_second;
        manifest_fini(&manifest);
    }
    printf("kuairand_examples_per_second %.0f\n", bench_median(rate, KUAIRAND_RUNS));
    return ST_OK;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        status_t (*run)(bench_t *b);
    } parts[] = {{"toy", toy}, {"workers", workers}, {"ensemble", ensemble}, {"kuairand", kuairand}};
    for (size_t i = 0; argc == 4 && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(argv[3], parts[i].name) == 0) {
            bench_t b = {argv[1], argv[2], argv[3], 0};
            return status_exit_code(parts[i].run(&b));
        }
    fprintf(stderr, "usage: bench_train SMELTER SCRATCH toy|workers|ensemble|kuairand\n");
    return 2;
}
