/* seal.h - JSON files that notice when they were changed: their last member is a checksum of all that comes before it.
 *
 *     {
 *       ...,
 *       "checksum": "0123456789abcdef0123456789abcdef"
 *     }
 *
 * The checksum is XXH3-128 of the bytes up to the comma before the last line but one. It protects against disks, copies and
 * editors, not against people who mean harm, who can compute it too. Any thread. */
#ifndef SMELTER_SEAL_H
#define SMELTER_SEAL_H

#include <stdbool.h>

#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/files/jsondoc.h"

/* seal_write - replace `path` by the document, sealed, in one step. doc is an object with members, none of them "checksum".
 * hash     out  hash128_text of the whole file, by which other files may refer to it; NULL: not wanted
 * ST_INPUT, ST_SYSTEM: not writable; the file is as it was. */
WARN_UNUSED status_t seal_write(const jsondoc_t *doc, const char *path, char hash[HASH_TEXT_BYTES]);

/* seal_read - the document in a file, once its seal has been found whole.
 * advice   what a person does about a file that was changed: ends the error's line
 * sealed   out  false where the file has no seal, as those of older formats; whether that may be is the caller's to say
 * hash     out  as of seal_write
 * ST_INPUT: no such file; ST_CORRUPT: the seal is broken, or it is not JSON.  *out **owned**, jsondoc_destroy. */
WARN_UNUSED status_t seal_read(const char *path, const char *advice, jsondoc_t **out, bool *sealed, char hash[HASH_TEXT_BYTES]);

#endif
