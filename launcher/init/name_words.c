#include "launcher/init/name_words.h"

#include <ctype.h>
#include <string.h>

name_words_t name_words_of(const char *name)
{
    name_words_t out = {" "};
    size_t n = 1;
    for (const char *c = name; *c && n + 3 < sizeof out.text; c++) {
        const unsigned char letter = (unsigned char)*c;
        const bool is_part = isalnum(letter) || letter >= 0x80;
        const bool begins = isupper(letter) && c > name && islower((unsigned char)c[-1]);
        if ((!is_part || begins) && out.text[n - 1] != ' ')
            out.text[n++] = ' ';
        if (is_part)
            out.text[n++] = (char)(letter < 0x80 ? tolower(letter) : letter);
    }
    if (out.text[n - 1] != ' ')
        out.text[n++] = ' ';
    out.text[n] = 0;
    return out;
}

/* Each of the words, as " word ". */
bool name_words_has(const name_words_t *name, const char *words)
{
    while (*words) {
        const size_t length = strcspn(words, " ");
        char word[NAME_WORDS_BYTES] = " ";
        strncat(word, words, length < sizeof word - 3 ? length : sizeof word - 3);
        strcat(word, " ");
        if (strstr(name->text, word))
            return true;
        words += length + (words[length] == ' ');
    }
    return false;
}

bool name_words_is(const name_words_t *name, const char *words)
{
    const size_t length = strlen(words);
    return strlen(name->text) == length + 2 && strncmp(name->text + 1, words, length) == 0;
}

bool name_is_utf8(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c;) {
        const int more = *c < 0x80 ? 0 : *c >= 0xf0 && *c < 0xf5 ? 3 : *c >= 0xe0 ? 2 : *c >= 0xc2 ? 1 : -1;
        if (more < 0 || *c >= 0xf5 || (*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] >= 0xa0) ||
            (*c == 0xf0 && c[1] < 0x90) || (*c == 0xf4 && c[1] >= 0x90))
            return false;
        for (int i = 1; i <= more; i++)
            if ((c[i] & 0xc0) != 0x80)
                return false;
        c += 1 + more;
    }
    return true;
}
