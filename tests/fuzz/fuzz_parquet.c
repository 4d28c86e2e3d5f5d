/* A Parquet file, any bytes: all columns that are read of it, row by row (launcher/ingest/parquet).
 *
 *     u8 {bit 0: texts, or numbers where there is a choice}, the file                                                      */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "launcher/ingest/parquet/parquet_file.h"
#include "tests/fuzz/harness.h"
#include "tests/lib/parquet_samples.h"

#define FILE_MOST (64u << 10)
#define ROWS_MOST 3000

static const char *file_of(const uint8_t *bytes, size_t count)
{
    static int file = -1;
    static char path[64];
    if (file < 0) {
        file = memfd_create("fuzz", MFD_CLOEXEC);
        ASSERT(file >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    const bool written = ftruncate(file, 0) == 0 && pwrite(file, bytes, count, 0) == (ssize_t)count;
    ASSERT(written);
    return path;
}

static void read_rows(parquet_file_t *file, parquet_use_t use)
{
    const parquet_columns_t *columns = parquet_file_columns(file);
    const parquet_cell_t *cells;
    bool end = false;
    for (size_t c = 0; c < columns->count; c++) {
        const parquet_column_t *column = &columns->column[c];
        const status_t status = parquet_file_want(file, (int)c, column->is_list ? PARQUET_AS_MANY : use);
        ASSERT((status == ST_OK) == !column->refusal);
        ASSERT(column->name && (column->refusal || column->leaf >= 0));
    }
    for (int row = 1; row <= ROWS_MOST && parquet_file_next(file, &cells, &end) == ST_OK && !end; row++) {
        ASSERT(parquet_file_row(file) == row);
        for (size_t c = 0; c < columns->count; c++) {
            ASSERT(cells[c].bytes >= 0 && cells[c].text[cells[c].bytes] == 0);
            ASSERT(!cells[c].is_list || cells[c].bytes == 0 || cells[c].text[cells[c].bytes - 1] == 0);
            ASSERT(c == 0 || cells[c].text >= cells[c - 1].text + cells[c - 1].bytes);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    const parquet_use_t use = fuzz_byte(&in) % 2 ? PARQUET_AS_NUMBER : PARQUET_AS_TEXT;
    size_t bytes;
    uint8_t *copy = fuzz_rest(&in, FILE_MOST, &bytes);
    const char *path = file_of(copy, bytes);
    parquet_file_t *file = NULL;
    const bool is = parquet_file_is(path);
    if (parquet_file_open(path, &file) == ST_OK) {
        ASSERT(is);
        read_rows(file, use);
        fingerprint_t print;
        const status_t status = parquet_file_fingerprint(file, &print);
        ASSERT(status == ST_OK && print.bytes == (int64_t)bytes);
    }
    parquet_file_close(&file);
    mem_free(copy);
    return 0;
}

static void seed(const char *name, uint8_t *file, size_t bytes)
{
    fuzz_seed_with(name, "", 1, file, bytes);
    mem_free(file);
}

void fuzz_seeds(void)
{
    static const int codecs[] = {0, 1, 2, 5, 6, 7};
    size_t bytes;
    int way = 0;
    for (int s = 0; s < parquet_samples_count; s++)
        for (const int *encoding = parquet_samples[s].encodings; *encoding >= 0; encoding++, way++) {
            char *name = mem_printf("%s-%d", parquet_samples[s].name, *encoding);
            uint8_t *file = parquet_sample_file(&parquet_samples[s], *encoding, way % 3 ? 0 : codecs[way / 3 % 6], way & 1,
                                                way >> 1 & 1, way % 5 ? 1 : 20, &bytes);
            seed(name, file, bytes);
            mem_free(name);
        }
    for (int layers = 1; layers <= 3; layers++)
        for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++) {
            char *name = mem_printf("nested%d-%d", layers, codecs[c]);
            uint8_t *file = parquet_nested_file(layers, codecs[c], c & 1, &bytes);
            seed(name, file, bytes);
            mem_free(name);
        }
}
