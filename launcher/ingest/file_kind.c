#include "launcher/ingest/file_kind.h"

#include <stdbool.h>
#include <string.h>

#define TO_CSV "convert it to CSV first, for example with DuckDB or pandas"
#define AS_FILE \
    "Parquet is read from a file of its own, which is not compressed again and no pipe, for what is in it is said at its end"
#define BY_PIPE(program) "give it through a pipe: " program " FILE | smelter import /dev/stdin"

typedef struct magic {
    size_t at, bytes;
    const char *text;
    file_kind_t kind;
} magic_t;

#define MAGIC(at, text, name, remedy) \
    { \
        at, sizeof(text) - 1, text, \
        { \
            name, remedy \
        } \
    }

static const magic_t magics[] = {
    MAGIC(0, "PAR1", "a Parquet file", AS_FILE),
    MAGIC(0, "PARE", "an encrypted Parquet file", "write it without encryption"),
    MAGIC(0, "ORC", "an ORC file", TO_CSV),
    MAGIC(0, "Obj\x01", "an Avro file", TO_CSV),
    MAGIC(0, "ARROW1", "an Arrow (Feather) file", TO_CSV),
    MAGIC(0, "\x89HDF\r\n\x1a\n", "an HDF5 file", TO_CSV),
    MAGIC(0, "\x93NUMPY", "a NumPy file", TO_CSV),
    MAGIC(0, "SQLite format 3", "an SQLite database", TO_CSV),
    MAGIC(0,
          "\xfd"
          "7zXZ\0",
          "compressed with xz", BY_PIPE("xz -dc")),
    MAGIC(0, "BZh", "compressed with bzip2", BY_PIPE("bzip2 -dc")),
    MAGIC(0, "\x04\x22\x4d\x18", "compressed with lz4", BY_PIPE("lz4 -dc")),
    MAGIC(0, "\x1f\x8b", "compressed with gzip", BY_PIPE("gzip -dc")),
    MAGIC(0, "\x28\xb5\x2f\xfd", "compressed with zstd", BY_PIPE("zstd -dc")),
    MAGIC(0, "\x1f\x9d", "compressed with compress (.Z)", BY_PIPE("gzip -dc")),
    MAGIC(0, "LZIP", "compressed with lzip", BY_PIPE("lzip -dc")),
    MAGIC(0, "\x89LZO\0\r\n", "compressed with lzop", BY_PIPE("lzop -dc")),
    MAGIC(0, "\xff\x06\0\0sNaPpY", "compressed with Snappy", "decompress it first"),
    MAGIC(0, "PK\x03\x04", "a zip archive", "give what is in it through a pipe: unzip -p FILE | smelter import /dev/stdin"),
    MAGIC(0, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive",
          "give what is in it through a pipe: 7z x -so FILE | smelter import /dev/stdin"),
    MAGIC(0, "Rar!\x1a\x07", "a RAR archive", "extract it first"),
    MAGIC(257, "ustar", "a tar archive", "give what is in it through a pipe: tar -xOf FILE | smelter import /dev/stdin"),
    MAGIC(0, "\xff\xfe\0\0", "text in UTF-32", BY_PIPE("iconv -f UTF-32 -t UTF-8")),
    MAGIC(0, "\0\0\xfe\xff", "text in UTF-32", BY_PIPE("iconv -f UTF-32 -t UTF-8")),
    MAGIC(0, "\xff\xfe", "text in UTF-16", BY_PIPE("iconv -f UTF-16 -t UTF-8")),
    MAGIC(0, "\xfe\xff", "text in UTF-16", BY_PIPE("iconv -f UTF-16 -t UTF-8")),
    MAGIC(0,
          "\x7f"
          "ELF",
          "a program", "name a text file"),
    MAGIC(0, "%PDF-", "a PDF document", "name a text file"),
};

/* Some magics are words that a header may begin with: those are told by what follows, which in a text has no control
 * characters. */
static bool is_text(const unsigned char *start, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (start[i] < 0x20 && start[i] != '\n' && start[i] != '\r' && start[i] != '\t')
            return false;
    return true;
}

static bool is_word(const magic_t *magic)
{
    static const char *const words[] = {"PAR1", "PARE", "ORC", "ARROW1", "BZh", "LZIP"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(magic->text, words[i]) == 0)
            return true;
    return false;
}

/* Text of two or four bytes a character that has no mark of its order: all bytes but one of each are 0, as long as it is
 * ASCII, which the names of columns mostly are. */
typedef struct wide_text {
    size_t unit, at;
    file_kind_t kind;
} wide_text_t;

#define WIDE_CHARACTERS 8 /* that are looked at */

static const wide_text_t wide_texts[] = {
    {2, 0, {"text in UTF-16", BY_PIPE("iconv -f UTF-16LE -t UTF-8")}},
    {2, 1, {"text in UTF-16", BY_PIPE("iconv -f UTF-16BE -t UTF-8")}},
    {4, 0, {"text in UTF-32", BY_PIPE("iconv -f UTF-32LE -t UTF-8")}},
    {4, 3, {"text in UTF-32", BY_PIPE("iconv -f UTF-32BE -t UTF-8")}},
};

static bool is_wide(const wide_text_t *wide, const unsigned char *start, size_t bytes)
{
    if (bytes < WIDE_CHARACTERS * wide->unit)
        return false;
    for (size_t i = 0; i < WIDE_CHARACTERS * wide->unit; i++)
        if ((i % wide->unit == wide->at) != (start[i] != 0))
            return false;
    return true;
}

const file_kind_t *file_kind(const void *start, size_t bytes)
{
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        const magic_t *magic = &magics[i];
        if (bytes >= magic->at + magic->bytes && memcmp((const char *)start + magic->at, magic->text, magic->bytes) == 0 &&
            !(is_word(magic) && is_text(start, bytes)))
            return &magic->kind;
    }
    for (size_t i = 0; i < sizeof wide_texts / sizeof *wide_texts; i++)
        if (is_wide(&wide_texts[i], start, bytes))
            return &wide_texts[i].kind;
    return NULL;
}
