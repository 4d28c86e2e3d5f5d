#include "common/net/member.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"

#define AFTER_FAILURE_NS 5000000000 /* for the coordinator to end the job */
#define LISTEN_MS 500               /* the longest wait for a message; shorter than what counts of the time between two looks */
#define ECHO_NS \
    1000000000 /* a signal may come twice where a launcher sends it to a process and to its group: that is one wish */

/* Written by the handler alone, save for save_asked, which the code that acts on it takes back. */
static volatile sig_atomic_t end_asked, stop_asked, save_asked, told_to_end, launcher_ends;
static struct timespec told_at;

static bool is_orphan;          /* of the process: it has one coordinator */
static member_signals_t origin; /* set before the handler is */

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

void member_watch_early(void)
{
    watch(SIGUSR1);
    watch(SIGUSR2);
    signal(SIGPIPE, SIG_IGN);
}

void member_watch_signals(const member_signals_t *signals)
{
    origin = *signals;
    struct sigaction hangup;
    member_watch_early();
    watch(SIGTERM);
    watch(SIGINT);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) /* nohup means it */
        watch(SIGHUP);
}

bool member_interrupted(void)
{
    if (end_asked)
        return true;
    /* Who would say how to go on after the signal is gone: mpirun has noticed it, and ends the others. */
    return told_to_end && origin.coordinator && kill((pid_t)origin.coordinator, 0) != 0 && errno == ESRCH;
}

bool member_is_orphan(void)
{
    return is_orphan;
}

bool member_launcher_ends(void)
{
    return launcher_ends;
}

bool member_stop_asked(void)
{
    return stop_asked;
}

bool member_save_asked(void)
{
    const bool asked = save_asked;
    save_asked = 0;
    return asked;
}

void member_forget_signals(void)
{
    end_asked = stop_asked = save_asked = told_to_end = launcher_ends = 0;
}

void member_init(member_t *member, net_t *net, int rank, int64_t heartbeat_ms, double deadline_s)
{
    *member = (member_t){
        .net = net, .rank = rank, .heartbeat_ns = heartbeat_ms * 1000000, .deadline_ns = (int64_t)(deadline_s * 1e9)};
}

status_t member_beat(member_t *member, int64_t step)
{
    int64_t now = net_now_ns(member->net);
    const bool tell = told_to_end && !member->told;
    if (!tell && member->last_heartbeat_ns && now - member->last_heartbeat_ns < member->heartbeat_ns)
        return ST_OK;
    member->last_heartbeat_ns = now;
    member->told = told_to_end;
    wire_header_t header =
        wire_header(WIRE_HEARTBEAT, member->run_id, member->epoch, (uint32_t)member->rank, step, member->told);
    TRY(net_send(member->net, PEER_COORDINATOR, &header, NULL, 0));
    return member->expects_pulse ? net_send(member->net, PEER_PULSE, &header, NULL, 0) : ST_OK;
}

void member_expect_pulse(member_t *member, const char *name, bool speaks)
{
    member->expects_pulse = true;
    member->speaks = speaks;
    member->silence = patience_start(net_now_ns(member->net));
    snprintf(member->coordinator, sizeof member->coordinator, "%s", name);
}

/* Nothing is waiting to be read. */
static status_t check_silence(member_t *member)
{
    if (!member->expects_pulse || patience_spend(&member->silence, net_now_ns(member->net)) <= member->deadline_ns)
        return ST_TIMEOUT;
    const double seconds = (double)member->deadline_ns * 1e-9;
    is_orphan = true;
    if (member->speaks)
        return FAIL(ST_PEER, "nothing was heard of the %s for %g s; this rank ends, and the job with it", member->coordinator,
                    seconds);
    log_debug("nothing was heard of the %s for %g s; this rank ends", member->coordinator, seconds);
    return ST_PEER;
}

status_t member_receive(member_t *member, int64_t step, int64_t timeout_ms, net_message_t *message)
{
    TRY(member_beat(member, step));
    const status_t status = net_receive(member->net, message, timeout_ms < LISTEN_MS ? timeout_ms : LISTEN_MS);
    if (status == ST_TIMEOUT)
        return check_silence(member);
    if (status == ST_OK && (message->peer == PEER_COORDINATOR || message->peer == PEER_PULSE))
        member->silence = patience_start(net_now_ns(member->net));
    return status;
}

/* Others may be sending to this rank. Were it gone, each of them would wait until its deadline, and then report that instead of
 * the reason, which lies unread before them. */
static void await_stop(member_t *member)
{
    const int64_t longest = member->deadline_ns < AFTER_FAILURE_NS ? member->deadline_ns : AFTER_FAILURE_NS;
    const int64_t until = net_now_ns(member->net) + longest;
    for (bool stopped = false; !stopped && net_now_ns(member->net) < until && !member_interrupted();) {
        net_message_t message;
        if (net_receive(member->net, &message, LISTEN_MS) != ST_OK)
            continue;
        stopped = message.peer == PEER_COORDINATOR && message.header.type == WIRE_STOP;
        net_release(member->net, &message);
    }
}

void member_fail(member_t *member, status_t status, const char *reason)
{
    message_error_t body = {.status = (int32_t)status, .fatal = 1};
    snprintf(body.text, sizeof body.text, "%s", reason);
    wire_header_t header = wire_header(WIRE_ERROR, member->run_id, member->epoch, (uint32_t)member->rank, 0, 0);
    wire_frame_t frame = {&body, sizeof body};
    if (net_send(member->net, PEER_COORDINATOR, &header, &frame, 1) != ST_OK)
        log_debug("the coordinator could not be told of the failure");
    else
        await_stop(member);
}

void member_bye(member_t *member, status_t status)
{
    if (member_interrupted())
        status = ST_STOPPED;
    wire_header_t header =
        wire_header(WIRE_BYE, member->run_id, member->epoch, (uint32_t)member->rank, member->stuck, (int64_t)status);
    if (net_send(member->net, PEER_COORDINATOR, &header, NULL, 0) != ST_OK)
        log_debug("the coordinator could not be told goodbye");
}
