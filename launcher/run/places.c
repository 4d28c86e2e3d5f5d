#include "launcher/run/places.h"

#include <inttypes.h>

#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/run_paths.h"
#include "launcher/run/runs.h"

places_t places_of(const roster_t *roster, const char *run_dir)
{
    places_t places = {path_absolute(run_dir), MEM_ARRAY(char *, roster_shards(roster)), roster_shards(roster)};
    for (int64_t s = 0; s < places.shards; s++)
        places.host[s] = mem_strdup(roster->entries[1 + s / roster->shards_per_server].host);
    return places;
}

places_t places_copy(const places_t *places)
{
    places_t copy = {.shards = places->shards};
    if (!places->shards)
        return copy;
    copy.folder = mem_strdup(places->folder);
    copy.host = MEM_ARRAY(char *, places->shards);
    for (int64_t s = 0; s < places->shards; s++)
        copy.host[s] = mem_strdup(places->host[s]);
    return copy;
}

void places_fini(places_t *places)
{
    for (int64_t s = 0; s < places->shards; s++)
        mem_free(places->host[s]);
    mem_free(places->host);
    mem_free(places->folder);
    *places = (places_t){0};
}

void places_put(jsondoc_t *manifest, const places_t *places)
{
    if (!places->shards)
        return;
    jsondoc_t *doc = jsondoc_object(), *shards = jsondoc_array();
    for (int64_t s = 0; s < places->shards; s++) {
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_text(one, "host", places->host[s]);
        jsondoc_append(shards, &one);
    }
    jsondoc_put_text(doc, "folder", places->folder);
    jsondoc_put(doc, "shards", &shards);
    jsondoc_put(manifest, "places", &doc);
}

static status_t get_hosts(const jsondoc_t *doc, const char *where, int64_t shards, places_t *places)
{
    const jsondoc_t *list;
    const char *text;
    TRY(jsondoc_get_text(doc, where, "folder", &text));
    places->folder = mem_strdup(text);
    TRY(jsondoc_get_array(doc, where, "shards", &list));
    if (jsondoc_length(list) != shards)
        return FAIL(ST_CORRUPT, "%s: \"places\" has %" PRId64 " hosts for %" PRId64 " shards", where, jsondoc_length(list),
                    shards);
    places->host = MEM_ARRAY(char *, shards);
    for (; places->shards < shards; places->shards++) {
        TRY(jsondoc_get_text(jsondoc_at(list, places->shards), where, "host", &text));
        places->host[places->shards] = mem_strdup(text);
    }
    return ST_OK;
}

status_t places_get(const jsondoc_t *manifest, const char *where, int64_t shards, places_t *out)
{
    const jsondoc_t *doc;
    places_t places = {0};
    if (!jsondoc_has(manifest, "places"))
        return ST_OK;
    TRY(jsondoc_get_object(manifest, where, "places", &doc));
    const status_t status = get_hosts(doc, where, shards, &places);
    if (status == ST_OK)
        *out = places;
    else
        places_fini(&places);
    return status;
}

/* Takes the path over. */
static char *written(const places_t *places, int64_t shard, char *path)
{
    char *text = mem_printf("%s, in %s", places->host[shard], path);
    mem_free(path);
    return text;
}

char *places_store(const places_t *places, int64_t shard)
{
    if (shard < 0 || shard >= places->shards)
        return NULL;
    return written(places, shard, run_store_path(places->folder, (int)shard));
}

char *places_checkpoint(const places_t *places, uint32_t incarnation, int64_t shard)
{
    if (shard < 0 || shard >= places->shards)
        return NULL;
    return written(places, shard, checkpoint_shard_path(places->folder, incarnation, (int)shard));
}
