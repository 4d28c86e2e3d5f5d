#include "launcher/checkpoint/checkpoint_catalog.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/files/checkpoint_paths.h"
#include "common/files/run_paths.h"

/* The names in a folder, kept: it may change while they are used. */
typedef struct names {
    char **at;
    size_t n, capacity;
} names_t;

static void add_name(void *context, const char *name)
{
    names_t *names = context;
    MEM_GROW(names->at, names->capacity, names->n + 1);
    names->at[names->n++] = mem_strdup(name);
}

static void names_fini(names_t *names)
{
    for (size_t i = 0; i < names->n; i++)
        mem_free(names->at[i]);
    mem_free(names->at);
    *names = (names_t){0};
}

static status_t read_incarnation(disk_t *disk, const char *run_dir, uint32_t incarnation, checkpoint_catalog_t *catalog,
                                 size_t *capacity)
{
    char *folder = checkpoint_incarnation_path(run_dir, incarnation);
    names_t names = {0};
    status_t status = disk_list(disk, folder, add_name, &names);
    for (size_t i = 0; i < names.n && status == ST_OK; i++) {
        int64_t step;
        if (!checkpoint_step_of(names.at[i], &step))
            continue;
        char *manifest = mem_printf("%s/%s/" FILE_MANIFEST, folder, names.at[i]);
        if (disk_exists(disk, manifest)) {
            MEM_GROW(catalog->at, *capacity, (size_t)catalog->n + 1);
            catalog->at[catalog->n++] = (checkpoint_id_t){incarnation, step};
        }
        mem_free(manifest);
    }
    names_fini(&names);
    mem_free(folder);
    return status;
}

/* Names sort by number up to 9999 incarnations; beyond, this does. */
static int by_age(const void *left, const void *right)
{
    const checkpoint_id_t *a = left, *b = right;
    if (a->incarnation != b->incarnation)
        return a->incarnation < b->incarnation ? -1 : 1;
    return a->step < b->step ? -1 : a->step > b->step;
}

status_t checkpoint_catalog_read(disk_t *disk, const char *run_dir, checkpoint_catalog_t *out)
{
    checkpoint_catalog_t catalog = {0};
    size_t capacity = 0;
    char *folder = checkpoint_path(run_dir);
    names_t names = {0};
    status_t status = disk_list(disk, folder, add_name, &names);
    for (size_t i = 0; i < names.n && status == ST_OK; i++) {
        uint32_t incarnation;
        if (!checkpoint_incarnation_of(names.at[i], &incarnation))
            continue;
        if (incarnation >= catalog.incarnations)
            catalog.incarnations = incarnation + 1;
        status = read_incarnation(disk, run_dir, incarnation, &catalog, &capacity);
    }
    names_fini(&names);
    mem_free(folder);
    if (status != ST_OK) {
        checkpoint_catalog_fini(&catalog);
        return status;
    }
    if (catalog.n)
        qsort(catalog.at, (size_t)catalog.n, sizeof *catalog.at, by_age);
    *out = catalog;
    return ST_OK;
}

void checkpoint_catalog_fini(checkpoint_catalog_t *catalog)
{
    mem_free(catalog->at);
    *catalog = (checkpoint_catalog_t){0};
}

status_t checkpoint_revoke(disk_t *disk, const char *run_dir, checkpoint_id_t id)
{
    char *folder = checkpoint_step_path(run_dir, id.incarnation, id.step), *manifest = run_path(folder, FILE_MANIFEST);
    status_t status = disk_remove(disk, manifest);
    if (status == ST_OK)
        status = disk_sync_dir(disk, folder);
    mem_free(manifest);
    mem_free(folder);
    return status;
}

/* A folder of files, and of bases. */
static status_t remove_folder(disk_t *disk, const char *folder)
{
    names_t names = {0};
    status_t status = disk_list(disk, folder, add_name, &names);
    for (size_t i = 0; i < names.n && status == ST_OK; i++) {
        char *path = mem_printf("%s/%s", folder, names.at[i]);
        status = checkpoint_is_base(names.at[i]) ? remove_folder(disk, path) : disk_remove(disk, path);
        mem_free(path);
    }
    names_fini(&names);
    return status == ST_OK ? disk_remove(disk, folder) : status;
}

status_t checkpoint_remove_step(disk_t *disk, const char *run_dir, checkpoint_id_t id)
{
    char *folder = checkpoint_step_path(run_dir, id.incarnation, id.step);
    status_t status = remove_folder(disk, folder);
    mem_free(folder);
    return status;
}

status_t checkpoint_remove_incarnation(disk_t *disk, const char *run_dir, uint32_t incarnation)
{
    char *folder = checkpoint_incarnation_path(run_dir, incarnation);
    names_t names = {0};
    status_t status = disk_list(disk, folder, add_name, &names);
    for (size_t i = 0; i < names.n && status == ST_OK; i++) {
        char *path = mem_printf("%s/%s", folder, names.at[i]);
        status = remove_folder(disk, path);
        mem_free(path);
    }
    names_fini(&names);
    if (status == ST_OK)
        status = disk_remove(disk, folder);
    mem_free(folder);
    return status;
}
