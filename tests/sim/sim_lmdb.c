#include "tests/sim/sim_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory.h"

#define ENVS 64 /* open at a time, or closed and not synced */

/* An environment that was opened for writing. */
typedef struct sim_env {
    MDB_env *env; /* NULL: closed, and not synced */
    char *folder;
    bool waits; /* its commits wait for the disk */
    bool is_synced;
} sim_env_t;

static sim_env_t envs[ENVS];
static sim_lmdb_disk_fn *disk_of;
static void *disk_context;
static bool commits_wait;

static void forget(sim_env_t *e)
{
    mem_free(e->folder);
    *e = (sim_env_t){0};
}

void sim_lmdb_enter(sim_lmdb_disk_fn *disk_of_folder, void *context, bool waits)
{
    commits_wait = waits;
    disk_of = disk_of_folder;
    disk_context = context;
}

void sim_lmdb_leave(void)
{
    disk_of = NULL;
    for (int i = 0; i < ENVS; i++)
        ASSERT(!envs[i].env);
}

void sim_lmdb_crash(double (*draw)(void *context), void *context)
{
    for (int i = 0; i < ENVS; i++) {
        if (!envs[i].folder)
            continue;
        char *path = mem_printf("%s/data.mdb", envs[i].folder);
        struct stat st;
        if (stat(path, &st) == 0 && truncate(path, (off_t)(draw(context) * (double)(st.st_size + 1))) != 0)
            ASSERT(errno == ENOENT);
        mem_free(path);
        forget(&envs[i]);
    }
}

static sim_env_t *find(const MDB_env *env)
{
    for (int i = 0; i < ENVS; i++)
        if (envs[i].env == env)
            return &envs[i];
    return NULL;
}

/* 0, or what the system would say. */
static int ask(const char *folder, const char *call, bool waits)
{
    disk_t *disk = disk_of ? disk_of(disk_context, folder) : NULL;
    return disk && disk_sim_call(disk, call, folder, waits) != ST_OK ? EIO : 0;
}

/* ---- the linker's names for what callers mean, and for what is in the library ---- */

int __real_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int __real_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn);
int __wrap_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn);
int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __real_mdb_env_sync(MDB_env *env, int force);
int __wrap_mdb_env_sync(MDB_env *env, int force);
void __real_mdb_env_close(MDB_env *env);
void __wrap_mdb_env_close(MDB_env *env);
int __real_posix_fallocate(int fd, off_t at, off_t bytes);
int __wrap_posix_fallocate(int fd, off_t at, off_t bytes);

int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
    if (!disk_of || flags & MDB_RDONLY)
        return __real_mdb_env_open(env, path, flags, mode);
    int rc = ask(path, "open", false);
    if (rc == MDB_SUCCESS)
        rc = __real_mdb_env_open(env, path, flags, mode);
    if (rc != MDB_SUCCESS)
        return rc;
    sim_env_t *e = NULL;
    for (int i = 0; i < ENVS; i++) {
        if (envs[i].folder && !envs[i].env && strcmp(envs[i].folder, path) == 0)
            forget(&envs[i]); /* written anew */
        e = !envs[i].folder ? &envs[i] : e;
    }
    ASSERT(e);
    *e = (sim_env_t){env, mem_strdup(path), commits_wait && !(flags & MDB_NOSYNC), false};
    return MDB_SUCCESS;
}

int __wrap_mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn)
{
    const sim_env_t *e = flags & MDB_RDONLY ? NULL : find(env);
    const int rc = e ? ask(e->folder, "begin a transaction", false) : MDB_SUCCESS;
    return rc == MDB_SUCCESS ? __real_mdb_txn_begin(env, parent, flags, txn) : rc;
}

int __wrap_mdb_txn_commit(MDB_txn *txn)
{
    sim_env_t *e = find(mdb_txn_env(txn));
    int rc = e ? ask(e->folder, "commit", e->waits) : MDB_SUCCESS;
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = __real_mdb_txn_commit(txn);
    if (e && rc == MDB_SUCCESS)
        e->is_synced = e->waits;
    return rc;
}

int __wrap_mdb_env_sync(MDB_env *env, int force)
{
    sim_env_t *e = find(env);
    int rc = e ? ask(e->folder, "sync", true) : MDB_SUCCESS;
    if (rc == MDB_SUCCESS)
        rc = __real_mdb_env_sync(env, force);
    if (e && rc == MDB_SUCCESS)
        e->is_synced = true;
    return rc;
}

void __wrap_mdb_env_close(MDB_env *env)
{
    sim_env_t *e = find(env);
    __real_mdb_env_close(env);
    if (e && e->is_synced)
        forget(e);
    else if (e)
        e->env = NULL;
}

/* Of rows that do not fit into memory (ps/table/page_pool.c), which are written through a map: where their file grows is the
 * only place at which their disk can refuse. */
int __wrap_posix_fallocate(int fd, off_t at, off_t bytes)
{
    static const char name[] = "/rows";
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    const ssize_t folder = n - (ssize_t)strlen(name);
    int rc = 0;
    if (folder > 0) {
        path[n] = 0;
        if (strcmp(path + folder, name) == 0) {
            path[folder] = 0;
            rc = ask(path, "reserve", false);
        }
    }
    return rc == 0 ? __real_posix_fallocate(fd, at, bytes) : rc;
}
