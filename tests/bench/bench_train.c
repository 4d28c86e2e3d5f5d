/* bench_train - what whole runs of the program cost, from the manifests that they leave.
 *
 *     toy       the paper's toy net, one worker, one server, batches of 1,024: seconds of a training step, beside the seconds
 * of
 *               its bare matrix products, which are measured before and after every run
 *     workers   CPU-seconds of all ranks per example for 1, 2 and 4 workers
 *     ensemble  examples/s of a single network, of three such networks, and of three with its parameters in all
 *     memory    examples/s with a tenth of the memory that the tables want, over examples/s with all of it
 *     beyond    examples/s of a full shuffle with a cache of a tenth of the dataset, over examples/s with one that holds it
 *     kuairand  examples/s of configs/kuairand.yaml, its base variant (a single ReLU network)
 *     encrypted examples/s of that with its messages over tcp on one host, encrypted, over those with nothing encrypted
 *     save      seconds of training without checkpoints, with a few, with one after the other, and without digests of steps;
 * the
 *               longest step over the median one; seconds from the start of a resumed run to its first step
 *
 * Prints `name value` lines: medians of several runs, taken in turns.
 *
 * usage: bench_train SMELTER SCRATCH toy|workers|ensemble|memory|beyond|kuairand|encrypted|save */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/files/file.h"
#include "launcher/checkpoint/checkpoint_manifest.h"
#include "launcher/checkpoint/checkpoint_resume.h"
#include "launcher/run/manifest.h"
#include "tests/bench/bench.h"

#define TOY_BATCH 1024
#define TOY_RUNS 5
#define TOY_PRODUCTS 8 /* steps of bare products between two runs */
#define WORKERS_BATCH 1024
#define WORKERS_RUNS 3
#define ENSEMBLE_RUNS 3 /* as in tests/bench/ensemble.yaml */
#define MEMORY_RUNS 3
#define KUAIRAND_RUNS 3
#define SAVE_RUNS 5      /* of longest steps one in three is the machine's doing: the median wants more than three */
#define SAVE_STEPS "100" /* between checkpoints, where there are a few */
#define SETS 4           /* --set arguments of a run, at most */

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

/* Run a command on `config` with up to SETS overrides; more: an option, or NULL. */
static status_t run_with(bench_t *b, const char *command, const char *config, const char *folder, const char *const *sets,
                         int n, const char *more)
{
    const char *arguments[5 + 2 * SETS + 2] = {b->smelter, command, config, "--out", folder};
    ASSERT(n <= SETS);
    for (int i = 0; i < n; i++) {
        arguments[5 + 2 * i] = "--set";
        arguments[6 + 2 * i] = sets[i];
    }
    arguments[5 + 2 * n] = more;
    pid_t child = fork();
    if (child == 0)
        become(b->smelter, arguments);
    int end = 0;
    if (child < 0 || waitpid(child, &end, 0) != child || end != 0)
        return FAIL(ST_PEER, "%s %s %s failed", b->smelter, command, config);
    return ST_OK;
}

static status_t run(bench_t *b, const char *command, const char *config, const char *folder, const char *const *sets, int n)
{
    return run_with(b, command, config, folder, sets, n, NULL);
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
    bench_products_init(&products, TOY_BATCH, BENCH_LAYERS, bench_widths);
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

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

/* examples/s of a configuration without and with something that makes it slower, in turns. */
static status_t compare_rates(bench_t *b, const char *config, const char *plain, const char *slower,
                              double rate[2][MEMORY_RUNS], double ratio[MEMORY_RUNS])
{
    char data[512];
    snprintf(data, sizeof data, "data.path=%s/data-%s", b->scratch, b->part);
    for (int i = 0; i < MEMORY_RUNS; i++) {
        for (int is_slower = 0; is_slower < 2; is_slower++) {
            manifest_t manifest;
            const char *const sets[] = {data, is_slower ? slower : plain};
            TRY(train(b, config, sets, 2, &manifest));
            rate[is_slower][i] = manifest.result.cost.examples_per_second;
            manifest_fini(&manifest);
        }
        ratio[i] = rate[1][i] / rate[0][i];
    }
    return ST_OK;
}

static status_t memory(bench_t *b)
{
    double rate[2][MEMORY_RUNS], ratio[MEMORY_RUNS];
    TRY(compare_rates(b, "tests/bench/memory.yaml", "cluster.memory_mb=0", "cluster.memory_mb=1", rate, ratio));
    printf("memory_all_examples_per_second %.0f\n", bench_median(rate[0], MEMORY_RUNS));
    printf("memory_tenth_examples_per_second %.0f\n", bench_median(rate[1], MEMORY_RUNS));
    printf("memory_tenth_training_over_all %.3f\n", bench_median(ratio, MEMORY_RUNS));
    return ST_OK;
}

/* ---- beyond ---------------------------------------------------------------------------------------------------------- */

static status_t beyond(bench_t *b)
{
    double rate[2][MEMORY_RUNS], ratio[MEMORY_RUNS];
    TRY(compare_rates(b, "tests/bench/beyond.yaml", "data.cache_mb=1024", "data.cache_mb=11", rate, ratio));
    printf("shuffle_cached_examples_per_second %.0f\n", bench_median(rate[0], MEMORY_RUNS));
    printf("shuffle_beyond_examples_per_second %.0f\n", bench_median(rate[1], MEMORY_RUNS));
    printf("shuffle_beyond_over_cached %.3f\n", bench_median(ratio, MEMORY_RUNS));
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

static status_t encrypted(bench_t *b)
{
    static const char *const sets[2][3] = {{"cluster.transport=tcp", "cluster.interface=lo", "cluster.encryption=on"},
                                           {"cluster.transport=tcp", "cluster.interface=lo", "cluster.encryption=off"}};
    double rate[2][KUAIRAND_RUNS], ratio[KUAIRAND_RUNS];
    for (int i = 0; i < KUAIRAND_RUNS; i++) {
        for (int k = 0; k < 2; k++) {
            manifest_t manifest;
            TRY(train(b, "configs/kuairand.yaml", sets[(i + k) & 1], 3, &manifest));
            rate[(i + k) & 1][i] = manifest.result.cost.examples_per_second;
            manifest_fini(&manifest);
        }
        ratio[i] = rate[0][i] / rate[1][i];
    }
    printf("kuairand_examples_per_second_encrypted %.0f\n", bench_median(rate[0], KUAIRAND_RUNS));
    printf("kuairand_examples_per_second_tcp %.0f\n", bench_median(rate[1], KUAIRAND_RUNS));
    printf("kuairand_encrypted_over_tcp %.4f\n", bench_median(ratio, KUAIRAND_RUNS));
    return ST_OK;
}

/* ---- save ------------------------------------------------------------------------------------------------------------ */

/* Go on from the last checkpoint of a run that is over, for two steps: how long it takes to begin, in seconds and per byte. */
static status_t resume(bench_t *b, const char *folder, const char *data, double *seconds, double *bytes)
{
    checkpoint_resume_t checkpoint;
    manifest_t manifest;
    bool found = false;
    char path[640], steps[64];
    TRY(checkpoint_resume_find(disk_posix(), folder, &checkpoint, &found));
    if (!found)
        return FAIL(ST_PEER, "%s left no checkpoint in %s", b->smelter, folder);
    *bytes = (double)checkpoint_manifest_bytes(&checkpoint.from);
    snprintf(steps, sizeof steps, "train.max_steps=%" PRId64, checkpoint.from.step + 2);
    checkpoint_resume_fini(&checkpoint);
    snprintf(path, sizeof path, "%s/manifest.json", folder); /* says that the run is finished */
    TRY(disk_remove(disk_posix(), path));
    const char *const sets[] = {data, steps};
    TRY(run_with(b, "train", "tests/bench/checkpoint.yaml", folder, sets, 2, "--resume"));
    TRY(read_manifest(b, folder, &manifest));
    *seconds = manifest.begin_seconds;
    manifest_fini(&manifest);
    return ST_OK;
}

static status_t save(bench_t *b)
{
    enum { NONE, FEW, ALWAYS, NO_DIGESTS, KINDS };
    static const struct {
        const char *name, *set;
    } kinds[KINDS] = {{"none", "checkpoint.every_steps=0"},
                      {"few", "checkpoint.every_steps=" SAVE_STEPS},
                      {"always", "checkpoint.every_seconds=0.001"},
                      {"no_digests", "train.step_digests=false"}};
    double seconds[KINDS][SAVE_RUNS], cpu[KINDS][SAVE_RUNS], stall[KINDS][SAVE_RUNS], slow[KINDS][SAVE_RUNS];
    double per_minute[SAVE_RUNS], checkpoint_cpu[SAVE_RUNS], always[SAVE_RUNS], begin[SAVE_RUNS], per_byte[SAVE_RUNS],
        ratio[SAVE_RUNS];
    char data[512], folder[512];
    snprintf(data, sizeof data, "data.path=%s/data-save", b->scratch);
    for (int i = 0; i < SAVE_RUNS; i++) {
        for (int kind = 0; kind < KINDS; kind++) {
            manifest_t m;
            const char *const sets[] = {data, kinds[kind].set};
            TRY(train(b, "tests/bench/checkpoint.yaml", sets, 2, &m));
            seconds[kind][i] = (double)m.result.cost.examples / m.result.cost.examples_per_second;
            cpu[kind][i] = m.result.cost.cpu_seconds;
            stall[kind][i] = m.step_seconds_longest / m.step_seconds_median;
            slow[kind][i] = seconds[kind][i] / seconds[NONE][i] - 1.0;
            if (kind == FEW) {
                per_minute[i] = (seconds[FEW][i] - seconds[NONE][i]) / ((double)m.checkpoints * 60.0);
                checkpoint_cpu[i] = (cpu[FEW][i] - cpu[NONE][i]) / (double)m.checkpoints;
            }
            if (kind == ALWAYS)
                always[i] = (double)m.checkpoints / seconds[ALWAYS][i];
            manifest_fini(&m);
            snprintf(folder, sizeof folder, "%s/%s-%d", b->scratch, b->part, b->runs - 1);
            if (kind == FEW) {
                double bytes = 0.0;
                TRY(resume(b, folder, data, &begin[i], &bytes));
                per_byte[i] = begin[i] / bytes;
            }
            TRY(dir_remove_tree(folder));
        }
    }
    for (int i = 0; i < SAVE_RUNS; i++)
        ratio[i] = stall[ALWAYS][i] / stall[NONE][i];
    printf("save_always_longest_over_none %.3f\n", bench_median(ratio, SAVE_RUNS));
    printf("step_digests_slowdown %.4f\n", -bench_median(slow[NO_DIGESTS], SAVE_RUNS));
    printf("checkpoint_slowdown_each_minute %.4f\n", bench_median(per_minute, SAVE_RUNS));
    printf("checkpoint_cpu_seconds %.3f\n", bench_median(checkpoint_cpu, SAVE_RUNS));
    printf("checkpoint_slowdown_always %.4f\n", bench_median(slow[ALWAYS], SAVE_RUNS));
    printf("checkpoints_per_second_always %.3f\n", bench_median(always, SAVE_RUNS));
    printf("resume_seconds %.3f\n", bench_median(begin, SAVE_RUNS));
    printf("resume_seconds_per_gb %.3f\n", bench_median(per_byte, SAVE_RUNS) * 1e9);
    for (int kind = 0; kind < KINDS; kind++) {
        printf("save_%s_seconds %.4f\n", kinds[kind].name, bench_median(seconds[kind], SAVE_RUNS));
        printf("save_%s_cpu_seconds %.4f\n", kinds[kind].name, bench_median(cpu[kind], SAVE_RUNS));
        printf("save_%s_step_longest_over_median %.2f\n", kinds[kind].name, bench_median(stall[kind], SAVE_RUNS));
    }
    return ST_OK;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        status_t (*run)(bench_t *b);
    } parts[] = {{"toy", toy},       {"workers", workers},   {"ensemble", ensemble},   {"memory", memory},
                 {"beyond", beyond}, {"kuairand", kuairand}, {"encrypted", encrypted}, {"save", save}};
    for (size_t i = 0; argc == 4 && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(argv[3], parts[i].name) == 0) {
            bench_t b = {argv[1], argv[2], argv[3], 0};
            return status_exit_code(parts[i].run(&b));
        }
    fprintf(stderr, "usage: bench_train SMELTER SCRATCH toy|workers|ensemble|memory|beyond|kuairand|encrypted|save\n");
    return 2;
}
