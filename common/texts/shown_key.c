#include "common/texts/shown_key.h"

#include <stdio.h>
#include <string.h>

#include "common/base/printable.h"
#include "common/data/cross_key.h"
#include "common/texts/shown_values.h"

#define VALUE_BYTES 96

static void put_value(shown_values_t *shown, const char *name, uint64_t key, char text[SHOWN_KEY_BYTES])
{
    char value[VALUE_BYTES];
    const size_t used = strlen(text);
    if (!shown_values_key(shown, key, value, sizeof value))
        snprintf(value, sizeof value, "%s", key == dataset_key("", 0) ? "(missing)" : "?");
    snprintf(text + used, SHOWN_KEY_BYTES - used, "%s%s = %s", used ? ", " : "", name, value);
}

static void put_parts(const dataset_t *dataset, shown_values_t *shown, const planned_cross_t *cross, const uint64_t *single,
                      char text[SHOWN_KEY_BYTES])
{
    const dataset_info_t *info = dataset_info(dataset);
    for (int i = 0; i < cross->parts; i++) {
        char *name = printable_copy(info->fields[info->numeric + cross->part[i]].name);
        put_value(shown, name, single[cross->part[i]], text);
        mem_free(name);
    }
    if (cross->buckets)
        strncat(text, ", or others of the bucket", SHOWN_KEY_BYTES - strlen(text) - 1);
}

static status_t find_cross(dataset_t *dataset, shown_values_t *shown, const planned_cross_t *cross, uint64_t key,
                           char text[SHOWN_KEY_BYTES])
{
    const dataset_info_t *info = dataset_info(dataset);
    for (int64_t position = 0; position < info->rows; position++) {
        dataset_example_t example;
        TRY(dataset_fetch(dataset, &position, 1, &example));
        const uint64_t *single = example.block->single + (size_t)example.row * (size_t)info->single;
        if (cross_key(cross, single) != key)
            continue;
        put_parts(dataset, shown, cross, single, text);
        return ST_OK;
    }
    return ST_OK;
}

/* Are the fields of the plan those of the dataset? */
static bool fits(const dataset_info_t *info, const table_plan_t *plan)
{
    if (plan->fields != info->single + plan->crosses + info->multi || (plan->crosses && plan->first_cross != info->single))
        return false;
    for (int c = 0; c < plan->crosses; c++)
        for (int i = 0; i < plan->cross[c].parts; i++)
            if (plan->cross[c].part[i] >= info->single)
                return false;
    return true;
}

status_t shown_key_find(dataset_t *dataset, const table_plan_t *plan, int field, uint64_t key, char text[SHOWN_KEY_BYTES])
{
    shown_values_t *shown = shown_values_create(dataset);
    const int cross = plan->crosses ? field - plan->first_cross : -1;
    char value[VALUE_BYTES];
    status_t status = ST_OK;
    text[0] = 0;
    if (!fits(dataset_info(dataset), plan) || !shown_values_kept(shown))
        goto done;
    if (cross >= 0 && cross < plan->crosses)
        status = find_cross(dataset, shown, &plan->cross[cross], key, text);
    else if (key == dataset_key("", 0) || shown_values_key(shown, key, value, sizeof value))
        put_value(shown, plan->name[field], key, text);
done:
    shown_values_destroy(&shown);
    return status;
}
