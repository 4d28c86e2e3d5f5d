/* report_table.h - an experiment's result as tables of text for a terminal. */
#ifndef SMELTER_REPORT_TABLE_H
#define SMELTER_REPORT_TABLE_H

#include <stdio.h>

#include "launcher/report/result.h"

/* report_print_table - at most 118 columns, but for the sentences at the end: losses with their difference from the
 * baseline in %, prediction difference as it is and levelled with its error over replicas, swap rates, cost with units, what
 * students cost with their teachers and save, and in words what the tables show. For a result that went through
 * result_summarise. */
void report_print_table(const experiment_result_t *result, FILE *out);

#endif
