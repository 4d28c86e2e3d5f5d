/* clock.h - time and what this process has cost so far. */
#ifndef SMELTER_CLOCK_H
#define SMELTER_CLOCK_H

#include <stdint.h>

int64_t clock_now_ns(void); /* monotonic */
#define CLOCK_UTC_BYTES 24
const char *clock_utc(char text[CLOCK_UTC_BYTES]); /* the date, "2026-01-02T03:04:05Z", for people alone; returns text */
double clock_cpu_seconds(void);                    /* user + system of the whole process */
int64_t clock_peak_rss_bytes(void);                /* high-water mark of resident memory */
void clock_reset_peak_rss(void);                   /* start a new high-water mark where the kernel allows it */

#endif
