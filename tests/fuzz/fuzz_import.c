/* Import from end to end: a schema and a text become a dataset (in /dev/shm), which is opened, and every example fetched.
 *
 *     u8 schema, the file (input_file.h)                                                                                     */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/data/dataset.h"
#include "common/files/file.h"
#include "launcher/ingest/import.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/harness_files.h"
#include "tests/fuzz/input_file.h"

#define TEXT_MOST 2048
#define HEAD "label: y\nmax_bad_rows: 3\n"
#define COLUMNS "columns: [{name: n, kind: numeric, transform: standardise}, {name: c}, "
#define MULTI HEAD COLUMNS "{name: m, kind: multi, separator: ' '}]\n"
#define TIMES HEAD "group: q\ntime: t\nsplit: {column: t, train_max: 5}\n" COLUMNS "{name: b, transform: log2_bucket}]\n"
#define NAMELESS "header: false\nlabel: c1\ntime: c2\ncolumns: [{name: l, column: c3, kind: numeric, transform: log1p}]\n"
#define RULES \
    "max_bad_rows: 3\nlabel: {column: y, rule: '>= 4'}\ngroup: q\ntime: t\nmissing: [NA, '\\N']\n" \
    "columns: [{name: n, kind: numeric, fill: -1, indicator: true, transform: log1p}, {name: m, kind: multi, missing: [x]}]\n"
static const char *const schemas[] = {("format: csv\n" MULTI),
                                      ("format: tsv\n" TIMES),
                                      ("format: csv\nsplit: {train_fraction: 0.5}\n" NAMELESS),
                                      ("format: libsvm\nmax_bad_rows: 1\n"),
                                      ("format: libffm\nmax_bad_rows: 1\nfeature_limit: 0\nlabel_rule: yes/no\n"),
                                      ("format: csv\n" RULES)};
enum { SCHEMAS = sizeof schemas / sizeof *schemas };

static char folder[64], imported_path[96];

static void leave(void)
{
    const status_t status = dir_remove_tree(folder);
    (void)status;
}

static const schema_t *schema_of(int number)
{
    static schema_t *loaded[SCHEMAS];
    if (!*folder) {
        snprintf(folder, sizeof folder, "/dev/shm/smelter-fuzz.XXXXXX");
        const char *made = mkdtemp(folder);
        ASSERT(made);
        snprintf(imported_path, sizeof imported_path, "%s/dataset", folder);
        atexit(leave);
    }
    if (!loaded[number]) {
        fuzz_file("/schema", schemas[number], strlen(schemas[number]));
        const status_t status = schema_load("/schema", &loaded[number]);
        ASSERT(status == ST_OK);
        fuzz_files_forget();
    }
    return loaded[number];
}

static void read_dataset(void)
{
    dataset_t *dataset = NULL;
    dataset_example_t example;
    status_t status = dataset_open(imported_path, 1 << 20, &dataset);
    ASSERT(status == ST_OK);
    const dataset_info_t *info = dataset_info(dataset);
    for (int64_t i = 0; i < info->rows; i++) {
        const int64_t position = i < info->train_rows ? dataset_position(dataset, SPLIT_TRAIN, i)
                                                      : dataset_position(dataset, SPLIT_EVAL, i - info->train_rows);
        status = dataset_fetch(dataset, &position, 1, &example);
        ASSERT(status == ST_OK && example.block->label[example.row] <= 1);
        for (int32_t f = 0; f < info->numeric; f++) {
            const float x = example.block->numeric[(int64_t)example.row * info->numeric + f];
            ASSERT(x == x); /* a missing value is the mean */
        }
    }
    ASSERT(dataset_census(dataset)->is_recorded);
    dataset_close(&dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    const schema_t *schema = schema_of(fuzz_byte(&in) % SCHEMAS);
    const bool compress = size % 2;
    const status_t status = import_text(input_file_make(&in, TEXT_MOST), schema, imported_path, compress, false);
    ASSERT(dataset_exists(imported_path) == (status == ST_OK));
    if (status == ST_OK)
        read_dataset();
    const status_t removed = dir_remove_tree(imported_path);
    ASSERT(removed == ST_OK);
    return 0;
}

void fuzz_seeds(void)
{
    static const char *const texts[SCHEMAS] = {"y,n,c,m\n1,0.5,a,x y z\n0,,b,\n1,3,a,\"x,1\"\n0,bad,a,x\n1,7,,x\n",
                                               "y\tn\tc\tb\tq\tt\n1\t0.5\ta\t3\tq1\t1\n0\t\tb\t\t\t6\n1\t2\tb\t1000\tNA\t4.5\n",
                                               "1,2016-06-14 04:06:19.061,-4\n0,2016-06-14T05:00:00+02:00,\n1,,100\n",
                                               "1 qid:3 1:0.5 007:1e-3\n-1 qid:4\n0 2:1\n+1 qid:3 999:1 1001:1\n",
                                               "yes 0:a:1 3:18446744073709551616:2\nNO 1:x:1\n# none\nn 4095:007:1 4096:1:1\n",
                                               "y,q,t,n,m\n5,NA,NA,NA,x|y|NA\n3.5,a,2016-06-14T05:00:00Z,2,\n\\N,a,NA,1,x\n"};
    static const char *const names[] = {"plain", "gzip", "zstd"};
    for (uint8_t s = 0; s < SCHEMAS; s++)
        for (int way = INPUT_PLAIN; way <= INPUT_ZSTD; way++) {
            char *name = mem_printf("schema%d-%s", s, names[way]);
            input_file_seed(name, &s, 1, way, texts[s]);
            mem_free(name);
        }
}
