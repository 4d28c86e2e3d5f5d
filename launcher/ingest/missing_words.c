#include "launcher/ingest/missing_words.h"

#include "common/base/memory.h"

void missing_words_init(missing_words_t *words, const char *text)
{
    size_t lines = 1;
    *words = (missing_words_t){.text = mem_strdup(text ? text : "")};
    for (const char *at = words->text; *at; at++)
        lines += *at == '\n';
    words->word = MEM_ARRAY(const char *, lines);
    words->bytes = MEM_ARRAY(size_t, lines);
    for (char *at = words->text; *at;) {
        const size_t bytes = strcspn(at, "\n");
        char *next = at + bytes + (at[bytes] != 0);
        if (bytes > 0) {
            words->word[words->count] = at;
            words->bytes[words->count++] = bytes;
        }
        at[bytes] = 0;
        at = next;
    }
}

void missing_words_fini(missing_words_t *words)
{
    mem_free(words->text);
    mem_free(words->word);
    mem_free(words->bytes);
    *words = (missing_words_t){0};
}
