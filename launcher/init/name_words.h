/* name_words.h - a column's name as words: "userId", "user_id" and "User ID" are all " user id ". */
#ifndef SMELTER_NAME_WORDS_H
#define SMELTER_NAME_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_WORDS_BYTES 160

typedef struct name_words {
    char text[NAME_WORDS_BYTES]; /* lower-case words, a space before and behind each */
} name_words_t;

name_words_t name_words_of(const char *name);

/* name_words_has - is one of the words (between spaces: "user member") in it?  name_words_is - is it just these words? */
bool name_words_has(const name_words_t *name, const char *words);
bool name_words_is(const name_words_t *name, const char *words);

/* name_is_utf8 - may it stand in a file of YAML? */
bool name_is_utf8(const char *name);

#endif
