/* label_reader.h - labels out of their texts by a schema's rule (label_rule.h). */
#ifndef SMELTER_LABEL_READER_H
#define SMELTER_LABEL_READER_H

#include <stdint.h>

#include "common/config/label_rule.h"
#include "launcher/ingest/missing_words.h"

typedef struct label_reader {
    label_rule_t rule;
    bool minus;            /* LABEL_PLAIN: -1 and +1 are labels, too */
    missing_words_t words; /* LABEL_WORDS */
    char fault[128];       /* what is said of a text that is no label by the rule */
} label_reader_t;

/* label_reader_init - rule is one that label_rule_parse takes, borrowed.  label_reader_fini. */
void label_reader_init(label_reader_t *reader, const char *rule, bool minus);
void label_reader_fini(label_reader_t *reader);

/* label_read - 0 or 1; NULL, or what is wrong. */
const char *label_read(const label_reader_t *reader, const char *text, int bytes, uint8_t *out);

#endif
