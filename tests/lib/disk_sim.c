/* Contents are files, which names point to. A name's changes since its folder was synced are a list; the durable names are
 * those without the changes on the list, so a crash is: apply some of them, forget the others.
 *
 *     names      path -> file, as every node sees it
 *     durable    path -> file, as after a crash at its worst
 *     changes    [(path, file or none)] in order; a rename is two of them that stand or fall together                        */
#include "tests/lib/disk_sim.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/base/rng.h"

#define LAG_CALLS 12 /* how much later what was promised comes true, at most, where the disk makes that mistake */

typedef struct file {
    bool is_dir;
    char *data;
    size_t bytes, capacity;
    size_t synced, said_synced; /* of bytes; what sync_dir or some calls make durable, where the disk makes a mistake */
    int64_t synced_at;          /* the call at which said_synced comes true */
    int holders;                /* names, durable names, changes, open files */
} file_t;

typedef struct name {
    char *path;
    file_t *file; /* NULL: nothing */
} name_t;

typedef struct names {
    name_t *at;
    size_t n, capacity;
} names_t;

typedef struct change {
    name_t to;
    bool with_next; /* stands or falls with the next one */
    bool promised;  /* durable at call durable_at */
    int64_t durable_at;
} change_t;

/* Bytes of a file that are not what they should be. */
typedef struct wound {
    file_t *file; /* held */
    char *path;   /* that it had then */
    size_t at, bytes;
    char *good;
} wound_t;

struct disk_sim {
    uint64_t seed, draws, damages;
    int64_t room, used, calls, call_ns, sync_ns, last_promise;
    disk_sim_mistake_t mistake;
    names_t names, durable;
    change_t *changes;
    size_t n_changes, changes_capacity;
    wound_t *wounds; /* in the order in which they came */
    size_t n_wounds, wounds_capacity;
    int nodes;
};

typedef struct node {
    disk_t base;
    disk_sim_t *disk;
    disk_sim_wait_fn *wait;
    void *context;
    bool dead, loses;
    int64_t fails_in, fails; /* calls until some fail, and how many do; 0: none */
    int64_t misdirects_in;   /* likewise of appends */
} node_t;

typedef struct open_file {
    disk_file_t base;
    file_t *file;
    char *path;
} open_file_t;

static double draw(disk_sim_t *disk)
{
    return rng_uniform(disk->seed, 4, disk->draws++);
}

/* ---- files and names ---- */

static void hold(file_t *file)
{
    if (file)
        file->holders++;
}

static void let_go(disk_sim_t *disk, file_t *file)
{
    if (!file || --file->holders > 0)
        return;
    disk->used -= (int64_t)file->bytes;
    mem_free(file->data);
    mem_free(file);
}

static name_t *find_name(const names_t *names, const char *path)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->at[i].path, path) == 0)
            return &names->at[i];
    return NULL;
}

static file_t *find(const names_t *names, const char *path)
{
    const name_t *name = find_name(names, path);
    return name ? name->file : NULL;
}

static void set_name(disk_sim_t *disk, names_t *names, const char *path, file_t *file)
{
    name_t *name = find_name(names, path);
    hold(file);
    if (!name && file) {
        MEM_GROW(names->at, names->capacity, names->n + 1);
        names->at[names->n++] = (name_t){mem_strdup(path), file};
        return;
    }
    if (!name)
        return;
    let_go(disk, name->file);
    name->file = file;
    if (!file) {
        mem_free(name->path);
        *name = names->at[--names->n];
    }
}

static void clear_names(disk_sim_t *disk, names_t *names)
{
    for (size_t i = 0; i < names->n; i++) {
        let_go(disk, names->at[i].file);
        mem_free(names->at[i].path);
    }
    mem_free(names->at);
    *names = (names_t){0};
}

/* A change of a name, seen at once and durable later. */
static void change(disk_sim_t *disk, const char *path, file_t *file, bool with_next)
{
    MEM_GROW(disk->changes, disk->changes_capacity, disk->n_changes + 1);
    hold(file);
    disk->changes[disk->n_changes++] = (change_t){.to = {mem_strdup(path), file}, .with_next = with_next};
    set_name(disk, &disk->names, path, file);
}

/* Is `path` directly inside of the folder? */
static bool is_in(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static void settle(disk_sim_t *disk, size_t i, bool keep)
{
    change_t *c = &disk->changes[i];
    if (keep)
        set_name(disk, &disk->durable, c->to.path, c->to.file);
    let_go(disk, c->to.file);
    mem_free(c->to.path);
    c->to.path = NULL;
}

static void forget_settled(disk_sim_t *disk)
{
    size_t left = 0;
    for (size_t i = 0; i < disk->n_changes; i++)
        if (disk->changes[i].to.path)
            disk->changes[left++] = disk->changes[i];
    disk->n_changes = left;
}

/* What was promised for this call comes true. */
static void keep_promises(disk_sim_t *disk)
{
    for (size_t i = 0; i < disk->n_changes; i++)
        if (disk->changes[i].promised && disk->changes[i].durable_at <= disk->calls)
            settle(disk, i, true);
    forget_settled(disk);
    for (size_t i = 0; i < disk->names.n; i++) {
        file_t *file = disk->names.at[i].file;
        if (file->synced < file->said_synced && file->synced_at <= disk->calls)
            file->synced = file->said_synced;
    }
}

/* ---- damage ---- */

/* The disk's own numbers go on as they would have without any damage. */
static double draw_damage(disk_sim_t *disk)
{
    return rng_uniform(disk->seed, 5, disk->damages++);
}

/* From now on these bytes of a file are not what they should be; *good is what they were, and is taken over. */
static void wound(disk_sim_t *disk, file_t *file, const char *path, size_t at, size_t bytes, char *good)
{
    hold(file);
    MEM_GROW(disk->wounds, disk->wounds_capacity, disk->n_wounds + 1);
    disk->wounds[disk->n_wounds++] = (wound_t){file, mem_strdup(path), at, bytes, good};
}

static char *copy_of(const file_t *file, size_t at, size_t bytes)
{
    char *copy = MEM_ARRAY(char, bytes);
    if (bytes)
        memcpy(copy, file->data + at, bytes);
    return copy;
}

/* Any file with bytes in it; NULL: there is none. */
static const name_t *any_file(disk_sim_t *disk)
{
    const size_t n = disk->names.n, first = (size_t)(draw_damage(disk) * (double)n);
    for (size_t i = 0; i < n; i++) {
        const name_t *name = &disk->names.at[(first + i) % n];
        if (!name->file->is_dir && name->file->bytes > 0)
            return name;
    }
    return NULL;
}

/* What was just appended has gone elsewhere. */
static void misdirect(disk_sim_t *disk, file_t *file, const char *path, size_t bytes)
{
    const name_t *other = any_file(disk);
    char *written = copy_of(file, file->bytes - bytes, bytes);
    if (other && bytes) {
        const size_t at = (size_t)(draw_damage(disk) * (double)other->file->bytes), room = other->file->bytes - at;
        const size_t n = bytes < room ? bytes : room;
        memset(file->data + file->bytes - bytes, 0, bytes);
        wound(disk, file, path, file->bytes - bytes, bytes, copy_of(&(file_t){.data = written}, 0, bytes));
        wound(disk, other->file, other->path, at, n, copy_of(other->file, at, n));
        memcpy(other->file->data + at, written, n);
    }
    mem_free(written);
}

/* ---- calls ---- */

/* Is it the turn of a call to fail? */
static bool is_failing(node_t *node)
{
    if (node->fails == 0 || --node->fails_in > 0)
        return false;
    node->fails--;
    node->fails_in = 1;
    return true;
}

/* Every call begins here: it takes its time, its node may be dead after that, and it may be its turn to fail. */
static status_t begin(disk_t *base, const char *call, const char *path, int64_t ns)
{
    node_t *node = (node_t *)base;
    if (node->wait && !node->dead)
        node->wait(node->context, call, (int64_t)(draw(node->disk) * 2 * (double)ns));
    if (node->dead)
        return ST_PEER;
    node->disk->calls++;
    if (node->disk->mistake == DISK_SIM_SAYS_DONE_BEFORE)
        keep_promises(node->disk);
    return is_failing(node) ? FAIL(ST_SYSTEM, "%s: cannot %s: Input/output error", path, call) : ST_OK;
}

/* The same for a call that changes something; *hidden where it failed and does not say so. */
static status_t begin_change(disk_t *base, const char *call, const char *path, int64_t ns, bool *hidden)
{
    const int64_t fails = ((node_t *)base)->fails;
    *hidden = false;
    if (((node_t *)base)->disk->mistake != DISK_SIM_HIDES_ERRORS)
        return begin(base, call, path, ns);
    ((node_t *)base)->fails = 0;
    const status_t status = begin(base, call, path, ns);
    ((node_t *)base)->fails = fails;
    *hidden = status == ST_OK && is_failing((node_t *)base);
    return status;
}

static disk_sim_t *disk_of(disk_t *base)
{
    return ((node_t *)base)->disk;
}

static bool folder_exists(const disk_sim_t *disk, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = mem_printf("%.*s", slash ? (int)(slash - path) : 0, path);
    const file_t *file = find(&disk->names, folder);
    mem_free(folder);
    return file && file->is_dir;
}

static disk_file_t *open_of(disk_t *base, file_t *file, const char *path)
{
    open_file_t *open = MEM_NEW(open_file_t);
    *open = (open_file_t){{base}, file, mem_strdup(path)};
    hold(file);
    return &open->base;
}

static status_t sim_create(disk_t *base, const char *path, disk_file_t **out)
{
    disk_sim_t *disk = disk_of(base);
    TRY(begin(base, "create", path, disk->call_ns));
    if (!folder_exists(disk, path))
        return FAIL(ST_INPUT, "%s: cannot create: No such file or directory", path);
    file_t *file = MEM_NEW(file_t);
    change(disk, path, file, false);
    *out = open_of(base, file, path);
    return ST_OK;
}

static status_t sim_open(disk_t *base, const char *path, disk_file_t **out, int64_t *bytes)
{
    disk_sim_t *disk = disk_of(base);
    TRY(begin(base, "open", path, disk->call_ns));
    file_t *file = find(&disk->names, path);
    if (!file || file->is_dir)
        return FAIL(ST_INPUT, "%s: cannot open: %s", path, file ? "Is a directory" : "No such file or directory");
    *out = open_of(base, file, path);
    *bytes = (int64_t)file->bytes;
    return ST_OK;
}

static void put_bytes(disk_sim_t *disk, file_t *file, const void *data, size_t bytes)
{
    MEM_GROW(file->data, file->capacity, file->bytes + bytes);
    if (bytes)
        memcpy(file->data + file->bytes, data, bytes);
    file->bytes += bytes;
    disk->used += (int64_t)bytes;
}

static status_t sim_append(disk_file_t *base, const void *data, size_t bytes)
{
    open_file_t *open = (open_file_t *)base;
    disk_sim_t *disk = disk_of(base->disk);
    node_t *node = (node_t *)base->disk;
    bool hidden;
    const status_t status = begin_change(base->disk, "append", open->path, disk->call_ns, &hidden);
    if (status == ST_SYSTEM && bytes > 0)
        put_bytes(disk, open->file, data, (size_t)(draw(disk) * (double)bytes));
    TRY(status);
    if (hidden || node->loses) {
        node->loses = false;
        return ST_OK;
    }
    file_t *file = open->file;
    const int64_t left = disk->room - disk->used;
    const size_t fits = left <= 0 ? 0 : (int64_t)bytes <= left ? bytes : (size_t)left;
    put_bytes(disk, file, data, fits);
    if (node->misdirects_in > 0 && --node->misdirects_in == 0)
        misdirect(disk, file, open->path, fits);
    if (fits < bytes)
        return FAIL(ST_SYSTEM, "%s: cannot write: No space left on device", open->path);
    return ST_OK;
}

static status_t sim_read(disk_file_t *base, int64_t offset, void *data, size_t bytes)
{
    open_file_t *open = (open_file_t *)base;
    TRY(begin(base->disk, "read", open->path, disk_of(base->disk)->call_ns));
    const file_t *file = open->file;
    if (offset < 0 || (size_t)offset > file->bytes || bytes > file->bytes - (size_t)offset)
        return FAIL(ST_CORRUPT, "%s: ends at byte %zu, before byte %zu; it was cut short", open->path, file->bytes,
                    (size_t)offset + bytes);
    if (bytes)
        memcpy(data, file->data + offset, bytes);
    return ST_OK;
}

static status_t sim_sync(disk_file_t *base)
{
    file_t *file = ((open_file_t *)base)->file;
    disk_sim_t *disk = disk_of(base->disk);
    bool hidden;
    TRY(begin_change(base->disk, "sync", ((open_file_t *)base)->path, disk->sync_ns, &hidden));
    if (hidden)
        return ST_OK;
    file->said_synced = file->bytes;
    file->synced_at = disk->calls + 1 + (int64_t)(draw(disk) * LAG_CALLS);
    if (disk->mistake == DISK_SIM_CORRECT)
        file->synced = file->bytes;
    return ST_OK;
}

static void sim_close(disk_file_t **base)
{
    open_file_t *open = (open_file_t *)*base;
    let_go(disk_of(open->base.disk), open->file);
    mem_free(open->path);
    mem_free(open);
    *base = NULL;
}

static status_t sim_rename(disk_t *base, const char *from, const char *to)
{
    disk_sim_t *disk = disk_of(base);
    bool hidden;
    TRY(begin_change(base, "rename", from, disk->call_ns, &hidden));
    if (hidden)
        return ST_OK;
    file_t *file = find(&disk->names, from);
    if (!file || !folder_exists(disk, to))
        return FAIL(ST_INPUT, "%s: cannot rename to %s: No such file or directory", from, to);
    change(disk, to, file, true);
    change(disk, from, NULL, false);
    return ST_OK;
}

static status_t sim_remove(disk_t *base, const char *path)
{
    disk_sim_t *disk = disk_of(base);
    bool hidden;
    TRY(begin_change(base, "remove", path, disk->call_ns, &hidden));
    if (hidden)
        return ST_OK;
    const file_t *file = find(&disk->names, path);
    for (size_t i = 0; file && file->is_dir && i < disk->names.n; i++)
        if (is_in(disk->names.at[i].path, path))
            return FAIL(ST_SYSTEM, "%s: cannot remove: Directory not empty", path);
    if (file)
        change(disk, path, NULL, false);
    return ST_OK;
}

static void make_dirs(disk_sim_t *disk, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (find(&disk->names, path))
        return;
    if (slash && slash != path) {
        char *above = mem_printf("%.*s", (int)(slash - path), path);
        make_dirs(disk, above);
        mem_free(above);
    }
    file_t *folder = MEM_NEW(file_t);
    folder->is_dir = true;
    change(disk, path, folder, false);
    settle(disk, disk->n_changes - 1, true);
    forget_settled(disk);
}

static status_t sim_make_dir(disk_t *base, const char *path)
{
    TRY(begin(base, "make_dir", path, disk_of(base)->sync_ns));
    make_dirs(disk_of(base), path);
    return ST_OK;
}

static status_t sim_sync_dir(disk_t *base, const char *path)
{
    disk_sim_t *disk = disk_of(base);
    bool hidden;
    TRY(begin_change(base, "sync_dir", path, disk->sync_ns, &hidden));
    if (hidden)
        return ST_OK;
    if (!find(&disk->names, path))
        return FAIL(ST_INPUT, "%s: cannot sync the folder: No such file or directory", path);
    const int64_t promise = disk->calls + 1 + (int64_t)(draw(disk) * LAG_CALLS);
    disk->last_promise = promise > disk->last_promise ? promise : disk->last_promise; /* in order, all the same */
    for (size_t i = 0; i < disk->n_changes; i++) {
        change_t *c = &disk->changes[i];
        if (!is_in(c->to.path, path) || c->promised)
            continue;
        if (c->to.file && disk->mistake == DISK_SIM_SYNCS_AFTER_RENAME)
            c->to.file->synced = c->to.file->said_synced;
        if (disk->mistake == DISK_SIM_SAYS_DONE_BEFORE) {
            c->promised = true;
            c->durable_at = disk->last_promise;
        } else {
            settle(disk, i, true);
        }
    }
    forget_settled(disk);
    return ST_OK;
}

static int compare_paths(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static status_t sim_list(disk_t *base, const char *path, disk_visit_fn *visit, void *context)
{
    disk_sim_t *disk = disk_of(base);
    TRY(begin(base, "list", path, disk->call_ns));
    const size_t skip = strlen(path) + 1;
    char **found = MEM_ARRAY(char *, disk->names.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < disk->names.n; i++)
        if (is_in(disk->names.at[i].path, path))
            found[n++] = mem_strdup(disk->names.at[i].path + skip);
    qsort(found, n, sizeof *found, compare_paths);
    for (size_t i = 0; i < n; i++) {
        visit(context, found[i]);
        mem_free(found[i]);
    }
    mem_free(found);
    return ST_OK;
}

static bool sim_exists(disk_t *base, const char *path)
{
    return !((node_t *)base)->dead && find(&disk_of(base)->names, path);
}

static int64_t sim_free_bytes(disk_t *base, const char *path)
{
    (void)path;
    const disk_sim_t *disk = disk_of(base);
    return disk->room > disk->used ? disk->room - disk->used : 0;
}

static const disk_ops_t sim_ops = {.create = sim_create,
                                   .open = sim_open,
                                   .append = sim_append,
                                   .read = sim_read,
                                   .sync = sim_sync,
                                   .close = sim_close,
                                   .rename = sim_rename,
                                   .remove = sim_remove,
                                   .make_dir = sim_make_dir,
                                   .sync_dir = sim_sync_dir,
                                   .list = sim_list,
                                   .exists = sim_exists,
                                   .free_bytes = sim_free_bytes};

/* ---- the disk itself ---- */

disk_sim_t *disk_sim_create(uint64_t seed, int64_t room)
{
    disk_sim_t *disk = MEM_NEW(disk_sim_t);
    disk->seed = seed;
    disk->room = room;
    return disk;
}

void disk_sim_destroy(disk_sim_t **out)
{
    disk_sim_t *disk = *out;
    if (!disk)
        return;
    ASSERT(disk->nodes == 0);
    disk_sim_heal(disk);
    mem_free(disk->wounds);
    for (size_t i = 0; i < disk->n_changes; i++)
        settle(disk, i, false);
    clear_names(disk, &disk->names);
    clear_names(disk, &disk->durable);
    ASSERT(disk->used == 0);
    mem_free(disk->changes);
    mem_free(disk);
    *out = NULL;
}

disk_t *disk_sim_attach(disk_sim_t *disk, disk_sim_wait_fn *wait, void *context)
{
    node_t *node = MEM_NEW(node_t);
    *node = (node_t){.base = {&sim_ops}, .disk = disk, .wait = wait, .context = context};
    disk->nodes++;
    return &node->base;
}

void disk_sim_detach(disk_t **out)
{
    node_t *node = (node_t *)*out;
    if (!node)
        return;
    node->disk->nodes--;
    mem_free(node);
    *out = NULL;
}

void disk_sim_set_room(disk_sim_t *disk, int64_t room)
{
    disk->room = room;
}

void disk_sim_fill(disk_sim_t *disk, int64_t left)
{
    disk->room = disk->used + left;
}

void disk_sim_set_mistake(disk_sim_t *disk, disk_sim_mistake_t mistake)
{
    disk->mistake = mistake;
}

void disk_sim_set_speed(disk_sim_t *disk, int64_t call_ns, int64_t sync_ns)
{
    disk->call_ns = call_ns;
    disk->sync_ns = sync_ns;
}

void disk_sim_kill(disk_t *base)
{
    ((node_t *)base)->dead = true;
}

/* The unsynced end of a file: some of it, and of that some blocks were never written. */
static void tear(disk_sim_t *disk, file_t *file)
{
    if (file->synced >= file->bytes)
        return;
    const size_t open = file->bytes - file->synced, kept = (size_t)(draw(disk) * 1.2 * (double)(open + 1));
    const size_t bytes = kept < open ? file->synced + kept : file->bytes;
    const size_t hole = file->synced + (size_t)(draw(disk) * (double)(bytes - file->synced + 1));
    const size_t end = draw(disk) < 0.5 ? hole : hole + (size_t)(draw(disk) * (double)(bytes - hole + 1));
    memset(file->data + hole, 0, (end < bytes ? end : bytes) - (hole < bytes ? hole : bytes));
    disk->used -= (int64_t)(file->bytes - bytes);
    file->bytes = file->synced = file->said_synced = bytes;
}

static bool is_reachable(const names_t *names, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return true;
    char *above = mem_printf("%.*s", (int)(slash - path), path);
    const file_t *folder = find(names, above);
    const bool reachable = folder && folder->is_dir && is_reachable(names, above);
    mem_free(above);
    return reachable;
}

void disk_sim_crash(disk_sim_t *disk)
{
    ASSERT(disk->nodes == 0);
    const double kept = draw(disk); /* of the changes: from hardly any to nearly all */
    for (size_t i = 0; i < disk->n_changes; i++) {
        const bool keep = draw(disk) < kept, both = disk->changes[i].with_next;
        settle(disk, i, keep);
        if (both)
            settle(disk, ++i, keep);
    }
    disk->n_changes = 0;
    for (size_t i = 0; i < disk->durable.n;) /* a folder whose removal was kept takes along what was still in it */
        if (is_reachable(&disk->durable, disk->durable.at[i].path))
            i++;
        else
            set_name(disk, &disk->durable, disk->durable.at[i].path, NULL), i = 0;
    clear_names(disk, &disk->names);
    for (size_t i = 0; i < disk->durable.n; i++) {
        tear(disk, disk->durable.at[i].file);
        set_name(disk, &disk->names, disk->durable.at[i].path, disk->durable.at[i].file);
    }
}

void disk_sim_fail(disk_t *base, int64_t n, int64_t times)
{
    node_t *node = (node_t *)base;
    node->fails_in = n;
    node->fails = times;
}

void disk_sim_lose(disk_t *base)
{
    ((node_t *)base)->loses = true;
}

status_t disk_sim_call(disk_t *node, const char *call, const char *path, bool waits)
{
    return begin(node, call, path, waits ? disk_of(node)->sync_ns : disk_of(node)->call_ns);
}

void disk_sim_rot(disk_sim_t *disk)
{
    const name_t *name = any_file(disk);
    if (!name)
        return;
    const size_t at = (size_t)(draw_damage(disk) * (double)name->file->bytes);
    wound(disk, name->file, name->path, at, 1, copy_of(name->file, at, 1));
    name->file->data[at] ^= (char)(1 << (int)(draw_damage(disk) * 8));
}

void disk_sim_misdirect(disk_t *base, int64_t n)
{
    ((node_t *)base)->misdirects_in = n;
}

bool disk_sim_is_damaged(const disk_sim_t *disk)
{
    return disk->n_wounds > 0;
}

/* A temporary file has its own name by now, or will have. */
static bool is_named(const char *path, const char *text)
{
    const char *end = strstr(path, ".tmp");
    char *name = mem_printf("%.*s", end ? (int)(end - path) : (int)strlen(path), path);
    const bool found = strstr(text, name);
    mem_free(name);
    return found;
}

bool disk_sim_is_named(const disk_sim_t *disk, const char *text)
{
    for (size_t w = 0; w < disk->n_wounds; w++) {
        if (is_named(disk->wounds[w].path, text))
            return true;
        for (size_t i = 0; i < disk->names.n; i++)
            if (disk->names.at[i].file == disk->wounds[w].file && is_named(disk->names.at[i].path, text))
                return true;
    }
    return false;
}

/* What came last is mended first; what a crash has cut off is gone. */
void disk_sim_heal(disk_sim_t *disk)
{
    while (disk->n_wounds > 0) {
        const wound_t *w = &disk->wounds[--disk->n_wounds];
        if (w->at < w->file->bytes)
            memcpy(w->file->data + w->at, w->good, w->bytes < w->file->bytes - w->at ? w->bytes : w->file->bytes - w->at);
        let_go(disk, w->file);
        mem_free(w->path);
        mem_free(w->good);
    }
}

bool disk_sim_damage(disk_sim_t *disk, const char *path)
{
    file_t *file = find(&disk->names, path);
    if (!file || file->is_dir || file->bytes == 0)
        return false;
    file->data[(size_t)(draw(disk) * (double)file->bytes)] ^= 1 << 3;
    return true;
}
