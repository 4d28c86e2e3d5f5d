/* Two tables: what a message is made of, with a line for each pair of those who send and receive it; and what its header
 * fields mean, where they mean anything. */
#include "tests/lib/wire_reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/net/wire.h"

#define BODY_ROW(name, element, fit, wrong, doc) {element, WIRE_FIT_##fit == WIRE_FIT_ONE, doc},
static const struct {
    int element_bytes;
    bool is_fixed;
    const char *doc;
} bodies[] = {WIRE_BODIES(BODY_ROW)};

#define MEANING_ROW(name, unit, least, most, doc) {least, most, doc},
static const struct {
    int64_t least, most;
    const char *doc;
} meanings[] = {WIRE_MEANINGS(MEANING_ROW)};

#define TYPE_ROW(name, value, a, b, c, scope, step, count, table, sequence) \
    {value, \
     #name, \
     {WIRE_BODY_##a, WIRE_BODY_##b, WIRE_BODY_##c}, \
     {WIRE_MEANS_##step, WIRE_MEANS_##count, WIRE_MEANS_##table, WIRE_MEANS_##sequence}},
static const struct {
    int value;
    const char *name;
    wire_body_t body[WIRE_FRAMES];
    wire_meaning_t field[4]; /* step, count, table, sequence */
} types[] = {WIRE_TYPES(TYPE_ROW, WIRE_NOTHING)};

#define SENDER_COORDINATOR "coordinator"
#define SENDER_PULSE "coordinator's pulse"
#define SENDER_SHARD "shard"
#define SENDER_WORKER "worker"
#define SENDER_WORKER_IN_TURN "worker, in turn"
#define SENDER_LEADER "first worker of a group"
#define SENDER_RANK "server, worker"
#define SENDER_ALL "shard, server, worker"
#define SENDER_ANY "any"
#define ROAD_ROW(type, name, from, to, meaning) {WIRE_##type, SENDER_##from " → " SENDER_##to, meaning},
static const struct {
    int type;
    const char *ends, *meaning;
} roads[] = {WIRE_TYPES(WIRE_NOTHING, ROAD_ROW)};

static void write_parts(FILE *out, size_t type)
{
    int n = 0;
    while (n < WIRE_FRAMES && types[type].body[n] != WIRE_BODY_NONE)
        n++;
    fprintf(out, "| %d | `%s` | %d | ", types[type].value, types[type].name, n);
    for (int i = 0; i < n; i++) {
        const wire_body_t body = types[type].body[i];
        fprintf(out, "%s%d%s", i ? " " : "", bodies[body].element_bytes, bodies[body].is_fixed ? "\\*" : "");
    }
    fputs(" | ", out);
    for (int i = 0; i < n; i++)
        fprintf(out, "%s%s", i ? "; " : "", bodies[types[type].body[i]].doc);
    fputs(" |", out);
}

static void write_messages(FILE *out)
{
    fputs("| value | type | frames | el | body | from → to | meaning |\n|---|---|---|---|---|---|---|\n", out);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        bool is_first = true;
        for (size_t r = 0; r < sizeof roads / sizeof *roads; r++) {
            if (roads[r].type != types[t].value)
                continue;
            if (is_first)
                write_parts(out, t);
            else
                fputs("| | | | | |", out);
            fprintf(out, " %s | %s |\n", roads[r].ends, roads[r].meaning);
            is_first = false;
        }
    }
}

static void write_fields(FILE *out)
{
    fputs("| type | `step` | `count` | `table` | `sequence` |\n|---|---|---|---|---|\n", out);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        const wire_meaning_t *field = types[t].field;
        if (field[0] == WIRE_MEANS_NOTHING && field[1] == WIRE_MEANS_NOTHING && field[2] == WIRE_MEANS_NOTHING &&
            field[3] == WIRE_MEANS_NOTHING)
            continue;
        fprintf(out, "| `%s` |", types[t].name);
        for (int i = 0; i < 4; i++)
            fprintf(out, " %s%s|", meanings[field[i]].doc, *meanings[field[i]].doc ? " " : "");
        fputs("\n", out);
    }
}

/* 2^60 - 1, where a number is one more or less than a large power of two. */
static void write_bound(FILE *out, int64_t bound)
{
    for (int power = 16; power < 63; power++)
        for (int off = -1; off <= 0; off++)
            if (bound == (INT64_C(1) << power) + off) {
                fprintf(out, "2^%d%s", power, off ? " - 1" : "");
                return;
            }
    fprintf(out, "%" PRId64, bound);
}

/* What is bounded at all: names that mean any number are left out. */
static void write_bounds(FILE *out)
{
    fputs("| field | least | most |\n|---|---|---|\n", out);
    for (size_t m = 0; m < sizeof meanings / sizeof *meanings; m++) {
        if (!*meanings[m].doc || meanings[m].least == INT64_MIN)
            continue;
        fprintf(out, "| %s | %" PRId64 " | ", meanings[m].doc, meanings[m].least);
        if (meanings[m].most == INT64_MAX)
            fputs("2^63 - 1", out);
        else
            write_bound(out, meanings[m].most);
        fputs(" |\n", out);
    }
}

char *wire_reference(const char *document)
{
    const char *begin = strstr(document, WIRE_REFERENCE_BEGIN), *end = begin ? strstr(begin, WIRE_REFERENCE_END) : NULL;
    if (!end)
        return NULL;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    ASSERT(out);
    fwrite(document, 1, (size_t)(begin - document) + strlen(WIRE_REFERENCE_BEGIN), out);
    fputs("\n", out);
    write_messages(out);
    fputs("\nHeader fields of each type; an empty one is 0.\n\n", out);
    write_fields(out);
    fputs("\nWhat a field may be in any run; other messages are refused by the transport.\n\n", out);
    write_bounds(out);
    fputs("\n", out);
    fputs(end, out);
    ASSERT(fclose(out) == 0);
    return text;
}

status_t wire_reference_write(const char *path)
{
    char *document = NULL;
    TRY(file_read(path, &document, NULL));
    char *text = wire_reference(document);
    status_t status = text ? ST_OK : FAIL(ST_INPUT, "%s has not the marks between which the messages are described", path);
    if (text && strcmp(text, document) != 0)
        status = file_write_atomic(path, text, strlen(text));
    mem_free(text);
    mem_free(document);
    return status;
}
