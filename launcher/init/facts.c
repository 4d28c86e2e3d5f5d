/* How much a column tells of the label: rows are put in groups of one value, or, of a number, of one sixteenth of its range by
 * rank as well. The share of 1 in a group's even rows, drawn towards that of all rows, predicts its odd ones, so that a column
 * of many values is no better than it is for rows to come. */
#include "launcher/init/facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/math/real.h"

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t count_distinct(const sample_column_t *column, int64_t rows)
{
    uint64_t *key = MEM_ARRAY(uint64_t, rows);
    int64_t n = 0, distinct = 0;
    for (int64_t row = 0; row < rows; row++)
        if (column->form[row] != CELL_EMPTY && column->form[row] != CELL_WORD)
            key[n++] = column->hash[row];
    qsort(key, (size_t)n, sizeof *key, compare_keys);
    for (int64_t i = 0; i < n; i++)
        distinct += i == 0 || key[i] != key[i - 1];
    mem_free(key);
    return distinct;
}

void facts_of(const sample_t *sample, int at, facts_t *out)
{
    const sample_column_t *column = &sample->column[at];
    double sum = 0.0, squares = 0.0, before = -INFINITY;
    int64_t zeros = 0, n = 0;
    *out = (facts_t){.least = INFINITY, .most = -INFINITY};
    for (int64_t row = 0; row < sample->rows; row++) {
        const double x = column->number[row];
        out->form[column->form[row]]++;
        if (isnan(x))
            continue;
        n++;
        sum += x;
        squares += x * x;
        out->least = x < out->least ? x : out->least;
        out->most = x > out->most ? x : out->most;
        out->descents += x < before;
        out->ones += x == 1.0;
        zeros += x == 0.0;
        before = x;
    }
    out->filled = sample->rows - out->form[CELL_EMPTY] - out->form[CELL_WORD];
    out->numbers = out->form[CELL_WHOLE] + out->form[CELL_NUMBER];
    out->distinct = count_distinct(column, sample->rows);
    out->is_binary = out->filled > 0 && zeros > 0 && out->ones > 0 && zeros + out->ones == out->filled;
    out->mean = n ? sum / (double)n : NAN;
    out->spread = n ? sqrt(fmax(0.0, squares / (double)n - out->mean * out->mean)) : NAN;
}

/* ---- what it tells ------------------------------------------------------------------------------------------------------ */

typedef struct labelled {
    uint64_t key;
    uint8_t label;
    bool learns; /* else it is predicted */
} labelled_t;

static int compare_labelled(const void *a, const void *b)
{
    const labelled_t *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static double logloss(double p, double ones, double zeros)
{
    return -(ones * real_log(p) + zeros * real_log1p(-p));
}

/* Rows that are sorted by their group. */
static void look_at_groups(const labelled_t *row, int64_t n, telling_t *out)
{
    double ones = 0.0, loss = 0.0, alone = 0.0;
    for (int64_t i = 0; i < n; i++)
        ones += row[i].label;
    const double base = ones / (double)n;
    const int64_t frequent = n / 50 > 20 ? n / 50 : 20;
    for (int64_t from = 0, to; from < n; from = to) {
        double count[2][2] = {{0}}; /* [learns][label] */
        for (to = from; to < n && row[to].key == row[from].key; to++)
            count[row[to].learns][row[to].label]++;
        const double p = (count[1][1] + base) / (count[1][0] + count[1][1] + 1.0);
        loss += logloss(p, count[0][1], count[0][0]);
        alone += logloss(base, count[0][1], count[0][0]);
        const double share = (count[0][1] + count[1][1]) / (double)(to - from), rare = base < 0.5 ? share : 1.0 - share;
        if (to - from >= frequent && rare > out->purest)
            out->purest = rare;
    }
    if (alone > 0.0 && 1.0 - loss / alone > out->gain)
        out->gain = 1.0 - loss / alone;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The bounds of sixteen parts with as many rows each. */
static int find_bounds(const sample_column_t *column, int64_t rows, double bound[16])
{
    double *number = MEM_ARRAY(double, rows);
    int64_t n = 0;
    for (int64_t row = 0; row < rows; row++)
        if (!isnan(column->number[row]))
            number[n++] = column->number[row];
    qsort(number, (size_t)n, sizeof *number, compare_numbers);
    for (int b = 0; b < 16 && n > 0; b++)
        bound[b] = number[n * b / 16];
    mem_free(number);
    return n > 0;
}

static uint64_t part_of(double x, const double bound[16])
{
    uint64_t part = 0;
    for (int b = 0; b < 16; b++)
        part += x >= bound[b];
    return isnan(x) ? 99 : part * 2 + (x > bound[0]); /* the least value, often 0, is a part of its own */
}

void facts_telling(const sample_t *sample, int at, const uint8_t *label, telling_t *out)
{
    const sample_column_t *column = &sample->column[at];
    labelled_t *row = MEM_ARRAY(labelled_t, sample->rows);
    double bound[16];
    *out = (telling_t){0};
    const bool by_rank = find_bounds(column, sample->rows, bound);
    for (int way = 0; way < 1 + by_rank; way++) {
        int64_t n = 0;
        for (int64_t r = 0; r < sample->rows; r++)
            if (label[r] < 2) {
                const bool learns = hash_mix((uint64_t)r) & 1; /* no pattern of the file's */
                row[n++] = (labelled_t){way == 0 ? column->hash[r] : part_of(column->number[r], bound), label[r], learns};
            }
        qsort(row, (size_t)n, sizeof *row, compare_labelled);
        if (n > 0)
            look_at_groups(row, n, out);
    }
    mem_free(row);
}
