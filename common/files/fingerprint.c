#include "common/files/fingerprint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/memory.h"
#include "common/base/text.h"
#include "common/files/file.h"

#define PIECE (1u << 20)

bool fingerprint_stat(const struct stat *st, fingerprint_t *out)
{
    if (!S_ISREG(st->st_mode))
        return false;
    *out = (fingerprint_t){.bytes = st->st_size,
                           .modified_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + (int64_t)st->st_mtim.tv_nsec};
    return true;
}

static status_t hash_file(const char *path, fingerprint_t *out)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return FAIL(file_blame(errno), "%s: cannot be opened: %s", path, strerror(errno));
    hash_stream_t *stream = hash_stream_create();
    uint8_t *piece = MEM_ARRAY(uint8_t, PIECE);
    ssize_t n;
    while ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            hash_stream_add(stream, piece, (size_t)n);
    status_t status = n < 0 ? FAIL(ST_SYSTEM, "%s: cannot be read: %s", path, strerror(errno)) : ST_OK;
    if (status == ST_OK)
        hash_stream_value(stream, &out->low, &out->high);
    hash_stream_destroy(&stream);
    mem_free(piece);
    close(fd);
    return status;
}

status_t fingerprint_check(const char *path, const fingerprint_t *then, bool moved, fingerprint_state_t *state,
                           fingerprint_t *now)
{
    struct stat st;
    *state = FINGERPRINT_MISSING;
    if (stat(path, &st) != 0 || !fingerprint_stat(&st, now))
        return ST_OK;
    *state = FINGERPRINT_CHANGED;
    if (now->bytes != then->bytes)
        return ST_OK;
    if (moved || now->modified_ns != then->modified_ns) {
        TRY(hash_file(path, now));
        if (now->low != then->low || now->high != then->high)
            return ST_OK;
    }
    *state = FINGERPRINT_SAME;
    return ST_OK;
}

const char *fingerprint_text(const fingerprint_t *fingerprint, char text[FINGERPRINT_TEXT])
{
    const time_t seconds = (time_t)(fingerprint->modified_ns / 1000000000);
    char bytes[TEXT_BYTES], when[32] = "?";
    struct tm local;
    if (localtime_r(&seconds, &local))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    snprintf(text, FINGERPRINT_TEXT, "%s bytes of %s", text_count(fingerprint->bytes, bytes), when);
    return text;
}
