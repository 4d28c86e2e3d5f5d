#include "launcher/coordinator/failure_detector.h"

#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/net/message.h"
#include "common/process/rank_signals.h"

#define LISTENS_NS 500000000 /* longer between two looks: it did something else */
#define GOODBYE_NS 600000000 /* below the second that mpirun gives ranks between SIGTERM and SIGKILL */

void failure_detector_init(failure_detector_t *a, net_t *net, const roster_t *roster, run_events_t *events,
                           bool starter_reports, double deadline_s)
{
    *a = (failure_detector_t){
        .net = net,
        .roster = roster,
        .events = events,
        .starter_reports = starter_reports,
        .deadline_ns = (int64_t)(deadline_s * 1e9),
        .seen_ns = MEM_ARRAY(int64_t, roster->size),
        .heard = MEM_ARRAY(bool, roster->size),
        .said_bye = MEM_ARRAY(bool, roster->size),
        .was_told = MEM_ARRAY(bool, roster->size),
    };
    for (int r = 0; r < roster->size; r++)
        a->seen_ns[r] = net_now_ns(net);
    a->looked_ns = net_now_ns(net);
}

void failure_detector_fini(failure_detector_t *a)
{
    mem_free(a->seen_ns);
    mem_free(a->heard);
    mem_free(a->said_bye);
    mem_free(a->was_told);
}

const char *failure_detector_name(const failure_detector_t *a, int rank, char text[ATTENDANCE_NAME_BYTES])
{
    return roster_full_name(a->roster, rank, text, ATTENDANCE_NAME_BYTES);
}

void failure_detector_put(failure_detector_t *a, int rank)
{
    a->seen_ns[rank] = net_now_ns(a->net);
    a->n_heard += !a->heard[rank];
    a->heard[rank] = true;
}

void failure_detector_told(failure_detector_t *a, int rank)
{
    a->was_told[rank] = true;
    if (!a->told)
        a->told = rank;
}

void failure_detector_bye(failure_detector_t *a, int rank, status_t status, bool stuck)
{
    a->stuck = a->stuck || stuck;
    a->said_bye[rank] = true;
    if (!a->left) {
        a->left = rank;
        a->left_status = status;
        a->left_ns = net_now_ns(a->net);
    }
}

/* Its goodbye will not come. */
static bool is_lost(const failure_detector_t *a, int rank)
{
    return net_now_ns(a->net) - a->seen_ns[rank] > a->deadline_ns || roster_is_gone(a->roster, rank);
}

static void tell_to_stop(const failure_detector_t *a, int rank, const wire_header_t *header)
{
    if (net_send(a->net, rank, header, NULL, 0) != ST_OK)
        log_debug("rank %d could not be told to stop", rank);
}

/* Take goodbyes for at most this long, or until every rank that can has said it. A rank that speaks for the first time while
 * the job is being stopped is told so by `header`: the ranks of a job without runs may not have spoken before. */
static void hear_goodbyes(failure_detector_t *a, int64_t patience_ns, const wire_header_t *header)
{
    const roster_t *roster = a->roster;
    const int64_t end = net_now_ns(a->net) + patience_ns;
    for (int left = roster->size - 1; left > 0 && net_now_ns(a->net) < end;) {
        net_message_t message;
        if (net_receive(a->net, &message, 50) == ST_OK) {
            const int peer = message.peer, type = message.header.type;
            const bool stuck = type == WIRE_BYE && wire_is_stuck(&message.header);
            net_release(a->net, &message);
            if (PEER_IS_SHARD(peer) || peer < 1 || peer >= roster->size)
                continue;
            a->seen_ns[peer] = net_now_ns(a->net);
            a->said_bye[peer] |= type == WIRE_BYE;
            a->stuck = a->stuck || stuck;
            if (header && !a->heard[peer] && !a->said_bye[peer])
                tell_to_stop(a, peer, header);
            a->heard[peer] = true;
            continue;
        }
        left = 0;
        for (int r = 1; r < roster->size; r++)
            left += !a->said_bye[r] && !is_lost(a, r);
    }
}

bool failure_detector_is_stopping(const failure_detector_t *a)
{
    return rank_signals_stop_asked() || a->told;
}

/* Names of the ranks on this host that have ended, and of those on others that were not heard of since since_ns nor have said
 * that they were told to end; "": none. */
static void name_dead(const failure_detector_t *a, int64_t since_ns, char *names, size_t size)
{
    const roster_t *roster = a->roster;
    char text[ATTENDANCE_NAME_BYTES];
    size_t used = 0;
    names[0] = 0;
    for (int r = 1; r < roster->size; r++) {
        const bool here = strcmp(roster->entries[r].host, roster->entries[0].host) == 0;
        const bool silent = a->seen_ns[r] < since_ns && !a->was_told[r];
        if (!a->said_bye[r] && (here ? roster_is_gone(roster, r) : silent) && used < size)
            used += (size_t)snprintf(names + used, size - used, "%s%s", used ? ", " : "", failure_detector_name(a, r, text));
    }
}

status_t failure_detector_check_gone(failure_detector_t *a)
{
    char names[600];
    const int64_t now = net_now_ns(a->net);
    if (!a->stopping_ns)
        a->stopping_ns = now;
    const bool others_too = rank_signals_launcher_ends() && now - a->stopping_ns > GOODBYE_NS;
    name_dead(a, others_too ? a->stopping_ns : 0, names, sizeof names);
    if (!names[0])
        return ST_OK;
    run_events_trouble(a->events, names);
    return a->starter_reports ? ST_PEER : FAIL(ST_PEER, "%s died without a goodbye; the job ends", names);
}

bool failure_detector_can_be_asked(const failure_detector_t *a)
{
    if (!rank_signals_launcher_ends() || net_now_ns(a->net) - a->stopping_ns > GOODBYE_NS)
        return true;
    for (int r = 1; r < a->roster->size; r++)
        if (!a->was_told[r] && a->seen_ns[r] < a->stopping_ns)
            return false;
    return true;
}

/* A signal asked for the end: a person's, or mpirun's because a rank died. mpirun kills what is left a second later. So before
 * that, who died first is gone from this host, or neither says goodbye nor sends heartbeats any more from another one, whose
 * other ranks may get the signal later. */
status_t failure_detector_interrupted(failure_detector_t *a)
{
    char names[600], text[ATTENDANCE_NAME_BYTES];
    run_events_trouble(a->events, "");
    if (a->starter_reports && rank_signals_interrupted())
        return ST_STOPPED;
    const int64_t start_ns = net_now_ns(a->net);
    hear_goodbyes(a, GOODBYE_NS, NULL);
    name_dead(a, start_ns, names, sizeof names);
    if (names[0])
        log_error("%s died without a goodbye; the job ends", names);
    else if (a->told && !rank_signals_stop_asked())
        log_error("%s was told to end by a signal; the job ends", failure_detector_name(a, a->told, text));
    else
        log_error("interrupted by a signal; the job ends");
    return ST_STOPPED;
}

/* A rank left in the middle of the job and gave no error. Where a signal made it, that is on its way here too, so it has a
 * moment. */
static status_t check_left(const failure_detector_t *a)
{
    char text[ATTENDANCE_NAME_BYTES];
    if (!a->left || net_now_ns(a->net) - a->left_ns < GOODBYE_NS)
        return ST_OK;
    run_events_trouble(a->events, failure_detector_name(a, a->left, text));
    return FAIL(ST_PEER, "%s left the job (%s); the job ends", text, status_name(a->left_status));
}

/* No rank may be silent for longer than the deadline. Ranks of a host that is cut off fall silent within a heartbeat of each
 * other, not at once: who has been silent for half the deadline when the first is over it is missing too, and is named. */
static status_t check_deadline(const failure_detector_t *a)
{
    const int64_t now = net_now_ns(a->net);
    const int ranks = a->roster->size;
    int64_t oldest = now;
    for (int r = 1; r < ranks; r++)
        oldest = a->seen_ns[r] < oldest ? a->seen_ns[r] : oldest;
    if (now - oldest <= a->deadline_ns)
        return ST_OK;
    int silent = 0;
    char names[600] = "", text[ATTENDANCE_NAME_BYTES];
    size_t used = 0;
    for (int r = 1; r < ranks; r++) {
        if (now - a->seen_ns[r] <= a->deadline_ns / 2)
            continue;
        silent++;
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     failure_detector_name(a, r, text));
    }
    run_events_trouble(a->events, names);
    return FAIL(ST_TIMEOUT, "waiting for %d of %d ranks: %s, %.0f s", silent, ranks - 1, names, (double)(now - oldest) * 1e-9);
}

/* Time in which this rank did not listen, because its disk was slow or it was stopped, does not count as silence: what the
 * others said meanwhile is still on its way in. */
static void forgive_own_absence(failure_detector_t *a)
{
    const int64_t now = net_now_ns(a->net), absent = now - a->looked_ns;
    for (int r = 1; r < a->roster->size && absent > LISTENS_NS; r++)
        a->seen_ns[r] = a->seen_ns[r] + absent < now ? a->seen_ns[r] + absent : now;
    a->looked_ns = now;
}

status_t failure_detector_check(failure_detector_t *a)
{
    forgive_own_absence(a);
    TRY(check_left(a));
    return check_deadline(a);
}

void failure_detector_stop(failure_detector_t *a, const wire_header_t *header, bool failed)
{
    for (int r = 1; r < a->roster->size; r++)
        if (a->heard[r] && !a->said_bye[r] && !is_lost(a, r))
            tell_to_stop(a, r, header);
    hear_goodbyes(a, failed ? 2000000000 : a->deadline_ns, header);
}

bool failure_detector_all_left(const failure_detector_t *a)
{
    for (int r = 1; r < a->roster->size; r++)
        if (!a->said_bye[r])
            return false;
    return !a->stuck;
}
