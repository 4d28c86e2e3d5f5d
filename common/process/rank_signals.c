#include "common/process/rank_signals.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define ECHO_NS \
    1000000000 /* a signal may come twice where a launcher sends it to a process and to its group: that is one wish */

/* Written by the handler alone, save for save_asked, which the code that acts on it takes back. */
static volatile sig_atomic_t end_asked, stop_asked, save_asked, told_to_end, launcher_ends;
static struct timespec told_at;

static rank_signals_t origin; /* set before the handler is */

static int64_t since_told_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - told_at.tv_sec) * 1000000000 + now.tv_nsec - told_at.tv_nsec;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (number == SIGUSR1) {
        save_asked = 1;
    } else if (number == SIGUSR2) {
        stop_asked = 1;
    } else if (number == SIGTERM && origin.starter_ends && info->si_pid == getppid()) {
        end_asked = 1;
    } else if (told_to_end) {
        end_asked = end_asked || since_told_ns() > ECHO_NS;
    } else {
        clock_gettime(CLOCK_MONOTONIC, &told_at);
        told_to_end = 1;
        launcher_ends = info->si_pid == getppid();
        end_asked = end_asked || stop_asked;
        stop_asked = 1;
    }
}

static void watch(int number)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void rank_signals_watch_early(void)
{
    watch(SIGUSR1);
    watch(SIGUSR2);
    signal(SIGPIPE, SIG_IGN);
}

void rank_signals_watch(const rank_signals_t *signals)
{
    origin = *signals;
    struct sigaction hangup;
    rank_signals_watch_early();
    watch(SIGTERM);
    watch(SIGINT);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) /* nohup means it */
        watch(SIGHUP);
}

bool rank_signals_interrupted(void)
{
    if (end_asked)
        return true;
    /* The coordinator, which would say how to go on after the signal, is gone: mpirun has noticed it, and ends the others. */
    return told_to_end && origin.coordinator && kill((pid_t)origin.coordinator, 0) != 0 && errno == ESRCH;
}

bool rank_signals_end_told(void)
{
    return told_to_end;
}

bool rank_signals_launcher_ends(void)
{
    return launcher_ends;
}

bool rank_signals_stop_asked(void)
{
    return stop_asked;
}

bool rank_signals_save_asked(void)
{
    const bool asked = save_asked;
    save_asked = 0;
    return asked;
}

void rank_signals_forget(void)
{
    end_asked = stop_asked = save_asked = told_to_end = launcher_ends = 0;
}
