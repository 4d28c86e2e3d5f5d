/* wire_reference.h - the tables of docs/PROTOCOL.md, made from the declaration of messages (common/net/wire.h). */
#ifndef SMELTER_WIRE_REFERENCE_H
#define SMELTER_WIRE_REFERENCE_H

#include "common/base/status.h"

/* Marks between which a document has the tables; what else it says is written by hand. */
#define WIRE_REFERENCE_BEGIN "<!-- made from WIRE_TYPES by make docs -->\n"
#define WIRE_REFERENCE_END "<!-- end -->\n"

/* wire_reference - `document` with the tables as they are now between the marks: **owned**, mem_free. NULL where it has not
 * both of them. */
char *wire_reference(const char *document);

/* wire_reference_write - the same in a file, which is replaced if it differs. ST_INPUT: it has no marks; others as
 * file_read. */
WARN_UNUSED status_t wire_reference_write(const char *path);

#endif
