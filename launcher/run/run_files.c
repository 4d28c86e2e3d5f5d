#include "launcher/run/run_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/files/file.h"

#define PIECE_BYTES (1 << 18) /* read at a time: a teacher's predictions may be larger than memory is free */
#define MOST_BYTES (INT64_C(1) << 53)
#define ADVICE "copy the file back from where it is whole, or remove the run's folder to train it anew"

static const char *const names[] = {
#define NAME(KIND, begin) begin,
    RUN_FILE_KINDS(NAME)
#undef NAME
};
#define KINDS (int)(sizeof names / sizeof *names)

/* The bit of a file's kind; 0 of one that this program does not know. */
static uint32_t kind_of(const char *name)
{
    for (int k = 0; k < KINDS; k++)
        if (strcmp(name, names[k]) == 0 || (1u << k == RUN_DENSE && strncmp(name, names[k], strlen(names[k])) == 0))
            return 1u << k;
    return 0;
}

/* ---- seal ------------------------------------------------------------------------------------------------------------ */

/* Size and checksum of a file that is read piece by piece. Returns 0 or errno. */
static int read_file(const char *path, bool sync, run_file_t *out)
{
    const int fd = file_open(path, O_RDONLY, 0);
    if (fd < 0)
        return errno;
    int error = sync && fsync(fd) != 0 && errno != EINVAL ? errno : 0; /* EINVAL: of a file system that cannot */
    hash_stream_t *stream = hash_stream_create();
    char *piece = mem_alloc(PIECE_BYTES, 1);
    out->bytes = 0;
    while (!error) {
        const ssize_t n = read(fd, piece, PIECE_BYTES);
        if (n < 0 && errno != EINTR)
            error = errno;
        if (n == 0)
            break;
        if (n > 0) {
            hash_stream_add(stream, piece, (size_t)n);
            out->bytes += n;
        }
    }
    hash_stream_text(stream, out->checksum);
    hash_stream_destroy(&stream);
    mem_free(piece);
    close(fd);
    return error;
}

/* Add the file, if it is there; *found tells. */
static status_t seal_one(const char *folder, const char *name, run_files_t *files, bool *found)
{
    char *path = mem_printf("%s/%s", folder, name);
    run_file_t file = {0};
    const int error = read_file(path, true, &file);
    *found = error != ENOENT;
    status_t status = ST_OK;
    if (error && *found)
        status = FAIL(file_blame(error), "%s: cannot be read and synced: %s", path, strerror(error));
    mem_free(path);
    if (error)
        return status;
    snprintf(file.name, sizeof file.name, "%s", name);
    size_t capacity = (size_t)files->n;
    MEM_GROW(files->file, capacity, (size_t)files->n + 1);
    files->file[files->n++] = file;
    return ST_OK;
}

status_t run_files_seal_named(const char *folder, const char *const *wanted, int n, run_files_t *out)
{
    run_files_t files = {0};
    status_t status = ST_OK;
    bool found;
    for (int i = 0; i < n && status == ST_OK; i++)
        status = seal_one(folder, wanted[i], &files, &found);
    if (status == ST_OK)
        *out = files;
    else
        run_files_fini(&files);
    return status;
}

status_t run_files_seal(const char *folder, run_files_t *out)
{
    run_files_t files = {0};
    status_t status = ST_OK;
    bool found = true;
    for (int k = 0; k < KINDS && status == ST_OK; k++)
        if (1u << k != RUN_DENSE)
            status = seal_one(folder, names[k], &files, &found);
    found = true;
    for (int component = 0; found && status == ST_OK; component++) {
        char name[DENSE_NAME_BYTES];
        status = seal_one(folder, dense_name(component, name), &files, &found);
    }
    if (status == ST_OK)
        *out = files;
    else
        run_files_fini(&files);
    return status;
}

/* ---- check ----------------------------------------------------------------------------------------------------------- */

/* Who wrote a file and holds its checksum, in the words of errors. */
typedef struct sealer {
    const char *end, *writer, *list, *advice;
} sealer_t;

static const sealer_t of_run = {"training", "the run", FILE_MANIFEST, ADVICE};

static status_t check_sum(const char *path, const run_file_t *sealed, const char *checksum, const sealer_t *by)
{
    if (strcmp(checksum, sealed->checksum) == 0)
        return ST_OK;
    return FAIL(ST_CORRUPT, "%s: was changed after %s: its checksum is %s, %s beside it says %s; %s", path, by->end, checksum,
                by->list, sealed->checksum, by->advice);
}

static status_t check_one(const char *path, const run_file_t *sealed, const sealer_t *by)
{
    run_file_t found;
    const int error = read_file(path, false, &found);
    if (error == ENOENT)
        return FAIL(ST_CORRUPT, "%s: is missing; %s wrote %" PRId64 " bytes, as %s beside it says; %s", path, by->writer,
                    sealed->bytes, by->list, by->advice);
    if (error)
        return FAIL(file_blame(error), "%s: cannot be read: %s", path, strerror(error));
    if (found.bytes != sealed->bytes)
        return FAIL(ST_CORRUPT,
                    "%s: was changed after %s: it holds %" PRId64 " bytes, %s wrote %" PRId64 ", as %s beside it says; %s",
                    path, by->end, found.bytes, by->writer, sealed->bytes, by->list, by->advice);
    return check_sum(path, sealed, found.checksum, by);
}

status_t run_files_check_sum(const run_files_t *files, const char *path, const char *name, const char *checksum)
{
    for (int i = 0; i < files->n; i++)
        if (strcmp(files->file[i].name, name) == 0)
            return check_sum(path, &files->file[i], checksum, &of_run);
    return ST_OK;
}

static bool is_listed(const run_files_t *files, const char *name)
{
    for (int i = 0; i < files->n; i++)
        if (strcmp(files->file[i].name, name) == 0)
            return true;
    return false;
}

/* A file that came later is of no run that the manifest speaks of. */
static status_t check_unlisted(const run_files_t *files, const char *folder, uint32_t kinds)
{
    status_t status = ST_OK;
    for (int k = 0; k < KINDS && status == ST_OK; k++) {
        if (!(kinds & (1u << k | RUN_REST)) || 1u << k == RUN_DENSE || is_listed(files, names[k]))
            continue;
        char *path = mem_printf("%s/%s", folder, names[k]);
        if (file_exists(path))
            status = FAIL(ST_CORRUPT, "%s: is not of the run beside it: " FILE_MANIFEST " does not list it; remove it", path);
        mem_free(path);
    }
    return status;
}

status_t run_files_check(const run_files_t *files, const char *folder, uint32_t kinds)
{
    if (!files->n)
        return ST_OK;
    TRY(check_unlisted(files, folder, kinds));
    status_t status = ST_OK;
    for (int i = 0; i < files->n && status == ST_OK; i++) {
        const run_file_t *file = &files->file[i];
        const bool needed = kinds & kind_of(file->name);
        char *path = mem_printf("%s/%s", folder, file->name);
        if (needed || (kinds & RUN_REST && file_exists(path)))
            status = check_one(path, file, &of_run);
        else if (kinds & RUN_REST)
            log_info("%s was removed; nothing that is done here needs it", path);
        mem_free(path);
    }
    return status;
}

status_t run_files_check_results(const run_files_t *files, const char *folder, const char *advice)
{
    const sealer_t by = {"it was written", "smelter", FILE_RESULTS, advice};
    status_t status = ST_OK;
    for (int i = 0; i < files->n && status == ST_OK; i++) {
        char *path = mem_printf("%s/%s", folder, files->file[i].name);
        if (file_exists(path))
            status = check_one(path, &files->file[i], &by);
        mem_free(path);
    }
    return status;
}

/* ---- in a manifest --------------------------------------------------------------------------------------------------- */

void run_files_put(jsondoc_t *manifest, const run_files_t *files)
{
    jsondoc_t *list = jsondoc_array();
    for (int i = 0; i < files->n; i++) {
        const run_file_t *file = &files->file[i];
        jsondoc_t *one = jsondoc_object();
        jsondoc_put_text(one, "name", file->name);
        jsondoc_put_integer(one, "bytes", file->bytes);
        jsondoc_put_text(one, "checksum", file->checksum);
        jsondoc_append(list, &one);
    }
    jsondoc_put(manifest, "files", &list);
}

static status_t get_one(const jsondoc_t *one, const char *where, run_file_t *out)
{
    const char *name, *checksum;
    TRY(jsondoc_get_text(one, where, "name", &name));
    TRY(jsondoc_get_text(one, where, "checksum", &checksum));
    if (!*name || *name == '.' || strchr(name, '/') || strlen(name) >= sizeof out->name)
        return FAIL(ST_CORRUPT, "%s: \"files\" lists \"%s\", which is no file beside it", where, name);
    if (strlen(checksum) != HASH_TEXT_BYTES - 1)
        return FAIL(ST_CORRUPT, "%s: the checksum of %s is \"%s\"; it must be %d hex digits", where, name, checksum,
                    HASH_TEXT_BYTES - 1);
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->checksum, sizeof out->checksum, "%s", checksum);
    return jsondoc_get_integer(one, where, "bytes", 0, MOST_BYTES, &out->bytes);
}

status_t run_files_get(const jsondoc_t *manifest, const char *where, run_files_t *out)
{
    const jsondoc_t *list;
    TRY(jsondoc_get_array(manifest, where, "files", &list));
    run_files_t files = {.n = (int)jsondoc_length(list)};
    files.file = MEM_ARRAY(run_file_t, files.n);
    status_t status = ST_OK;
    for (int i = 0; i < files.n && status == ST_OK; i++)
        status = get_one(jsondoc_at(list, i), where, &files.file[i]);
    if (status == ST_OK)
        *out = files;
    else
        run_files_fini(&files);
    return status;
}

void run_files_fini(run_files_t *files)
{
    mem_free(files->file);
    *files = (run_files_t){0};
}
