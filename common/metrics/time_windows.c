/* The bin of a prediction is the first bits of it, or of 1 - p above 1/2, which is exact there: the exponent down to 2^-17 and
 * six bits of the mantissa. So bins are as fine for clicks that are rare as for those that are sure, and a bin is found
 * without a logarithm. Rejected: all predictions of the windows that are open, for an exact AUC; where the data is shuffled all
 * of them are, to the end, and in every checkpoint. */
#include "common/metrics/time_windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/metrics/metrics.h"
#include "common/metrics/weighted.h"

#define MANTISSA_BITS 6
#define LEAST_EXPONENT 110 /* of 2^-17, as f32 has it */
#define HALF (((126 - LEAST_EXPONENT) << MANTISSA_BITS) + 1)
#define BINS (2 * HALF - 1)
#define SAVED_MAGIC 0x444e4957544c4d53u /* "SMLTWIND" */

typedef struct window_sums {
    int64_t start, examples, told, before; /* told: of them; before: those at the last look */
    double weight, loss, predicted, positive;
    double *bin; /* **owned**, [2][BINS] weights by label; of a saved one the bins that are not 0 follow */
} window_sums_t;

struct time_windows {
    int64_t length;
    window_sums_t *window; /* [n], ascending starts */
    int64_t n, last;       /* last: the one that was put to before */
    size_t capacity;
};

typedef struct saved_head {
    uint64_t magic;
    int64_t length, n;
} saved_head_t;

typedef struct saved_window {
    window_sums_t sums; /* bin: NULL */
    int64_t bins;       /* that follow */
} saved_window_t;

typedef struct saved_bin {
    int64_t at;
    double weight;
} saved_bin_t;

time_windows_t *time_windows_create(int64_t length)
{
    ASSERT(length > 0);
    time_windows_t *w = MEM_NEW(time_windows_t);
    w->length = length;
    return w;
}

static void forget(time_windows_t *w)
{
    for (int64_t i = 0; i < w->n; i++)
        mem_free(w->window[i].bin);
    w->n = w->last = 0;
}

void time_windows_destroy(time_windows_t **windows)
{
    if (!*windows)
        return;
    forget(*windows);
    mem_free((*windows)->window);
    mem_free(*windows);
    *windows = NULL;
}

static int bin_of(float p)
{
    const float rarer = p < 0.5f ? p : 1.0f - p;
    uint32_t bits;
    memcpy(&bits, &rarer, sizeof bits);
    const int fine = (int)(bits >> (23 - MANTISSA_BITS)) - (LEAST_EXPONENT << MANTISSA_BITS), low = fine < 0 ? 0 : fine;
    return p < 0.5f ? low : BINS - 1 - low;
}

/* The first window that does not start before. */
static int64_t place_of(const time_windows_t *w, int64_t start)
{
    int64_t low = 0;
    if (w->last < w->n && w->window[w->last].start == start)
        return w->last;
    for (int64_t high = w->n; low < high;) {
        const int64_t middle = low + (high - low) / 2;
        if (w->window[middle].start < start)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static window_sums_t *window_at(time_windows_t *w, int64_t start)
{
    const int64_t at = place_of(w, start);
    w->last = at;
    if (at < w->n && w->window[at].start == start)
        return &w->window[at];
    MEM_GROW(w->window, w->capacity, (size_t)w->n + 1);
    memmove(w->window + at + 1, w->window + at, (size_t)(w->n - at) * sizeof *w->window);
    w->n++;
    w->window[at] = (window_sums_t){.start = start, .bin = MEM_ARRAY(double, 2 * BINS)};
    return &w->window[at];
}

bool time_windows_put(time_windows_t *w, int64_t time, float p, uint8_t y, double weight)
{
    const int64_t start = time_windows_start(time, w->length), at = place_of(w, start);
    const bool fits = w->n < TIME_WINDOWS_MOST || (at < w->n && w->window[at].start == start);
    window_sums_t *window = window_at(w, fits ? start : TIME_WINDOWS_NO_TIME);
    window->examples++;
    window->weight += weight;
    window->loss += weight * metrics_logloss_example(p, y);
    window->predicted += weight * (double)p;
    window->positive += weight * y;
    if (p >= 0.0f && p <= 1.0f)
        window->bin[y * BINS + bin_of(p)] += weight;
    return fits;
}

static double auc_of(const window_sums_t *window)
{
    const double *negative = window->bin, *positive = window->bin + BINS;
    double wrong = 0.0, positives = 0.0, negatives = 0.0;
    for (int b = 0; b < BINS; b++) {
        wrong += negative[b] * (positives + 0.5 * positive[b]);
        positives += positive[b];
        negatives += negative[b];
    }
    const double pairs = positives * negatives;
    return isnan(window->loss) || !(pairs > 0.0) ? NAN : 1.0 - wrong / pairs;
}

static time_window_t numbers_of(const window_sums_t *window)
{
    const double weight = window->weight > 0.0 ? window->weight : NAN;
    return (time_window_t){
        .start = window->start,
        .examples = window->examples,
        .logloss = window->loss / weight,
        .auc = auc_of(window),
        .calibration = isnan(window->loss) || !(window->positive > 0.0) ? NAN : window->predicted / window->positive,
        .base_rate = window->positive / weight,
    };
}

int64_t time_windows_ended(time_windows_t *w, bool is_end, time_window_t **out)
{
    int64_t n = 0;
    size_t capacity = 0;
    *out = NULL;
    for (int64_t i = 0; i < w->n; i++) {
        window_sums_t *window = &w->window[i];
        const bool rests = window->examples == window->before;
        window->before = window->examples;
        if (window->told == window->examples || !(rests || is_end))
            continue;
        window->told = window->examples;
        MEM_GROW(*out, capacity, (size_t)n + 1);
        (*out)[n++] = numbers_of(window);
    }
    return n;
}

/* ---- of arrays ------------------------------------------------------------------------------------------------------- */

typedef struct timed_example {
    int64_t start, example;
} timed_example_t;

static int by_start(const void *a, const void *b)
{
    const timed_example_t *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->example < y->example ? -1 : x->example > y->example;
}

static time_window_t exactly(int64_t start, const float *p, const uint8_t *y, const float *w, int64_t n)
{
    double positive = 0.0;
    for (int64_t i = 0; i < n; i++)
        positive += weighted_of(w, i) * y[i];
    const double weight = weighted_sum(w, n);
    return (time_window_t){.start = start,
                           .examples = n,
                           .logloss = weighted_logloss(p, y, w, n),
                           .auc = 1.0 - weighted_auc_loss(p, y, w, n),
                           .calibration = weighted_calibration(p, y, w, n),
                           .base_rate = weight > 0.0 ? positive / weight : NAN};
}

int64_t time_windows_measure(const timed_predictions_t *of, int64_t length, time_window_t **out)
{
    timed_example_t *at = MEM_ARRAY(timed_example_t, of->n);
    float *p = MEM_ARRAY(float, of->n), *w = of->weight ? MEM_ARRAY(float, of->n) : NULL;
    uint8_t *y = MEM_ARRAY(uint8_t, of->n);
    size_t capacity = 0;
    int64_t windows = 0;
    for (int64_t i = 0; i < of->n; i++)
        at[i] = (timed_example_t){time_windows_start(of->time[i], length), i};
    qsort(at, (size_t)of->n, sizeof *at, by_start);
    *out = NULL;
    for (int64_t first = 0, n; first < of->n; first += n) {
        for (n = 0; first + n < of->n && at[first + n].start == at[first].start; n++) {
            const int64_t example = at[first + n].example;
            p[n] = of->p[example];
            y[n] = of->y[example];
            if (w)
                w[n] = of->weight[example];
        }
        MEM_GROW(*out, capacity, (size_t)windows + 1);
        (*out)[windows++] = exactly(at[first].start, p, y, w, n);
    }
    mem_free(at);
    mem_free(p);
    mem_free(w);
    mem_free(y);
    return windows;
}

/* ---- saved ------------------------------------------------------------------------------------------------------------- */

static int64_t used_bins(const window_sums_t *window)
{
    int64_t n = 0;
    for (int b = 0; b < 2 * BINS; b++)
        n += window->bin[b] != 0.0;
    return n;
}

void *time_windows_save(const time_windows_t *w, int64_t *bytes)
{
    const saved_head_t head = {SAVED_MAGIC, w->length, w->n};
    *bytes = (int64_t)sizeof head;
    for (int64_t i = 0; i < w->n; i++)
        *bytes += (int64_t)sizeof(saved_window_t) + used_bins(&w->window[i]) * (int64_t)sizeof(saved_bin_t);
    char *saved = MEM_ARRAY(char, *bytes), *to = saved;
    memcpy(to, &head, sizeof head);
    to += sizeof head;
    for (int64_t i = 0; i < w->n; i++) {
        saved_window_t one = {w->window[i], used_bins(&w->window[i])};
        one.sums.bin = NULL;
        memcpy(to, &one, sizeof one);
        to += sizeof one;
        for (int b = 0; b < 2 * BINS; b++) {
            const saved_bin_t bin = {b, w->window[i].bin[b]};
            if (bin.weight == 0.0)
                continue;
            memcpy(to, &bin, sizeof bin);
            to += sizeof bin;
        }
    }
    return saved;
}

/* A window from *from on, whose end moves behind it; false where it is none. */
static bool load_window(time_windows_t *w, const char **from, int64_t *left)
{
    saved_window_t one;
    if (*left < (int64_t)sizeof one)
        return false;
    memcpy(&one, *from, sizeof one);
    *from += sizeof one;
    *left -= (int64_t)sizeof one;
    const window_sums_t *sums = &one.sums;
    const bool is_in_order = w->n == 0 || w->window[w->n - 1].start < sums->start;
    if (!is_in_order || sums->examples <= 0 || sums->told < 0 || sums->told > sums->examples || sums->before < 0 ||
        sums->before > sums->examples || one.bins < 0 || one.bins > *left / (int64_t)sizeof(saved_bin_t))
        return false;
    window_sums_t *window = window_at(w, sums->start);
    double *bin = window->bin;
    *window = *sums;
    window->bin = bin;
    for (int64_t i = 0; i < one.bins; i++) {
        saved_bin_t saved;
        memcpy(&saved, *from, sizeof saved);
        *from += sizeof saved;
        *left -= (int64_t)sizeof saved;
        if (saved.at < 0 || saved.at >= 2 * BINS || !(saved.weight > 0.0))
            return false;
        bin[saved.at] = saved.weight;
    }
    return true;
}

bool time_windows_load(time_windows_t *w, const void *saved, int64_t bytes)
{
    saved_head_t head;
    const char *from = saved;
    if (bytes < (int64_t)sizeof head)
        return false;
    memcpy(&head, from, sizeof head);
    if (head.magic != SAVED_MAGIC || head.n < 0 || head.n > TIME_WINDOWS_MOST + 1)
        return false;
    time_windows_t loaded = {.length = w->length};
    int64_t left = bytes - (int64_t)sizeof head;
    from += sizeof head;
    bool good = head.length > 0;
    for (int64_t i = 0; i < head.n && good; i++)
        good = load_window(&loaded, &from, &left);
    good = good && left == 0;
    if (good && head.length == w->length) {
        forget(w);
        mem_free(w->window);
        *w = loaded;
    } else {
        forget(&loaded);
        mem_free(loaded.window);
    }
    return good;
}
