/* command_report.c - `smelter report`. */
#include <stdio.h>

#include "common/files/file.h"
#include "common/files/run_paths.h"
#include "launcher/commands/commands.h"
#include "launcher/report/html_report.h"

status_t command_report(const options_t *options)
{
    TRY(dir_check_creatable(options->argument));
    TRY(html_report_write(options->argument));
    printf("%s/" FILE_REPORT "\n", options->argument);
    return ST_OK;
}
