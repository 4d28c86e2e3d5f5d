#include "launcher/report/html_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "launcher/report/html_assets.h"

#define DIGITS 8 /* of numbers in the page; none is shown with more than five */

static void put_plain(FILE *out, const char *text)
{
    fputs(text, out);
}

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
}

/* "<" stands in JSON inside of texts only, where \u003c means the same. */
static void put_json(FILE *out, const char *json)
{
    for (; *json; json++)
        if (*json == '<')
            fputs("\\u003c", out);
        else
            fputc(*json, out);
}

typedef struct page_part {
    const char *name;
    void (*put)(FILE *out, const char *text);
    const char *text;
} page_part_t;

static void put_page(FILE *out, const page_part_t *parts, size_t n)
{
    for (const char *at = html_assets_page, *mark; *at;) {
        mark = strstr(at, "{{");
        if (!mark) {
            fputs(at, out);
            return;
        }
        fwrite(at, 1, (size_t)(mark - at), out);
        const char *end = strstr(mark, "}}");
        ASSERT(end);
        const page_part_t *part = NULL;
        for (size_t i = 0; i < n; i++)
            if (strlen(parts[i].name) == (size_t)(end - mark - 2) &&
                strncmp(parts[i].name, mark + 2, (size_t)(end - mark - 2)) == 0)
                part = &parts[i];
        ASSERT(part); /* page.html is ours */
        part->put(out, part->text);
        at = end + 2;
    }
}

char *html_page_text(const char *title, const char *verdict, const jsondoc_t *data)
{
    char *json = jsondoc_compact(data, DIGITS), *text = NULL;
    const page_part_t parts[] = {
        {"title", put_escaped, title},
        {"verdict", put_escaped, verdict},
        {"style", put_plain, html_assets_style},
        {"charts", put_plain, html_assets_charts},
        {"comparison", put_plain, html_assets_comparison},
        {"details", put_plain, html_assets_details},
        {"data", put_json, json},
    };
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    ASSERT(out);
    put_page(out, parts, sizeof parts / sizeof *parts);
    int failed = fclose(out);
    ASSERT(failed == 0);
    char *page = mem_strdup(text);
    free(text);
    mem_free(json);
    return page;
}
