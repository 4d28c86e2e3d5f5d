/* file_mode.h - who may read what this process writes: nobody but its user, unless the command line says otherwise.
 *
 * Every file and folder is made with all rights that its kind can have (0666, 0777), and the process's umask takes away what
 * the mode does not give: one rule for our own files and for those that LMDB, Open MPI and gnuplot make. What the user's shell
 * has as umask does not count: a run that somebody else may read is one that says so. */
#ifndef SMELTER_FILE_MODE_H
#define SMELTER_FILE_MODE_H

#include "common/base/status.h"

/* file_mode_restrict - to the user: folders 0700, files 0600. Called once, before anything is written. */
void file_mode_restrict(void);

/* file_mode_apply - the mode of folders to come, four octal digits such as "0750"; files have the same without x. NULL leaves
 * it as it is.  ST_INPUT: it is no mode, it takes rights from the user, or it lets everybody write. */
WARN_UNUSED status_t file_mode_apply(const char *mode);

#endif
