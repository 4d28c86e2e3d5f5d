#include "common/files/disk.h"

#include <inttypes.h>

#include "common/base/memory.h"

status_t disk_read_whole(disk_t *disk, const char *path, int64_t most, char **data, int64_t *bytes)
{
    disk_file_t *file = NULL;
    char *text = NULL;
    int64_t length;
    status_t status;
    TRY_DONE(disk_open(disk, path, &file, &length));
    if (length > most) {
        status = FAIL(ST_CORRUPT, "%s: %" PRId64 " bytes, at most %" PRId64 " were expected; it is another file, or damaged",
                      path, length, most);
        goto done;
    }
    text = mem_alloc((size_t)length + 1, 1);
    TRY_DONE(disk_read(file, 0, text, (size_t)length));
    *data = text;
    *bytes = length;
    text = NULL;
done:
    disk_close(&file);
    mem_free(text);
    return status;
}
