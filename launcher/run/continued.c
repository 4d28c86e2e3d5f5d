#include "launcher/run/continued.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

#define MEMBER "continued"
#define MOST_ROWS (INT64_C(1) << 53)

continued_t continued_of(const config_t *config, const dataset_t *dataset)
{
    const day_list_t *days = dataset_days(dataset);
    if (!*config->data.since)
        return (continued_t){0};
    continued_t continued = {.from = mem_strdup(config->warm_start),
                             .since = strtoull(config->data.since, NULL, 16),
                             .train_rows = dataset_info(dataset)->train_rows};
    const int day = day_list_find(days, continued.since);
    continued.since_rows = day < 0 ? 0 : days->day[day].rows;
    return continued;
}

void continued_fini(continued_t *continued)
{
    mem_free(continued->from);
    *continued = (continued_t){0};
}

void continued_put(jsondoc_t *manifest, const continued_t *continued)
{
    if (!continued->from)
        return;
    jsondoc_t *member = jsondoc_object();
    jsondoc_put_text(member, "from", continued->from);
    if (*continued->digest)
        jsondoc_put_text(member, "digest", continued->digest);
    jsondoc_put_hash(member, "since", continued->since);
    jsondoc_put_integer(member, "since_rows", continued->since_rows);
    jsondoc_put_integer(member, "train_rows", continued->train_rows);
    jsondoc_put(manifest, MEMBER, &member);
}

status_t continued_get(const jsondoc_t *manifest, const char *where, continued_t *out)
{
    const jsondoc_t *member;
    const char *from, *digest = "";
    continued_t continued = {0};
    if (!jsondoc_has(manifest, MEMBER))
        return ST_OK;
    TRY(jsondoc_get_object(manifest, where, MEMBER, &member));
    TRY(jsondoc_get_text(member, where, "from", &from));
    if (jsondoc_has(member, "digest"))
        TRY(jsondoc_get_text(member, where, "digest", &digest));
    if (strlen(digest) >= sizeof continued.digest)
        return FAIL(ST_CORRUPT, "%s: \"digest\" of \"" MEMBER "\" is \"%s\"; it must be 32 hex digits", where, digest);
    TRY(jsondoc_get_hash(member, where, "since", &continued.since));
    TRY(jsondoc_get_integer(member, where, "since_rows", 0, MOST_ROWS, &continued.since_rows));
    TRY(jsondoc_get_integer(member, where, "train_rows", 0, MOST_ROWS, &continued.train_rows));
    memcpy(continued.digest, digest, strlen(digest));
    continued.from = mem_strdup(from);
    *out = continued;
    return ST_OK;
}
