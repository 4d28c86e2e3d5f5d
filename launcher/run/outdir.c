#include "launcher/run/outdir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/files/file.h"
#include "common/files/file_system.h"
#include "common/files/jsondoc.h"
#include "common/files/run_paths.h"
#include "launcher/run/lease.h"

struct outdir {
    int lock;
    lease_t *lease; /* NULL: the lock is enough */
};

static status_t check_owner(const char *path, const char *marker, const char *kind, const char *name)
{
    jsondoc_t *doc;
    const char *its_kind, *its_name;
    TRY(jsondoc_read(marker, &doc));
    status_t status;
    TRY_DONE(jsondoc_get_text(doc, marker, "kind", &its_kind));
    TRY_DONE(jsondoc_get_text(doc, marker, "name", &its_name));
    if (strcmp(its_kind, kind) != 0 || strcmp(its_name, name) != 0)
        TRY_DONE(FAIL(ST_INPUT, "%s holds another %s (%s \"%s\", this is %s \"%s\"); choose another --out or remove the folder",
                      path, strcmp(its_kind, "compare") == 0 ? "experiment" : "run", its_kind, its_name, kind, name));
done:
    jsondoc_destroy(&doc);
    return status;
}

static status_t write_marker(const char *path, const char *marker, const char *kind, const char *name, bool was_empty)
{
    if (!was_empty)
        return FAIL(ST_INPUT, "%s is not empty and was not made by smelter; choose another --out", path);
    jsondoc_t *doc = jsondoc_object();
    jsondoc_put_text(doc, "kind", kind);
    jsondoc_put_text(doc, "name", name);
    status_t status = jsondoc_write(doc, marker);
    jsondoc_destroy(&doc);
    return status;
}

status_t outdir_check(const char *path, const char *kind, const char *name)
{
    char *marker = run_path(path, FILE_OWNER), *lock_path = run_path(path, FILE_LOCK);
    bool is_empty;
    status_t status;
    TRY_DONE(dir_check_creatable(path));
    TRY_DONE(dir_look(path, &is_empty));
    if (file_exists(marker))
        status = check_owner(path, marker, kind, name);
    else if (!file_exists(lock_path) && !is_empty)
        status = write_marker(path, marker, kind, name, false);
done:
    mem_free(marker);
    mem_free(lock_path);
    return status;
}

/* A lock where the file system has some; on a network file system, where it may hold on this host alone, a lease as well. */
static status_t lock_folder(int lock, const char *path, const char *lock_path, lease_t **lease)
{
    const bool is_refused = flock(lock, LOCK_EX | LOCK_NB) != 0;
    const int error = is_refused ? errno : 0;
    if (error == EWOULDBLOCK)
        return FAIL(ST_INPUT, "%s is in use by another smelter job; wait for it or choose another --out", path);
    if (is_refused && error != ENOLCK && error != EOPNOTSUPP && error != ENOSYS && error != EINVAL)
        return FAIL(ST_SYSTEM, "%s: cannot be locked: %s", lock_path, strerror(error));
    return is_refused || file_system_network(path) ? lease_take(path, (lease_times_t){0}, lease) : ST_OK;
}

status_t outdir_open(const char *path, const char *kind, const char *name, outdir_t **out)
{
    TRY(dir_create(path));
    TRY(dir_check_writable(path));
    bool was_empty;
    TRY(dir_look(path, &was_empty));
    char *marker = run_path(path, FILE_OWNER), *lock_path = run_path(path, FILE_LOCK);
    status_t status;
    const bool marked = file_exists(marker), left = file_exists(lock_path);
    int lock = -1;
    lease_t *lease = NULL;
    if (!was_empty && !marked && !left)
        TRY_DONE(write_marker(path, marker, kind, name, false));
    lock = file_open(lock_path, O_CREAT | O_RDWR, 0666);
    if (lock < 0)
        TRY_DONE(FAIL(ST_INPUT, "%s: cannot be opened: %m; make the folder writable or choose another --out", lock_path));
    TRY_DONE(lock_folder(lock, path, lock_path, &lease));
    TRY_DONE(file_exists(marker) ? check_owner(path, marker, kind, name) : write_marker(path, marker, kind, name, true));
done:
    mem_free(marker);
    mem_free(lock_path);
    if (status != ST_OK) {
        lease_give_up(&lease);
        if (lock >= 0)
            close(lock);
        return status;
    }
    *out = MEM_NEW(outdir_t);
    (*out)->lock = lock;
    (*out)->lease = lease;
    return ST_OK;
}

void outdir_close(outdir_t **outdir)
{
    if (!*outdir)
        return;
    lease_give_up(&(*outdir)->lease);
    close((*outdir)->lock);
    mem_free(*outdir);
    *outdir = NULL;
}
