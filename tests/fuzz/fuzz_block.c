/* A block of a dataset (common/data/block.h), of a shape that comes with it.
 *
 *     u8 numeric, u8 single, u8 multi fields, u8 {bit 0: group, bit 1: time}, the block                                      */
#include <string.h>

#include "common/base/memory.h"
#include "common/data/block.h"
#include "tests/fuzz/harness.h"

#define FIELDS_MOST 6
#define BLOCK_MOST 16384
#define FIRST 8192

/* Everything that a reader may touch. */
static void check_block(const block_shape_t *shape, const dataset_block_t *block)
{
    const size_t rows = (size_t)block->rows, multi = (size_t)shape->multi;
    ASSERT(block->first == FIRST && block->rows > 0 && block->rows <= BLOCK_ROWS);
    uint64_t sum = 0;
    for (size_t r = 0; r < rows; r++) {
        ASSERT(block->label[r] <= (shape->may_lack_label ? DATASET_NO_LABEL : 1));
        sum += block->label[r] + block->group[r] + (uint64_t)block->time[r];
        if (shape->has_weight)
            sum += block->weight[r] > 1.0f;
        for (size_t f = 0; f < (size_t)shape->numeric; f++)
            ASSERT(block->numeric[r * (size_t)shape->numeric + f] == block->numeric[r * (size_t)shape->numeric + f]);
        for (size_t f = 0; f < (size_t)shape->single; f++)
            sum += block->single[r * (size_t)shape->single + f];
        for (size_t f = 0; f < multi; f++) {
            const uint32_t *at = &block->multi_at[r * multi + f];
            ASSERT(at[0] <= at[1]);
            for (uint32_t v = at[0]; v < at[1]; v++)
                sum += block->multi_key[v] + (block->multi_weight[v] > 0.0f);
        }
    }
    ASSERT(block->multi_at[0] == 0);
    volatile uint64_t read = sum;
    (void)read;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t in = {data, size};
    block_shape_t shape = {.weight_mean = 1.0};
    shape.numeric = fuzz_byte(&in) % FIELDS_MOST;
    shape.single = fuzz_byte(&in) % FIELDS_MOST;
    shape.multi = fuzz_byte(&in) % FIELDS_MOST;
    const unsigned has = fuzz_byte(&in);
    shape.has_group = has & 1;
    shape.has_time = has >> 1 & 1;
    shape.has_weight = has >> 2 & 1;
    shape.may_lack_label = has >> 3 & 1;
    shape.labels = 1 + (has >> 4 & 1);
    shape.label = has >> 5 & has >> 4 & 1;
    size_t bytes, decoded_bytes = 0;
    uint8_t *raw = fuzz_rest(&in, BLOCK_MOST, &bytes);
    dataset_field_t fields[FIELDS_MOST] = {0};
    for (int f = 0; f < FIELDS_MOST; f++)
        fields[f].scale = 1.0;
    dataset_block_t *block = NULL;
    int32_t rows = 0;
    const bool good = block_decode(&shape, raw, bytes, FIRST, fields, &block, &decoded_bytes);
    if (good) {
        ASSERT(decoded_bytes <= 64 * bytes + 64 * BLOCK_ROWS); /* no more than what is stored can become */
        check_block(&shape, block);
    }
    for (int f = -1; f <= shape.numeric; f++) {
        const float *column = block_numeric(&shape, raw, bytes, f, &rows);
        ASSERT(!column || (rows > 0 && column + rows <= (const float *)(const void *)(raw + bytes)));
    }
    const float *weight = block_weight(&shape, raw, bytes, &rows);
    ASSERT(!weight || (rows > 0 && weight + rows <= (const float *)(const void *)(raw + bytes)));
    mem_free(block);
    mem_free(raw);
    return 0;
}

static void see(void *context, int field, const uint64_t *keys, const uint32_t *counts, const uint32_t *places,
                uint32_t distinct)
{
    (void)context;
    (void)field;
    (void)keys;
    (void)counts;
    (void)places;
    (void)distinct;
}

static void seed(const char *name, block_shape_t shape, int rows, bool weighted)
{
    enum { ROWS = 300, VALUES = ROWS * FIELDS_MOST * 2 };
    static uint8_t label[BLOCK_ROWS + ROWS];
    static uint64_t group[ROWS], single[ROWS * FIELDS_MOST], multi_key[VALUES];
    static int64_t time[ROWS];
    static float numeric[ROWS * FIELDS_MOST], multi_weight[VALUES], weight[ROWS];
    static uint32_t multi_at[ROWS * FIELDS_MOST + 1];
    for (int r = 0; r < rows; r++) {
        label[r] = r % 2;
        label[BLOCK_ROWS + r] = DATASET_NO_LABEL;
        weight[r] = (float)r;
        group[r] = (uint64_t)r / 3;
        time[r] = r;
    }
    for (int i = 0; i < rows * FIELDS_MOST; i++) {
        numeric[i] = (float)i;
        single[i] = (uint64_t)i % 270; /* codes of one byte, and of two */
        multi_at[i + 1] = (uint32_t)(i + 1) * 2;
    }
    for (int i = 0; i < VALUES; i++) {
        multi_key[i] = (uint64_t)i % 5;
        multi_weight[i] = weighted ? 0.5f : 1.0f;
    }
    const dataset_block_t block = {FIRST, rows, label, weight, group, time, numeric, single, multi_at, multi_key, multi_weight};
    const uint8_t head[] = {(uint8_t)shape.numeric, (uint8_t)shape.single, (uint8_t)shape.multi,
                            (uint8_t)(shape.has_group | shape.has_time << 1 | shape.has_weight << 2 |
                                      shape.may_lack_label << 3 | (shape.labels > 1) << 4 | shape.label << 5)};
    block_encoder_t *encoder = block_encoder_create();
    record_t out = {0};
    block_encode(encoder, &shape, &block, &out, see, NULL);
    fuzz_seed_with(name, head, sizeof head, out.at, out.bytes);
    record_fini(&out);
    block_encoder_destroy(&encoder);
}

void fuzz_seeds(void)
{
    seed("labels", (block_shape_t){.numeric = 0}, 3, false);
    seed("numeric", (block_shape_t){.numeric = 2, .has_time = true}, 3, false);
    seed("single", (block_shape_t){.single = 2, .has_group = true}, 3, false);
    seed("multi", (block_shape_t){.multi = 2}, 3, false);
    seed("weighted", (block_shape_t){.multi = 1}, 3, true);
    seed("all", (block_shape_t){.numeric = 1, .single = 1, .multi = 1, .has_group = true, .has_time = true}, 5, true);
    seed("wide", (block_shape_t){.single = 1}, 290, false);
    seed("extras", (block_shape_t){.numeric = 1, .has_weight = true, .may_lack_label = true, .labels = 2, .label = 1}, 3,
         false);
}
