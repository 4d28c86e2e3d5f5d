/* main.c - the command table and the only place that turns a status into an exit code. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/printable.h"
#include "common/files/file_mode.h"
#include "common/files/run_paths.h"
#include "common/process/descriptors.h"
#include "common/process/failpoint.h"
#include "common/process/float_mode.h"
#include "common/process/instructions.h"
#include "launcher/commands/commands.h"
#include "launcher/job/mpirun_guard.h"
#include "launcher/ranks/provenance.h"

#ifndef SMELTER_COMMIT /* the Makefile's */
#define SMELTER_COMMIT "unknown"
#endif
static const char commit[PROVENANCE_COMMIT_BYTES] = SMELTER_COMMIT;

static const command_t commands[] = {
    {"train", "CONFIG", "train the configuration's base network once on the cluster",
     " out set reimport resume again continue restarts mode ",
     "Writes " FILE_CONFIG ", " FILE_METRICS ", " FILE_STEPS ", " FILE_MANIFEST ", " FILE_PREDICTIONS ", " FILE_DENSE
     "K.f32 and " DIR_STORE "/ to --out (default out/NAME).\n"
     "A run that is there is kept: --resume goes on with an unfinished one, --again removes it and begins anew. With --resume "
     "auto\n"
     "one line serves every start of a batch job: the first begins, later ones go on, and a finished run is shown again.",
     command_train},
    {"compare", "CONFIG",
     "train every variant and replica of an experiment and report accuracy, prediction difference and cost",
     " out set reimport resume continue restarts mode ",
     "Writes " FILE_REPORT ", " FILE_RESULTS ", " FILE_RESULTS_CSV
     " and one folder per run to --out (default out/NAME). Runs that are "
     "finished\n"
     "there are kept, so an interrupted experiment goes on where it stopped; --resume auto says the same.",
     command_compare},
    {"report", "DIR", "write an experiment's " FILE_REPORT " again, from its " FILE_RESULTS " and the folders of its runs",
     " mode ", "", command_report},
    {"tune", "CONFIG", "find the value of a key (model.beta) with the smallest prediction difference at no worse loss",
     " out set reimport baseline tolerance mode ",
     "The tune.* keys of the configuration say which variant, key, range and goal. Every value is a compare of its own below "
     "--out\n"
     "(default out/NAME-tune), so an interrupted search goes on where it stopped. The curve is in curve.tsv.\n"
     "The exit code is 1 where no value is acceptable.",
     command_tune},
    {"predict", "RUN INPUT", "score a dataset, or files, on the cluster with the parameters of a run or a checkpoint",
     " out split schema columns set mode ",
     "INPUT is a dataset, or a file that is imported for it by the schema of the run's data, or by --schema: CSV, TSV,\n"
     "libsvm, Parquet, a pattern in quotes, a folder, or - for standard input. --columns carries columns of files into the "
     "output to\n"
     "join on. Where rows have labels, metrics are printed. Of a VARIANT folder of smelter compare all replicas score, and of\n"
     "a run with several components, given files, all components: columns std and pd say how far they are apart.\n"
     "Writes FILE.f32 (raw little-endian floats) and FILE.tsv (index, label, group, prediction, row of the\n"
     "input file, from 1) for --out FILE. RUN is a finished run, or one\n"
     "that is not, which is scored as its newest checkpoint has it, or a checkpoint's folder. The cluster's size is the run's "
     "unless\n"
     "--set cluster.workers=N or cluster.servers=N says otherwise; the predictions are the same bits on every size.",
     command_predict},
    {"evaluate", "RUN DATASET", "say what a run's predictions of a split of a dataset are worth, every metric with its error",
     " split by-window set json ",
     "RUN is what smelter predict takes: a finished run, one that is not, or a checkpoint's folder. A run without predictions "
     "of these\n"
     "examples is scored first, as by smelter predict. Errors are over the split's queries, or over its examples where it has "
     "none.\n"
     "Of a folder of replicas (VARIANT of smelter compare, with r0, r1, .., or any folder of runs) each metric is the mean "
     "over\n"
     "them, with its error over replicas, and how far they lie apart is told, too.",
     command_evaluate},
    {"churn", "RUN_A RUN_B DATASET", "say what changes from one version of a model to the next, and for whom",
     " out set dataset-a mode ",
     "Prediction difference, swaps, losses, wins and losses over the dataset's evaluation split, and where they are. A run "
     "without\n"
     "predictions of these examples is scored first, as by smelter predict. Of two VARIANT folders of smelter compare, with "
     "r0, "
     "r1, ..\n"
     "in each, replica r is set against replica r, and the difference against that of replicas of one version.\n"
     "With --out DIR also " FILE_CHURN " and " FILE_CHURN_CSV ".",
     command_churn},
    {"figures", "[RESULTS.json]", "draw the paper's figures: activations, losses of random networks; or PD against PQAUC loss",
     " out mode ",
     "Without an argument: Figs. 1 to 3 and a count of local minima. With an experiment's " FILE_RESULTS
     ": Fig. 4, and, where\n"
     "variants differ in the order of their data, their prediction difference against it. Pictures (.svg, .png), their data\n"
     "and their gnuplot scripts go to --out (default out/figures).",
     command_figures},
    {"init", "INPUT", "look at a file, and write an import schema and an experiment for it that work at once",
     " out label mode ",
     "Reads CSV, TSV, libsvm, libffm or Parquet. Guesses what the columns are, and writes schema.yaml and experiment.yaml "
     "to\n"
     "--out DIR; what it is unsure of is asked there in comments. The same file gives the same files.",
     command_init},
    {"check", "CONFIG", "say all that would go wrong with a configuration, without training", " out set ",
     "Looks at the configuration, the schema, the input's first rows, the dataset, runs to start or to learn from, sizes to "
     "match, and\n"
     "whether memory, disk and processors suffice. The exit code is 0 where nothing would go wrong, else 2.",
     command_check},
    {"import", "INPUT...", "make a dataset from files: CSV, TSV, libsvm/libfm, libffm or Parquet; text also .gz or .zst",
     " out schema append max-bad-rows no-compress mode ",
     "INPUT is a file, a pattern ('days/*.csv', in quotes), a folder of part files, or - for standard input; the rows of "
     "several\n"
     "follow each other. Bad rows are reported with file and line. docs/CONFIG.md describes the schema. With --append DATASET "
     "the\n"
     "rows go behind those that are there, by the dataset's own schema, bins and scaling; smelter train --continue trains on "
     "them.",
     command_import},
    {"synth", "[CONFIG]", "generate a synthetic dataset", " out rows set mode ",
     "Settings are the synth.* keys of CONFIG or of --set; the same settings give the same bytes.", command_synth},
    {"checkpoint", "list|show|verify DIR", "list the checkpoints of a run, show one in full, or verify that they are whole",
     " json ",
     "DIR is a run, an experiment, or one checkpoint's folder. verify computes every checksum "
     "again and\n"
     "names what is damaged.",
     command_checkpoint},
    {"gather", "RUN", "bring together the parts of a run that its servers wrote on disks of their own", " from fetch mode ",
     "RUN is the folder on the host of the coordinator, of a run or an experiment. A part that is missing there is copied from "
     "a\n"
     "--from DIR, the same folder as another host has it, or by --fetch 'rsync -a {host}:{path}/ {to}/', which is run by the "
     "shell\n"
     "for each part. What is copied is checked before it takes its place. The exit code is 0 where all parts are there.",
     command_gather},
    {"inspect", "PATH", "show a dataset (rows, fields, frequencies, first rows) or a run (manifest, tables)",
     " rows initial verify mode ",
     "With --initial DIR: initial values, examples and order of a finished run as raw arrays and a JSON that describes them\n"
     "(docs/FILES.md), for a program that computes the training again, as tests/verify_numpy.py does.\n"
     "With --verify: checks all of its files against their checksums, also what is not shown.",
     command_inspect},
    {"digest", "DIR", "print one hash over all parameters and optimizer state of a run, recomputed from its files", " ", "",
     command_digest},
    {"diff", "RUN_A RUN_B", "say at which step, table and slot two runs part", " deep ",
     "Compares the digests of single steps in " FILE_STEPS " (determinism sync and invariant). The exit code is 0 where all "
     "steps are\n"
     "equal and 1 where they part. --deep looks the first row that differs up in what the runs have stored.",
     command_diff},
    {"config-reference", "FILE", "write docs/CONFIG.md, the reference of all configuration keys", " mode ", "",
     command_config_reference},
    {"man", "", "print the manual page", " ", "To read it: smelter man | man -l -. make install puts it where man finds it.",
     command_man},
    {"completion", "bash|zsh|fish", "print what a shell completes a command line with", " ",
     "For this session of bash: source <(smelter completion bash). make install puts all three where the shells find them.",
     command_completion},
    {"version", "", "show version, commit and matrix kernels", " ", "", command_version},
};

static status_t run(int argc, char **argv)
{
    TRY(log_level_from_environment());
    TRY(failpoint_check_environment());
    return options_run(argc, argv, commands, (int)(sizeof commands / sizeof *commands));
}

int main(int argc, char **argv)
{
    if (instructions_check(instructions_built(), instructions_here()) != ST_OK) /* before all that is built with more */
        return status_exit_code(ST_INPUT);
    float_mode_set();
    file_mode_restrict();
    if (argc > 2 && strcmp(argv[1], MPIRUN_GUARD_DAEMON) == 0)
        return mpirun_guard_daemon(argv + 1);
    descriptors_prepare();
    provenance_set_commit(commit);
    stdout = printable_stream(STDOUT_FILENO); /* whatever a command prints of data and names of files */
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files (ulimit -f) is an error of the write, which names it */
    status_t status = run(argc, argv);
    fclose(stdout);
    char said[STATUS_REASON_BYTES];
    status_reason(said);
    if (printable_stream_error() && (status == ST_OK || status == ST_DIFFERENT || !said[0]))
        status = FAIL(ST_SYSTEM, "standard output cannot be written: %s", strerror(printable_stream_error()));
    return status_exit_code(status);
}
