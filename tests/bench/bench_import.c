/* bench_import - importing a text like Criteo's: 13 counts and 26 categories, some of them with millions of values.
 *
 * Prints `name value` lines: bytes of text a second, CPU seconds a gigabyte, and the floor: one thread that reads the same
 * file, finds its lines and fields, and hashes each field. Turns of both, medians. CPU seconds say what an import takes where
 * other work has the cores.
 *
 * usage: bench_import SCRATCH - a folder that exists; what is written there is removed */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "launcher/ingest/import.h"
#include "tests/bench/bench.h"

enum { TURNS = 3, ROWS = 400000, COUNTS = 13, CATEGORIES = 26 };

static double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* Value i of a field of `many` values: half of the draws are as good as even, the others logarithmic, as in a click log. */
static uint64_t draw_value(uint64_t row, int field, double many)
{
    const double u = rng_uniform(1, (uint64_t)field, row);
    return many > 1e5 && rng_u64(2, (uint64_t)field, row) % 2 ? (uint64_t)(u * many) : (uint64_t)exp(u * log(many));
}

static status_t write_text(const char *path)
{
    static const double many[CATEGORIES] = {1460,  583,   2e6, 9e5,  305,  24, 12517, 633, 3,  93145,  5683, 1.8e6, 3194, 27,
                                            14992, 1.5e6, 10,  5652, 2173, 4,  1.9e6, 18,  15, 286181, 105,  142572};
    FILE *file = fopen(path, "w");
    if (!file)
        return FAIL(ST_SYSTEM, "%s cannot be written", path);
    for (uint64_t row = 0; row < ROWS; row++) {
        fprintf(file, "%d", rng_uniform(3, 0, row) < 0.25);
        for (int f = 0; f < COUNTS; f++)
            if (rng_uniform(4, (uint64_t)f, row) < 0.15)
                fputc('\t', file);
            else
                fprintf(file, "\t%d", (int)exp(rng_uniform(5, (uint64_t)f, row) * (2.0 + 0.6 * f)) - 1);
        for (int f = 0; f < CATEGORIES; f++)
            fprintf(file, "\t%08x", (unsigned)(hash_mix(draw_value(row, f, many[f]) * CATEGORIES + (uint64_t)f) >> 32));
        fputc('\n', file);
    }
    return fclose(file) == 0 ? ST_OK : FAIL(ST_SYSTEM, "%s cannot be written", path);
}

/* Read, split and hash: what no importer can do without. */
static status_t pass_over(const char *path, double *bytes, double *seconds)
{
    enum { PIECE = 1 << 18 };
    char *text = MEM_ARRAY(char, 2 * PIECE);
    const double start = bench_seconds();
    FILE *file = fopen(path, "r");
    if (!file) {
        mem_free(text);
        return FAIL(ST_SYSTEM, "%s cannot be read", path);
    }
    uint64_t sum = 0;
    size_t kept = 0, n;
    *bytes = 0.0;
    while ((n = fread(text + kept, 1, PIECE, file)) > 0) {
        *bytes += (double)n;
        char *at = text, *end = text + kept + n, *line_end;
        while ((line_end = memchr(at, '\n', (size_t)(end - at)))) {
            for (char *stop; at <= line_end; at = stop + 1) {
                stop = memchr(at, '\t', (size_t)(line_end - at));
                stop = stop ? stop : line_end;
                sum += hash64(at, (size_t)(stop - at), 0);
            }
        }
        kept = (size_t)(end - at);
        memmove(text, at, kept);
    }
    __asm__ volatile("" : : "r"(sum));
    fclose(file);
    *seconds = bench_seconds() - start;
    mem_free(text);
    return ST_OK;
}

static status_t measure(const char *text, const char *dataset)
{
    double seconds[TURNS], cpu[TURNS], floors[TURNS], floor_cpu[TURNS], bytes = 0.0;
    schema_t *schema;
    TRY(schema_load("criteo", &schema));
    status_t status = ST_OK;
    for (int turn = 0; turn < TURNS; turn++) {
        const double before = cpu_seconds();
        TRY_DONE(pass_over(text, &bytes, &floors[turn]));
        const double start = bench_seconds(), used = cpu_seconds();
        floor_cpu[turn] = used - before;
        TRY_DONE(import_text(text, schema, dataset, true, false));
        seconds[turn] = bench_seconds() - start;
        cpu[turn] = cpu_seconds() - used;
        TRY_DONE(dir_remove_tree(dataset));
    }
    const double rate = bytes / bench_median(seconds, TURNS), least = bytes / bench_median(floors, TURNS);
    printf("import_bytes_per_second %.0f\n", rate);
    printf("import_cpu_seconds_per_gb %.2f\n", 1e9 * bench_median(cpu, TURNS) / bytes);
    printf("import_floor_cpu_seconds_per_gb %.2f\n", 1e9 * bench_median(floor_cpu, TURNS) / bytes);
    printf("import_floor_bytes_per_second %.0f\n", least);
    printf("import_over_floor %.3f\n", rate / least);
done:
    schema_destroy(&schema);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bench_import SCRATCH\n");
        return 2;
    }
    log_set_level(LOG_ERROR);
    char *text = mem_printf("%s/import.tsv", argv[1]), *dataset = mem_printf("%s/import-data", argv[1]);
    status_t status = write_text(text);
    if (status == ST_OK)
        status = measure(text, dataset);
    if (dir_remove_tree(dataset) != ST_OK)
        status = ST_SYSTEM;
    unlink(text);
    mem_free(text);
    mem_free(dataset);
    return status_exit_code(status);
}
