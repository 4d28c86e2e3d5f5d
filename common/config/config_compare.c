/* The hash of a configuration is that of its differences from the defaults, not of its whole text: a key that a later version
 * adds is at its default in every configuration written before, so that it changes no hash, and finished runs stay what they
 * were. The price: a default is part of the format, and must not change. Where a new key's default is better than what was done
 * before it came, the hash covers the difference from that instead (CONFIG_FORMER). */
#include "common/config/config_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/config/decode.h"
#include "common/config/layout.h"
#include "common/files/file.h"

void layout_compare(const layout_t *layout, const void *before, const void *now, config_difference_t **out, int *n)
{
    int keys = 0, found = 0;
    for (int r = 0; r < layout->count; r++)
        keys += layout->records[r].count;
    config_difference_t *differences = MEM_ARRAY(config_difference_t, keys);
    for (int r = 0; r < layout->count; r++) {
        const config_record_t *record = &layout->records[r];
        for (int f = 0; f < record->count; f++) {
            const field_t *field = &record->fields[f];
            const size_t at = record->offset + field->offset;
            char *a = layout_value(field, (const char *)before + at), *b = layout_value(field, (const char *)now + at);
            if (strcmp(a, b) != 0) {
                char *name = mem_printf("%s%s%s", record->name, *record->name ? "." : "", field->name);
                differences[found++] = (config_difference_t){name, field->change, a, b};
            } else {
                mem_free(a);
                mem_free(b);
            }
        }
    }
    *out = differences;
    *n = found;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const config_difference_t *)a)->name, ((const config_difference_t *)b)->name);
}

uint64_t layout_hash(const layout_t *layout, const void *value)
{
    yaml_t *tree = layout_former(layout, "(defaults)");
    void *defaults = NULL;
    config_difference_t *differences;
    int n;
    status_t status = decode_tree(layout, tree, &defaults);
    ASSERT(status == ST_OK); /* they are ours */
    layout_compare(layout, defaults, value, &differences, &n);
    qsort(differences, (size_t)n, sizeof *differences, by_name);
    uint64_t hash = 0;
    for (int i = 0; i < n; i++) {
        if (differences[i].change == CLASS_FREE)
            continue;
        char *line = mem_printf("%s: %s\n", differences[i].name, differences[i].now);
        hash = hash64(line, strlen(line), hash);
        mem_free(line);
    }
    config_differences_destroy(&differences, n);
    layout_destroy(layout, defaults);
    yaml_destroy(&tree);
    return hash;
}

void config_compare(const config_t *before, const config_t *now, config_difference_t **out, int *n)
{
    layout_compare(layout_config(), before, now, out, n);
}

void config_differences_destroy(config_difference_t **differences, int n)
{
    for (int i = 0; i < n; i++) {
        mem_free((*differences)[i].name);
        mem_free((*differences)[i].before);
        mem_free((*differences)[i].now);
    }
    mem_free(*differences);
    *differences = NULL;
}

uint64_t config_hash(const config_t *config)
{
    return layout_hash(layout_config(), config);
}

bool config_difference(const config_t *found, const config_t *wanted, char *text, size_t size)
{
    config_difference_t *differences;
    int n, first = 0;
    config_compare(found, wanted, &differences, &n);
    while (first < n && differences[first].change == CLASS_FREE)
        first++;
    const bool differ = first < n;
    if (differ) {
        const config_difference_t *d = &differences[first];
        const char *former = found->defaults < wanted->defaults ? layout_first_default(d->name) : NULL;
        const bool by_default = former && strcmp(former, d->before) == 0;
        snprintf(text, size, "its %s is %s, wanted is %s%s", d->name, d->before, d->now,
                 by_default ? " (defaults: 1 in the file wants what was the default when it was trained)" : "");
    }
    config_differences_destroy(&differences, n);
    return differ;
}

status_t config_read_resolved(const char *path, config_t **out)
{
    char *text;
    size_t bytes;
    TRY(file_read(path, &text, &bytes));
    status_t status = config_from_text(text, bytes, path, out);
    mem_free(text);
    return status;
}
