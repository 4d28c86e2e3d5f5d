#include "common/base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

#define LONGEST_SECONDS 1e12

const char *text_count(int64_t value, char text[TEXT_BYTES])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value), at = 0;
    for (int i = 0; i < length; i++) {
        text[at++] = digits[i];
        int left = length - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-')
            text[at++] = ',';
    }
    text[at] = 0;
    return text;
}

const char *text_duration(double seconds, char text[TEXT_BYTES])
{
    if (!(seconds >= 0.0 && seconds < LONGEST_SECONDS)) {
        snprintf(text, TEXT_BYTES, "?");
        return text;
    }
    int64_t whole = (int64_t)llrint(seconds);
    int minutes = (int)(whole / 60 % 60), rest = (int)(whole % 60);
    if (whole >= 3600)
        snprintf(text, TEXT_BYTES, "%" PRId64 ":%02d:%02d", whole / 3600, minutes, rest);
    else
        snprintf(text, TEXT_BYTES, "%d:%02d", minutes, rest);
    return text;
}

static void put_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
    if (*word && strspn(word, plain) == strlen(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, 0}, out);
    fputc('\'', out);
}

char *text_command(const char *const *word, size_t n)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    ASSERT(out);
    for (size_t i = 0; i < n; i++) {
        if (i)
            fputc(' ', out);
        put_word(out, word[i]);
    }
    int failed = fclose(out);
    ASSERT(failed == 0);
    char *command = mem_strdup(text);
    free(text);
    return command;
}
