/* testing.h - what every test program shares: cmocka, a catcher of log lines, temporary folders. */
#ifndef SMELTER_TESTING_H
#define SMELTER_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four headers above first. */
#include <cmocka.h>
#include <stdbool.h>

#include "common/base/log.h"
#include "common/base/status.h"

/* Log lines written since catch_start are kept instead of shown. catch_stop shows lines again. */
void catch_start(void);
void catch_stop(void);
/* catch_text - all lines caught, each ended by a newline; catch_has - some line contains the text. */
const char *catch_text(void);
bool catch_has(const char *text);
/* assert_caught - fail the test, showing what was caught, unless some line contains the text. */
#define assert_caught(text) assert_caught_at((text), __FILE__, __LINE__)
void assert_caught_at(const char *text, const char *file, int line);

/* assert_refusal - fail the test unless the call REFUSEs what it is given, with a reason that has this text. */
#define assert_refusal(call, text) assert_refusal_at((call), (text), __FILE__, __LINE__)
void assert_refusal_at(status_t status, const char *text, const char *file, int line);

/* test_dir - a fresh temporary folder, removed at exit; borrowed until the next call. test_path - file name inside it. */
const char *test_dir(void);
const char *test_path(const char *format, ...) PRINTF_LIKE(1, 2);
/* test_write - create a file with this text inside the temporary folder; returns its path (**owned** by the test library). */
const char *test_write(const char *name, const char *text);

/* test_older_manifest - make the run's manifest.json in this folder one of format 5, which has no checksums. */
void test_older_manifest(const char *folder);

/* test_fill_disk - write to a file until its file system, a small one, has no byte left. */
void test_fill_disk(const char *path);

/* test_data - path below $SMELTER_DATA, or NULL where that is not set or has no such file (then the test says so and skips). */
const char *test_data(const char *name);

#endif
