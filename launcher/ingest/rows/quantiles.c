/* Numbers in order are whole numbers in order, by the bits of their floating point. All wanted ranks are looked for at once,
 * from the first byte of such a number to the last: among the numbers that begin as a wanted one does, how many have which
 * next byte? A pass over the numbers for each byte; no number of them makes it more. */
#include "launcher/ingest/rows/quantiles.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "launcher/ingest/rows/nameless_file.h"

#define PIECE 8192 /* numbers at once */
#define BYTES 8    /* of a number */

/* What is looked for: the number at a rank, as far as it is known. */
typedef struct wanted {
    uint64_t prefix; /* its first bytes */
    int64_t rank;    /* among the numbers that begin so */
    int begin;       /* number of its prefix among the different ones */
} wanted_t;

struct quantiles {
    size_t most; /* numbers in memory */
    uint64_t *numbers;
    size_t used, capacity;
    int64_t count, stored;
    nameless_file_t *file; /* NULL: all are in memory */
};

quantiles_t *quantiles_create(size_t memory)
{
    quantiles_t *q = MEM_NEW(quantiles_t);
    q->most = memory / sizeof *q->numbers < PIECE ? PIECE : memory / sizeof *q->numbers;
    return q;
}

void quantiles_destroy(quantiles_t **quantiles)
{
    quantiles_t *q = *quantiles;
    if (!q)
        return;
    nameless_file_close(&q->file);
    mem_free(q->numbers);
    mem_free(q);
    *quantiles = NULL;
}

int64_t quantiles_count(const quantiles_t *q)
{
    return q->count;
}

static uint64_t ordered(double number)
{
    uint64_t bits;
    number += 0.0; /* -0 is 0 */
    memcpy(&bits, &number, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double number_of(uint64_t bits)
{
    double number;
    bits = bits >> 63 ? bits & ~(UINT64_C(1) << 63) : ~bits;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static status_t flush(quantiles_t *q)
{
    if (!q->file)
        TRY(nameless_file_create(&q->file));
    TRY(nameless_file_append(q->file, q->numbers, q->used * sizeof *q->numbers));
    q->stored += (int64_t)q->used;
    q->used = 0;
    return ST_OK;
}

status_t quantiles_put(quantiles_t *q, double number)
{
    if (q->used == q->most)
        TRY(flush(q));
    MEM_GROW(q->numbers, q->capacity, q->used + 1);
    q->numbers[q->used++] = ordered(number);
    q->count++;
    return ST_OK;
}

/* ---- looking ---- */

/* The number of a prefix among `n` ascending ones, or -1. */
static int find_prefix(const uint64_t *prefix, int n, uint64_t wanted)
{
    int low = 0, high = n;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (prefix[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && prefix[low] == wanted ? low : -1;
}

/* Add to times [n][256] how often the next byte of numbers that begin so is which. */
static void count_bytes(const uint64_t *numbers, size_t count, int byte, const uint64_t *prefix, int n, int64_t *times)
{
    const int shift = 8 * (BYTES - 1 - byte);
    for (size_t i = 0; i < count; i++) {
        const int at = byte == 0 ? 0 : find_prefix(prefix, n, numbers[i] >> (shift + 8));
        if (at >= 0)
            times[at * 256 + (int)(numbers[i] >> shift & 255)]++;
    }
}

static status_t count_all(quantiles_t *q, int byte, const uint64_t *prefix, int n, int64_t *times)
{
    uint64_t *piece = MEM_ARRAY(uint64_t, PIECE);
    status_t status = ST_OK;
    for (int64_t first = 0; first < q->stored && status == ST_OK; first += PIECE) {
        const size_t count = (size_t)(q->stored - first < PIECE ? q->stored - first : PIECE);
        status = nameless_file_read(q->file, first * (int64_t)sizeof *piece, piece, count * sizeof *piece);
        if (status == ST_OK)
            count_bytes(piece, count, byte, prefix, n, times);
    }
    mem_free(piece);
    count_bytes(q->numbers, q->used, byte, prefix, n, times);
    return status;
}

/* One byte more of each that is wanted. */
static void advance(wanted_t *wanted, int ranks, const int64_t *times)
{
    for (int r = 0; r < ranks; r++) {
        const int64_t *of = &times[wanted[r].begin * 256];
        int byte = 0;
        while (wanted[r].rank >= of[byte])
            wanted[r].rank -= of[byte++];
        wanted[r].prefix = wanted[r].prefix << 8 | (uint64_t)byte;
    }
}

/* wanted [ranks] with ascending ranks in; prefix is the whole number then. */
static status_t look(quantiles_t *q, wanted_t *wanted, int ranks)
{
    uint64_t *prefix = MEM_ARRAY(uint64_t, ranks);
    int64_t *times = MEM_ARRAY(int64_t, (size_t)ranks * 256);
    status_t status = ST_OK;
    for (int byte = 0; byte < BYTES && status == ST_OK; byte++) {
        int n = 0;
        for (int r = 0; r < ranks; r++) {
            if (r == 0 || wanted[r].prefix != wanted[r - 1].prefix)
                prefix[n++] = wanted[r].prefix;
            wanted[r].begin = n - 1;
        }
        memset(times, 0, (size_t)n * 256 * sizeof *times);
        status = count_all(q, byte, prefix, n, times);
        if (status == ST_OK)
            advance(wanted, ranks, times);
    }
    mem_free(times);
    mem_free(prefix);
    return status;
}

status_t quantiles_bins(quantiles_t *q, int count, bins_t *out)
{
    ASSERT(count >= 1);
    bins_t bins = {.count = 1};
    wanted_t *wanted = MEM_ARRAY(wanted_t, count);
    for (int i = 0; i < count; i++) /* the smallest, and the edges */
        wanted[i].rank = (int64_t)((__int128)q->count * i / count);
    const status_t status = q->count ? look(q, wanted, count) : ST_OK;
    bins.edge = MEM_ARRAY(double, count);
    for (int i = 1; i < count && q->count && status == ST_OK; i++)
        if (wanted[i].prefix > wanted[i - 1].prefix)
            bins.edge[bins.count++ - 1] = number_of(wanted[i].prefix);
    mem_free(wanted);
    if (status == ST_OK)
        *out = bins;
    else
        bins_fini(&bins);
    return status;
}
