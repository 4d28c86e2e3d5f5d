#include "common/config/bins.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/status.h"
#include "common/config/layout.h"

static const char *const not_whole = "is no number of bins; allowed: a whole number from 2 to 1024, or a list of edges";

void bins_fini(bins_t *bins)
{
    mem_free(bins->edge);
    *bins = (bins_t){0};
}

static const char *parse_count(const char *text, bins_t *out)
{
    const size_t digits = strspn(text, "0123456789");
    const long count = strtol(text, NULL, 10);
    if (digits == 0 || text[digits])
        return not_whole;
    if (count < 2)
        return "is no number of bins: two are the fewest that tell numbers apart";
    if (count > BINS_MOST)
        return not_whole;
    out->count = (int)count;
    return NULL;
}

/* The next number of a list, and where it ends. */
static const char *parse_edge(const char **at, double *out)
{
    char *end;
    const char *text = *at + strspn(*at, " ");
    const size_t bytes = strspn(text, "0123456789+-.eE");
    *out = strtod(text, &end);
    if (bytes == 0 || end != text + bytes || !isfinite(*out))
        return "has an edge that is not a number";
    *out += 0.0; /* -0 is 0 */
    *at = end + strspn(end, " ");
    return NULL;
}

static const char *parse_edges(const char *text, bins_t *out)
{
    int edges = strcmp(text, "[]") != 0;
    for (const char *c = text; *c; c++)
        edges += *c == ',';
    if (edges >= BINS_MOST)
        return "has more than 1023 edges";
    out->edge = MEM_ARRAY(double, edges + 1);
    const char *at = edges ? text + 1 : text + 2;
    for (int e = 0; e < edges; e++, at++) {
        const char *fault = parse_edge(&at, &out->edge[e]);
        if (!fault && *at != (e + 1 < edges ? ',' : ']'))
            fault = "has an edge that is not a number";
        if (!fault && e > 0 && !(out->edge[e] > out->edge[e - 1]))
            fault = "has edges that do not rise; each must be above the one before it";
        if (fault)
            return fault;
    }
    out->count = edges + 1;
    return *at ? "goes on behind its edges" : NULL;
}

const char *bins_parse(const char *text, bins_t *out)
{
    *out = (bins_t){0};
    if (!text || !*text)
        return NULL;
    const char *fault = *text == '[' ? parse_edges(text, out) : parse_count(text, out);
    if (fault)
        bins_fini(out);
    return fault;
}

char *bins_text(const bins_t *bins)
{
    ASSERT(bins->edge);
    char *text = mem_strdup("[");
    for (int e = 0; e + 1 < bins->count; e++) {
        char number[32];
        layout_number(bins->edge[e], number);
        char *longer = mem_printf("%s%s%s", text, e ? ", " : "", number);
        mem_free(text);
        text = longer;
    }
    char *whole = mem_printf("%s]", text);
    mem_free(text);
    return whole;
}

int bins_of(const bins_t *bins, double value)
{
    int low = 0, high = bins->count - 1; /* edges before low are not above the value, those from high on are */
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (bins->edge[middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void bins_name(const bins_t *bins, int bin, char out[BIN_TEXT_BYTES])
{
    char from[32] = "(-inf", to[32] = "inf";
    ASSERT(bin >= 0 && bin < bins->count);
    if (bin > 0)
        layout_number(bins->edge[bin - 1], from);
    if (bin + 1 < bins->count)
        layout_number(bins->edge[bin], to);
    snprintf(out, BIN_TEXT_BYTES, "%s%s, %s)", bin ? "[" : "", from, to);
}
