#include "tests/fuzz/input_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/compress.h"
#include "common/base/memory.h"

#define STORED_MOST 65535

static void put(uint8_t **at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*at)++ = (uint8_t)(value >> (8 * i));
}

static uint32_t crc32_of(const uint8_t *data, size_t bytes)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* A gzip member of one stored block (RFC 1951, 3.2.4; RFC 1952). */
static size_t gzip(const uint8_t *text, size_t bytes, uint8_t *out)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1};
    uint8_t *at = out;
    ASSERT(bytes <= STORED_MOST);
    memcpy(at, head, sizeof head);
    at += sizeof head;
    put(&at, bytes, 2);
    put(&at, ~bytes, 2);
    memcpy(at, text, bytes);
    at += bytes;
    put(&at, crc32_of(text, bytes), 4);
    put(&at, bytes, 4);
    return (size_t)(at - out);
}

static size_t pack(int way, const uint8_t *text, size_t bytes, uint8_t *out, size_t room)
{
    if (way == INPUT_GZIP)
        return gzip(text, bytes, out);
    static compressor_t *compressor;
    if (!compressor)
        compressor = compressor_create();
    if (way == INPUT_ZSTD)
        return compress_block(compressor, text, bytes, out, room);
    memcpy(out, text, bytes);
    return bytes;
}

const char *input_file_make(fuzz_input_t *input, size_t most)
{
    static int file = -1;
    static char path[64];
    if (file < 0) {
        file = memfd_create("fuzz", MFD_CLOEXEC);
        ASSERT(file >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    const int way = fuzz_byte(input) % 4;
    const size_t cut = fuzz_number(input, 2), place = fuzz_number(input, 2);
    const uint8_t change = fuzz_byte(input);
    size_t bytes;
    uint8_t *text = fuzz_rest(input, most, &bytes);
    const size_t room = compress_bound(bytes) + 64;
    uint8_t *packed = MEM_ARRAY(uint8_t, room);
    size_t length = pack(way, text, bytes, packed, room);
    if (place < length)
        packed[place] ^= change;
    length = cut < length ? length - cut : length;
    const bool written = ftruncate(file, 0) == 0 && pwrite(file, packed, length, 0) == (ssize_t)length;
    ASSERT(written);
    mem_free(packed);
    mem_free(text);
    return path;
}

void input_file_seed(const char *name, const void *head, size_t head_bytes, int way, const char *text)
{
    uint8_t start[32] = {0};
    ASSERT(head_bytes + INPUT_HEAD_BYTES <= sizeof start);
    memcpy(start, head, head_bytes);
    start[head_bytes] = (uint8_t)way;
    fuzz_seed_with(name, start, head_bytes + INPUT_HEAD_BYTES, text, strlen(text));
}
