/* The files of lines that a run writes while it trains, each by its reader: curve.h, metrics_lines.h, step_digest_reader.h,
 * probe_reader.h.
 *
 *     u8 reader, u8 {bit 0: make the checks of lines right}, u8 step, u8 depth, u16 bytes of the first file, the two files   */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/files/run_paths.h"
#include "launcher/metrics/curve.h"
#include "launcher/metrics/metrics_lines.h"
#include "launcher/metrics/probe_reader.h"
#include "launcher/metrics/step_digest_reader.h"
#include "launcher/metrics/step_line.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/harness_files.h"

#define FILE_MOST 4096
enum { READER_KEEP, READER_CURVE, READER_STEPS, READER_PROBES, READERS };

/* Each line that is long enough ends with the check of what is before. */
static void mend(char *text, size_t bytes)
{
    char check[STEP_LINE_CHECK_BYTES + 1];
    for (char *line = text, *end; (end = memchr(line, '\n', bytes - (size_t)(line - text))); line = end + 1) {
        const size_t length = (size_t)(end - line);
        if (length <= STEP_LINE_CHECK_BYTES || !memmem(line, length, "\"check\"", 7))
            continue;
        const size_t before = length - STEP_LINE_CHECK_BYTES;
        snprintf(check, sizeof check, STEP_LINE_CHECK, step_line_check(hash64(line, before, 0)));
        memcpy(line + before, check, STEP_LINE_CHECK_BYTES);
    }
}

static void keep_lines(char *text, int64_t step, int64_t depth)
{
    uint64_t lines, again;
    char *end = NULL;
    if (metrics_lines_keep("lines", step, depth, text, &lines, &end) != ST_OK)
        return;
    ASSERT(end >= text && end <= text + strlen(text));
    *end = 0;
    /* What is kept is kept again. */
    const status_t status = metrics_lines_keep("lines", step, depth, text, &again, &end);
    ASSERT(status == ST_OK && again == lines && end == text + strlen(text));
}

static void read_curve(void)
{
    curve_t curve = {0};
    bool found = false;
    if (curve_read("/run", &curve, &found) != ST_OK)
        return;
    ASSERT(found);
    for (int64_t i = 1; i < curve.points; i++)
        ASSERT(curve.point[i].examples > curve.point[i - 1].examples);
    curve_fini(&curve);
}

/* The first file alone, and with the second: the same run, or two that part. */
static void read_steps(const char *first, size_t first_bytes, const char *second, size_t second_bytes)
{
    step_digest_reader_t both = {0}, one = {0};
    divergence_t d;
    fuzz_file(FILE_STEPS, second, second_bytes);
    const status_t has_both = step_digest_reader_read("/run", &both);
    fuzz_files_forget();
    fuzz_file(FILE_METRICS, first, first_bytes);
    const status_t has_one = step_digest_reader_read("/run", &one);
    if (has_both == ST_OK && has_one == ST_OK) {
        ASSERT(step_digest_reader_end(&both) >= -1);
        if (step_digest_reader_compare(&both, &both, &d) == ST_OK)
            ASSERT(d.step < 0 && d.alone < 0 && d.compared > 0);
        const status_t status = step_digest_reader_compare(&both, &one, &d);
        (void)status;
    }
    step_digest_reader_fini(&both);
    step_digest_reader_fini(&one);
}

static void read_probes(int64_t end)
{
    probe_reader_t probes = {0};
    if (probe_reader_read("/run", end, &probes) != ST_OK)
        return;
    volatile float last;
    for (int64_t i = 0; i < probes.n; i++) {
        ASSERT(probes.point[i].step < end && probes.point[i].examples > 0);
        last = probes.point[i].p[probes.point[i].examples - 1];
        (void)last;
        ASSERT(probe_reader_find(&probes, probes.point[i].step) == &probes.point[i]);
    }
    probe_reader_fini(&probes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    const int reader = fuzz_byte(&in) % READERS;
    const bool mends = fuzz_byte(&in) & 1;
    const int64_t step = fuzz_byte(&in), depth = fuzz_byte(&in) % 4;
    const size_t wanted = fuzz_number(&in, 2);
    size_t first_bytes, second_bytes;
    char *first = fuzz_rest_text(&in, wanted < FILE_MOST ? wanted : FILE_MOST, &first_bytes);
    char *second = fuzz_rest_text(&in, FILE_MOST, &second_bytes);
    if (mends) {
        mend(first, first_bytes);
        mend(second, second_bytes);
    }
    switch (reader) {
    case READER_KEEP:
        keep_lines(first, step, depth);
        break;
    case READER_CURVE:
        fuzz_file(FILE_METRICS, first, first_bytes);
        read_curve();
        break;
    case READER_STEPS:
        fuzz_file(FILE_METRICS, first, first_bytes);
        read_steps(first, first_bytes, second, second_bytes);
        break;
    default:
        fuzz_file(FILE_PROBE_STEPS, first, first_bytes);
        fuzz_file(FILE_PROBES, second, second_bytes);
        read_probes(step);
        break;
    }
    fuzz_files_forget();
    mem_free(first);
    mem_free(second);
    return 0;
}

static void seed(const char *name, int reader, const char *first, const void *second, size_t bytes)
{
    const size_t length = strlen(first);
    const uint8_t head[] = {(uint8_t)reader, 1, 20, 1, (uint8_t)length, (uint8_t)(length >> 8)};
    char *both = mem_alloc(length + bytes, 1);
    memcpy(both, first, length);
    if (bytes)
        memcpy(both + length, second, bytes);
    fuzz_seed_with(name, head, sizeof head, both, length + bytes);
    mem_free(both);
}

#define CHECK ", \"check\": \"00000000\"}\n"
#define DENSE(step, words) "{\"step\": " #step ", \"component\": 0, \"dense\": \"" words "\"" CHECK
#define ROWS(step, words) "{\"step\": " #step ", \"rows\": \"" words "\"" CHECK
#define WORD "0123456789abcdef"
#define WORDS_6 WORD WORD WORD WORD WORD WORD
#define DIGEST WORDS_6 WORDS_6 WORDS_6 WORD WORD

void fuzz_seeds(void)
{
    static const float floats[] = {0.25f, 0.5f, 0.75f};
    static const char steps[] = ROWS(2, DIGEST) DENSE(2, WORD);
    const event_metrics_t metrics = {
        .step = 10, .examples = 1000, .interval_examples = 1000, .first_visits = 1000, .logloss = 0.5};
    char *line = metrics_line_text(&metrics), *both = mem_printf("%s%s", line, steps);
    seed("curve", READER_CURVE, line, NULL, 0);
    seed("keep", READER_KEEP, both, NULL, 0);
    seed("steps", READER_STEPS, both, ROWS(3, DIGEST) DENSE(3, WORD), sizeof ROWS(3, DIGEST) DENSE(3, WORD) - 1);
    mem_free(line);
    mem_free(both);
    char *probes = mem_printf("{\"step\": 5, \"examples\": 1, \"floats\": \"%016" PRIx64 "\"" CHECK
                              "{\"step\": 9, \"examples\": 2, \"floats\": \"%016" PRIx64 "\"" CHECK,
                              hash64(floats, 4, 0), hash64(floats + 1, 8, 0));
    seed("probes", READER_PROBES, probes, floats, sizeof floats);
    mem_free(probes);
}
