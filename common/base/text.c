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

/* edit_distance - insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string alignment);
 * words longer than the rows are no misspellings of keys. */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 48 };
    int n = (int)strlen(a), m = (int)strlen(b), rows[3][LONGEST + 1];
    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (int j = 0; j <= m; j++)
        rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = up[j - 1] + (a[i - 1] != b[j - 1]);
            best = up[j] + 1 < best ? up[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *text_nearest(const char *text, const char *const *words, int n)
{
    const char *nearest = NULL;
    int length = (int)strlen(text), least = length < 4 ? 2 : 1 + (length + 2) / 3; /* one edit more than is forgiven */
    for (int i = 0; i < n; i++) {
        int distance = edit_distance(text, words[i]);
        if (distance < least) {
            least = distance;
            nearest = words[i];
        }
    }
    return nearest;
}

void text_csv(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}
