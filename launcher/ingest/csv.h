/* csv.h - records of CSV (RFC 4180) and TSV (no quoting: a quote is a character like any other): two input formats. */
#ifndef SMELTER_CSV_H
#define SMELTER_CSV_H

#include "launcher/ingest/input_format.h"

typedef struct csv {
    text_reader_t *reader; /* borrowed */
    char separator;
    bool quotes;
    int64_t line;         /* first line of the record */
    text_field_t *fields; /* valid until the next csv_next */
    int count;
    const char *fault; /* NULL, or what is wrong with the record's form; then fields are incomplete */
    int fault_field;   /* from 0 */
    char *joined;      /* a record of several lines */
    size_t fields_capacity, joined_capacity;
} csv_t;

/* csv_init - reader is borrowed until csv_fini. */
void csv_init(csv_t *csv, text_reader_t *reader, char separator, bool quotes);
void csv_fini(csv_t *csv);

/* csv_next - the next record; empty lines between records are passed over; *end after the last one. A line break inside
 * quotes reads as LF.  ST_INPUT as the reader, and where a quote is never closed: what follows it cannot be told apart
 * from data, so that is not just one bad row. */
WARN_UNUSED status_t csv_next(csv_t *csv, bool *end);

#endif
