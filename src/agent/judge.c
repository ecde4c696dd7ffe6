/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge: everything that is worked out, in a process that can do nothing else. It opens what it
 * needs while it still may, gives up every right, and then only reads rings and answers.
 */
#include "process.h"

#include "agent/folder.h"
#include "agent/pipeline.h"
#include "agent/stage.h"
#include "audit/audit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "channel.h"
#include "control.h"
#include "enforcement.h"
#include "labels.h"
#include "model_store.h"
#include "recorder.h"
#include "sandbox.h"
#include "sensors/stream.h"
#include "succession.h"

#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASELINE_NAME    "baseline"
#define BASELINE_MAX     ((size_t)64 * 1024 * 1024)
#define KEY_NAME         "log.key"
#define READ_AT_ONCE     4096U
#define SAVE_SECONDS     300U
#define KNOWN_CONTAINERS 256U
#define RESCAN_PAUSE_NS  (10 * RV_NS_PER_S)
#define REQUESTS_MAX     16

struct judge {
    const struct rv_agent_config *config;
    struct rv_clock clock;
    int state_fd, log_fd, segments_fd;

    struct rv_bundle *policy;
    struct rv_model_store models;
    struct rv_succession succession; /* of models */
    struct rv_judgements *judgements;
    struct rv_pipeline *pipeline;
    struct rv_signer *signer;
    struct rv_audit *audit;       /* NULL: the disk has no room for a log */
    struct rv_recorder *recorder; /* NULL: events are not kept */
    struct rv_stream *stream;
    uint32_t cpus;
    struct rv_enforcement *enforcement;
    struct rv_control *control;
    struct rv_control_request requests[REQUESTS_MAX];

    struct event_base *base;
    struct event *ring_events[2], *drain, *channel_event, *audit_event, *ask_event, *tick, *hangup;
    unsigned ticks;
    /* Containers whose roots the guard was told of; the oldest go. The number of a pid namespace
     * alone is used again, with the cgroup it is not. */
    uint64_t known_containers[KNOWN_CONTAINERS];
    unsigned known_count;
    uint64_t rescan_asked_ns;
    uint64_t missed;  /* entries since the log was told how many */
    bool sealed_told; /* the log takes no entries, or there is none */
    bool enforcing;   /* rules were made: the processes that run already are known */
    bool unusable;    /* what we were told; to try again is no help */
};

/* ---- Receipts ---- */

static void tell_sealed(struct judge *judge, int r)
{
    if (!judge->sealed_told)
        rv_error("the log takes no more entries (%s); watching goes on without it. Free the disk "
                 "and restart the agent",
                 strerror(-r));
    judge->sealed_told = true;
}

/** An entry that finds no room in the queue is missed, and that is said as a number. */
static void log_receipt(struct judge *judge, const char *type, json_t *members)
{
    int r = -ENOMEM;

    if (members && judge->audit)
        r = rv_audit_append_json(judge->audit, type, members, NULL, NULL, NULL);
    if (r == -EROFS)
        tell_sealed(judge, r);
    judge->missed += r < 0;
    json_decref(members);
}

static json_t *agent_members(const struct judge *judge)
{
    char digest[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&judge->policy->digest, digest);
    return json_pack("{ss ss ss ss ss ss ss*}", "version", RV_VERSION, "mode",
                     rv_enforcement_mode(judge->enforcement), "policy_name", judge->policy->name,
                     "policy_version", judge->policy->version, "policy", digest, "model",
                     rv_models_live_hex(rv_pipeline_models(judge->pipeline)), "refused",
                     judge->models.refused);
}

/** What each checkpoint of the log commits of the sensors: a gap can then be proved. */
static int commit_sensors(void *context, json_t *entry)
{
    const struct judge *judge = context;
    struct rv_stream_counts counts;
    json_t *seqs = json_array();

    if (!judge->stream)
        return 0;
    rv_stream_counts(judge->stream, &counts);
    for (uint32_t cpu = 0; cpu < judge->cpus; cpu++)
        json_array_append_new(seqs, json_integer((json_int_t)rv_stream_seq(judge->stream, cpu)));
    return json_object_set_new(
               entry, "sensors",
               json_pack("{so sI sI sI}", "seq", seqs, "emitted", (json_int_t)counts.emitted,
                         "lost", (json_int_t)counts.lost, "invalid", (json_int_t)counts.invalid)) <
                   0
               ? -ENOMEM
               : 0;
}

/* ---- Events ---- */

static void ask_rescan(struct judge *judge, uint64_t now)
{
    if (now - judge->rescan_asked_ns < RESCAN_PAUSE_NS)
        return;
    judge->rescan_asked_ns = now;
    if (rv_channel_send(RV_JUDGE_FD_CHANNEL, RV_CHANNEL_RESCAN, rv_span(NULL, 0)) < 0)
        rv_debug("the guard cannot be asked for the running processes");
}

static void on_loss(struct judge *judge, const struct rv_event_loss *loss, uint64_t now)
{
    struct rv_buf line = { 0 };
    json_t *members = NULL;

    rv_event_json(&line, &loss->header);
    if (rv_json_parse(rv_buf_span(&line), &members, NULL) == 0)
        log_receipt(judge, "loss", json_pack("{so}", "event", members));
    rv_buf_done(&line);
    ask_rescan(judge, now);
}

/** The first program in a pid namespace and cgroup that are new to us: probably a container. */
static void tell_root(struct judge *judge, const struct rv_event *event)
{
    uint64_t container = rv_mix64(event->cgroup_id ^ (uint64_t)event->pid_ns << 32);

    if (event->type != RV_EVENT_PROCESS_EXEC || event->pid_ns == 0)
        return;
    for (unsigned i = 0; i < KNOWN_CONTAINERS; i++) {
        if (judge->known_containers[i] == container)
            return;
    }
    judge->known_containers[judge->known_count++ % KNOWN_CONTAINERS] = container;
    if (rv_channel_send(RV_JUDGE_FD_CHANNEL, RV_CHANNEL_ROOT,
                        rv_span(&event->tgid, sizeof(event->tgid))) < 0)
        rv_debug("the guard cannot be told of a new root");
}

/** The digest of a closed segment is in the log: what was recorded cannot be changed unseen. */
static void on_segment(void *context, const struct rv_recorder_segment *segment)
{
    char digest[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&segment->digest, digest);
    log_receipt(context, "segment",
                json_pack("{ss ss sI sI}", "name", segment->name, "sha256", digest, "events",
                          (json_int_t)segment->events, "bytes", (json_int_t)segment->bytes));
}

static void stop_recording(struct judge *judge)
{
    rv_error("events can no longer be recorded in %s/segments; watching goes on without",
             judge->config->state_dir);
    rv_recorder_free(&judge->recorder);
}

static int on_event(void *context, const struct rv_event *event)
{
    struct judge *judge = context;
    struct rv_outcome outcome;
    uint64_t now, latency;

    if (judge->recorder && rv_recorder_put(judge->recorder, event) < 0)
        stop_recording(judge);
    rv_pipeline_put(judge->pipeline, event, &outcome);
    tell_root(judge, event);
    if (event->type == RV_EVENT_LOSS)
        on_loss(judge, (const void *)event, judge->clock.boot_ns(NULL));
    if (outcome.matters)
        log_receipt(judge, "decision", rv_outcome_receipt(judge->pipeline, &outcome));
    rv_enforcement_outcome(judge->enforcement, &outcome);
    if (!outcome.matters && !rv_control_watched(judge->control))
        return 0;
    now = judge->clock.boot_ns(NULL);
    latency = now > event->time_boot_ns ? now - event->time_boot_ns : 1;
    rv_control_publish(judge->control, judge->pipeline, &outcome, latency);
    return 0;
}

/** Read what waits; if there may be more, come again at once, after the other descriptors. */
static void on_rings(evutil_socket_t fd, short what, void *context)
{
    static const struct timeval at_once = { 0, 0 };
    struct judge *judge = context;
    struct rv_event_sink sink = { on_event, judge };
    int timeout_ms;
    int r;

    (void)fd;
    (void)what;
    r = rv_stream_read(judge->stream, READ_AT_ONCE, judge->clock.boot_ns(NULL), &sink);
    if (r < 0) {
        rv_error("the ring from the kernel cannot be read (%s); the judge starts again",
                 strerror(-r));
        event_base_loopbreak(judge->base);
        return;
    }
    timeout_ms = (unsigned)r >= READ_AT_ONCE ? 0 : rv_stream_timeout_ms(judge->stream);
    if (timeout_ms == 0) {
        event_add(judge->drain, &at_once);
    } else if (timeout_ms > 0) {
        struct timeval later = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

        event_add(judge->drain, &later);
    }
}

/**
 * The first rules, once the rings have told of the processes that run already: made earlier, they
 * would know no cgroup of any workload, and be put in place of those of the judge before us.
 */
static void start_enforcing(struct judge *judge)
{
    struct rv_event_sink sink = { on_event, judge };

    if (judge->enforcing)
        return;
    while (rv_stream_read(judge->stream, READ_AT_ONCE, judge->clock.boot_ns(NULL), &sink) >=
           (int)READ_AT_ONCE)
        ;
    judge->enforcing = true;
    rv_succession_tell(&judge->succession);
    rv_enforcement_start(judge->enforcement);
}

static void on_channel(evutil_socket_t fd, short what, void *context)
{
    static uint64_t buffer[RV_CHANNEL_PAYLOAD_MAX / sizeof(uint64_t)];
    struct judge *judge = context;
    const struct rv_event *event;
    enum rv_channel_type type;
    struct rv_span payload;
    int r = rv_channel_receive(fd, buffer, &type, &payload);

    (void)what;
    if (r == -EAGAIN)
        return;
    if (r == 0 && type == RV_CHANNEL_EVENT) {
        if (rv_event_check(payload, &event, NULL) == 0)
            (void)on_event(judge, event);
        return;
    }
    if (r == 0 && type == RV_CHANNEL_SCAN_DONE) {
        start_enforcing(judge);
        return;
    }
    if (r == 0 && type != RV_CHANNEL_STOP &&
        rv_enforcement_packet(judge->enforcement, type, payload) == 0)
        return;
    event_base_loopbreak(judge->base); /* told to stop, or the guard is gone */
}

/** Openers wait: first what has happened until now, then the answer. */
static void on_question(evutil_socket_t fd, short what, void *context)
{
    static struct rv_fan_question question;
    struct judge *judge = context;
    struct rv_event_sink sink = { on_event, judge };
    struct rv_channel_answer answer;

    (void)what;
    if (recv(fd, &question, sizeof(question), MSG_DONTWAIT) != (ssize_t)sizeof(question) ||
        !judge->enforcing)
        return; /* who knows nothing yet says nothing: the deadline's default holds */
    if (rv_stream_read(judge->stream, READ_AT_ONCE, judge->clock.boot_ns(NULL), &sink) < 0)
        rv_debug("the ring could not be read before a question");
    if (!rv_enforcement_question(judge->enforcement, &question, &answer))
        return; /* a person answers */
    if (send(fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(answer))
        rv_debug("an answer did not fit; the scope's default holds");
}

/* ---- Time ---- */

static void save_baseline(struct judge *judge)
{
    struct rv_buf bytes = { 0 };
    int r;

    rv_pipeline_save(judge->pipeline, &bytes);
    r = bytes.failed
            ? -ENOMEM
            : rv_write_file_atomic(judge->state_fd, BASELINE_NAME, bytes.data, bytes.len, 0600);
    if (r < 0)
        rv_warning("what was learnt of this host could not be saved: %s", strerror(-r));
    rv_buf_done(&bytes);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct judge *judge = context;
    int r = judge->audit ? rv_audit_tick(judge->audit) : 0;

    (void)fd;
    (void)what;
    if (r < 0)
        tell_sealed(judge, r);
    if (judge->missed > 0 && !judge->sealed_told) {
        uint64_t missed = judge->missed;

        judge->missed = 0;
        log_receipt(judge, "missed", json_pack("{sI}", "count", (json_int_t)missed));
    }
    if (judge->recorder && rv_recorder_flush(judge->recorder) < 0)
        stop_recording(judge);
    rv_succession_follow(&judge->succession);
    rv_enforcement_tick(judge->enforcement, !judge->sealed_told);
    if (++judge->ticks % SAVE_SECONDS == 0)
        save_baseline(judge);
}

static void on_audit(evutil_socket_t fd, short what, void *context)
{
    struct judge *judge = context;

    (void)fd;
    (void)what;
    (void)rv_audit_dispatch(judge->audit);
}

static void on_hangup(evutil_socket_t fd, short what, void *context)
{
    struct judge *judge = context;

    (void)fd;
    (void)what;
    rv_succession_take_up(&judge->succession);
    rv_notice("the policy is read at start; restart the agent to take up a new one");
}

/* ---- Status ---- */

static json_t *log_status(struct judge *judge)
{
    struct rv_audit_status status = { .state = RV_AUDIT_SEALED };

    if (judge->audit)
        rv_audit_status(judge->audit, &status);
    return json_pack("{ss sI sI sI}", "state",
                     status.state == RV_AUDIT_WRITABLE ? "writable" : "sealed", "entries",
                     (json_int_t)status.size, "durable", (json_int_t)status.durable, "published",
                     (json_int_t)status.published);
}

static json_t *status_json(void *context, const json_t *request, uint32_t peer_uid)
{
    struct judge *judge = context;
    struct rv_pipeline_counts counts;
    struct rv_stream_counts stream;
    json_t *types = json_object();

    (void)request;
    (void)peer_uid;
    rv_pipeline_counts(judge->pipeline, &counts);
    rv_stream_counts(judge->stream, &stream);
    for (uint16_t type = 0; type < RV_EVENT_TYPE_END_; type++) {
        if (counts.by_type[type] > 0)
            json_object_set_new(types, rv_event_info(type)->name,
                                json_integer((json_int_t)counts.by_type[type]));
    }
    return json_pack("{so sI sI sI sI sI sI sI sI sI so so so so}", "agent", agent_members(judge),
                     "events", (json_int_t)counts.events, "decided", (json_int_t)counts.decided,
                     "denied", (json_int_t)counts.denied, "reported", (json_int_t)counts.mattered,
                     "repeated", (json_int_t)counts.repeated, "lost", (json_int_t)stream.lost,
                     "live_processes", (json_int_t)counts.live_processes, "programs",
                     (json_int_t)counts.programs, "state_bytes", (json_int_t)counts.memory_bytes,
                     "by_type", types, "log", log_status(judge), "model",
                     rv_models_json(rv_pipeline_models(judge->pipeline), RV_MODELS_BRIEF),
                     "enforcement", rv_enforcement_status(judge->enforcement));
}

static json_t *model_json(void *context, const json_t *request, uint32_t peer_uid)
{
    struct judge *judge = context;

    (void)request;
    (void)peer_uid;
    return rv_models_json(rv_pipeline_models(judge->pipeline), RV_MODELS_FULL);
}

static json_t *label_json(void *context, const json_t *request, uint32_t peer_uid)
{
    struct judge *judge = context;
    struct rv_labels_place place = {
        .judgements = judge->judgements,
        .audit = judge->audit,
        .models = rv_pipeline_models(judge->pipeline),
        .log_fd = judge->log_fd,
        .time_boot_ns = judge->clock.boot_ns(NULL),
    };

    return rv_labels_answer(&place, request, peer_uid);
}

/* ---- Start ---- */

static int open_state(struct judge *judge)
{
    judge->state_fd = open(judge->config->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (judge->state_fd >= 0)
        judge->log_fd = openat(judge->state_fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (judge->log_fd >= 0)
        judge->segments_fd =
            openat(judge->state_fd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (judge->state_fd < 0 || judge->log_fd < 0 || judge->segments_fd < 0) {
        rv_error("cannot open %s: %s", judge->config->state_dir, strerror(errno));
        return -errno;
    }
    return 0;
}

/** Become nobody, in nowhere. */
static int give_up_rights(const struct judge *judge)
{
    RV_AUTO(rv_freep) char *empty = NULL;
    const struct passwd *user = getpwnam(judge->config->user);
    int r;

    if (!user)
        user = getpwnam("nobody");
    if (!user || asprintf(&empty, "%s/empty", judge->config->runtime_dir) < 0) {
        empty = NULL;
        return -ENOENT;
    }
    r = rv_sandbox_enter(empty, user->pw_uid, user->pw_gid);
    if (r < 0)
        rv_error("cannot give up the rights of root (%s); the judge does not run with them",
                 strerror(-r));
    return r;
}

static int open_signer(struct judge *judge)
{
    char host[128] = "host", origin[160];
    int r = rv_signer_load(&judge->signer, judge->state_fd, KEY_NAME);

    if (r == -ENOENT) {
        (void)gethostname(host, sizeof(host) - 1);
        (void)snprintf(origin, sizeof(origin), "%s/reeve", host);
        r = rv_signer_generate(judge->state_fd, KEY_NAME, origin, RV_NOTE_ED25519);
        if (r == 0)
            r = rv_signer_load(&judge->signer, judge->state_fd, KEY_NAME);
    }
    if (r < 0)
        rv_error("cannot use the log's key %s/" KEY_NAME ": %s", judge->config->state_dir,
                 strerror(-r));
    return r;
}

static bool is_the_disk(int r)
{
    return r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -EIO;
}

/** A disk that takes nothing must not keep us from watching; but what is not recorded is not done.
 */
static int open_log(struct judge *judge)
{
    struct rv_audit_options options = {
        .mode = RV_AUDIT_THREAD,
        .signers = &judge->signer,
        .signer_count = 1,
        .clock = judge->clock,
        .commit = commit_sensors,
        .context = judge,
    };
    int r = open_signer(judge);

    if (r == 0)
        r = rv_audit_open(&judge->audit, judge->log_fd, &options);
    if (is_the_disk(r)) {
        rv_error("there is no log, since %s takes none (%s): watching goes on without it, and "
                 "nothing is enforced but what fail.log lists. Free the disk and restart the agent",
                 judge->config->state_dir, strerror(-r));
        judge->sealed_told = true;
        return 0;
    }
    if (r < 0)
        rv_error("cannot open the log in %s/log: %s; 'reeve audit verify' says what is wrong",
                 judge->config->state_dir, strerror(-r));
    return r;
}

static int open_pipeline(struct judge *judge)
{
    struct rv_pipeline_options options = {
        .program = judge->policy->program,
        .entities = judge->policy->entities,
        .policy_digest = judge->policy->digest,
        .processes_max = (uint32_t)judge->config->processes_max,
        .risk_min = (uint32_t)judge->config->risk_min,
        .mode = rv_stage_name((enum rv_stage)judge->config->mode),
        .learning = judge->config->learn ? RV_LEARN_ON : RV_LEARN_OFF,
        .unix_offset_ns = (int64_t)(judge->clock.unix_ns(NULL) - judge->clock.boot_ns(NULL)),
        .model = judge->models.live,
        .shadow = judge->models.shadow,
        .drift_window_ns = judge->config->drift_hours * 3600 * RV_NS_PER_S,
    };
    RV_AUTO(rv_freep) char *bytes = NULL;
    const char *why = "";
    size_t len = 0;
    int r = rv_pipeline_new(&judge->pipeline, &options);

    if (r < 0)
        return r;
    r = rv_read_file(judge->state_fd, BASELINE_NAME, BASELINE_MAX, &bytes, &len);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = rv_pipeline_load(judge->pipeline, rv_span(bytes, len), &why);
    if (r < 0)
        rv_warning("what was learnt before is not used (%s%s%s); learning starts anew",
                   strerror(-r), why[0] ? ": " : "", why);
    return 0;
}

static int tell_guard(void *context, enum rv_channel_type type, struct rv_span payload)
{
    (void)context;
    return rv_channel_send(RV_JUDGE_FD_CHANNEL, type, payload);
}

static void log_change(void *context, const char *type, json_t *members)
{
    log_receipt(context, type, members);
}

static void open_succession(struct judge *judge)
{
    judge->succession = (struct rv_succession){
        .store = &judge->models,
        .pipeline = judge->pipeline,
        .clock = judge->clock,
        .may_return = judge->config->model_return,
        .trained = judge->models.live != NULL,
        .log = log_change,
        .tell = tell_guard,
        .context = judge,
    };
}

static void show_watchers(void *context, const json_t *line)
{
    struct judge *judge = context;

    if (judge->control)
        rv_control_tell(judge->control, line);
}

static int open_enforcement(struct judge *judge)
{
    struct rv_enforcement_options options = {
        .config = judge->config,
        .bundle = judge->policy,
        .pipeline = judge->pipeline,
        .audit = judge->audit,
        .clock = judge->clock,
        .state_fd = judge->state_fd,
        .tell = tell_guard,
        .show = show_watchers,
        .context = judge,
    };
    int r = rv_enforcement_new(&judge->enforcement, &options);

    if (r < 0)
        rv_error("cannot read the stages in %s/stages: %s; mend or remove the file",
                 judge->config->state_dir, strerror(-r));
    judge->unusable = r == -EBADMSG;
    return r;
}

static int open_recorder(struct judge *judge)
{
    struct rv_recorder_options options = {
        .dir_fd = judge->segments_fd,
        .bytes_max = judge->config->segment_mib * 1024 * 1024,
        .kept = judge->config->segments_kept,
        .clock = judge->clock,
        .closed = on_segment,
        .context = judge,
    };

    return judge->config->segments ? rv_recorder_new(&judge->recorder, &options) : 0;
}

/** The guard's first words: how large the rings are. */
static int open_stream(struct judge *judge)
{
    static uint64_t buffer[RV_CHANNEL_PAYLOAD_MAX / sizeof(uint64_t)];
    struct rv_sensors_fds fds;
    enum rv_channel_type type;
    struct rv_span payload;
    int r = rv_channel_receive(RV_JUDGE_FD_CHANNEL, buffer, &type, &payload);

    if (r < 0)
        return r;
    if (type != RV_CHANNEL_SENSORS || payload.len != sizeof(fds))
        return -EBADMSG;
    memcpy(&fds, payload.data, sizeof(fds));
    fds.fd[RV_SENSORS_FD_RING] = RV_JUDGE_FD_RING;
    fds.fd[RV_SENSORS_FD_URGENT] = RV_JUDGE_FD_URGENT;
    fds.fd[RV_SENSORS_FD_COUNTERS] = RV_JUDGE_FD_COUNTERS;
    judge->cpus = fds.cpus;
    r = rv_stream_open(&judge->stream, &fds);
    if (r < 0)
        rv_error("cannot map the rings from the kernel: %s", strerror(-r));
    return r;
}

static int open_loop(struct judge *judge)
{
    const struct rv_control_request requests[] = {
        { "status", status_json, judge },
        { "model", model_json, judge },
        { "label", label_json, judge },
        { "hold.list", rv_enforcement_hold_list, judge->enforcement },
        { "hold.decide", rv_enforcement_hold_decide, judge->enforcement },
        { "mode.list", rv_enforcement_mode_list, judge->enforcement },
        { "mode.set", rv_enforcement_mode_set, judge->enforcement },
        { "undo", rv_enforcement_undo, judge->enforcement },
        { NULL, NULL, NULL },
    };
    struct timeval second = { 1, 0 };
    int r;

    judge->base = event_base_new();
    if (!judge->base)
        return -ENOMEM;
    static_assert(sizeof(requests) <= sizeof(judge->requests), "room for every request");
    memcpy(judge->requests, requests, sizeof(requests));
    r = rv_control_new(&judge->control, judge->base, RV_JUDGE_FD_CONTROL, judge->requests);
    if (r < 0)
        return r;
    judge->ring_events[0] =
        event_new(judge->base, RV_JUDGE_FD_RING, EV_READ | EV_PERSIST, on_rings, judge);
    judge->ring_events[1] =
        event_new(judge->base, RV_JUDGE_FD_URGENT, EV_READ | EV_PERSIST, on_rings, judge);
    judge->drain = event_new(judge->base, -1, 0, on_rings, judge);
    judge->channel_event =
        event_new(judge->base, RV_JUDGE_FD_CHANNEL, EV_READ | EV_PERSIST, on_channel, judge);
    if (judge->audit)
        judge->audit_event = event_new(judge->base, rv_audit_fd(judge->audit), EV_READ | EV_PERSIST,
                                       on_audit, judge);
    judge->ask_event =
        event_new(judge->base, RV_JUDGE_FD_ASK, EV_READ | EV_PERSIST, on_question, judge);
    judge->tick = event_new(judge->base, -1, EV_PERSIST, on_tick, judge);
    judge->hangup = evsignal_new(judge->base, SIGHUP, on_hangup, judge);
    if (!judge->ring_events[0] || !judge->ring_events[1] || !judge->drain ||
        !judge->channel_event || (judge->audit && !judge->audit_event) || !judge->ask_event ||
        !judge->tick || !judge->hangup)
        return -ENOMEM;
    event_add(judge->ring_events[0], NULL);
    event_add(judge->ring_events[1], NULL);
    event_add(judge->channel_event, NULL);
    if (judge->audit_event)
        event_add(judge->audit_event, NULL);
    event_add(judge->ask_event, NULL);
    event_add(judge->hangup, NULL);
    event_add(judge->tick, &second);
    return 0;
}

static int open_all(struct judge *judge)
{
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    int r;

    r = rv_bundle_open_folder(&judge->policy, judge->config->policy, &why);
    if (r < 0) {
        rv_error("the policy in %s is not used: %s", judge->config->policy, why.data);
        judge->unusable = true;
        return r;
    }
    r = open_state(judge);
    if (r == 0)
        r = rv_model_store_open(&judge->models, judge->config->model, judge->config->model_shadow);
    if (r == 0)
        r = give_up_rights(judge);
    /* The guard's death is ours; only now, since a change of user forgets it. */
    if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        r = -errno;
    if (r == 0)
        r = open_log(judge);
    if (r == 0)
        r = open_pipeline(judge);
    if (r == 0)
        open_succession(judge);
    if (r == 0)
        r = rv_judgements_open(&judge->judgements, judge->state_fd);
    if (r == 0)
        r = open_enforcement(judge);
    if (r == 0)
        r = open_recorder(judge);
    if (r == 0)
        r = open_stream(judge);
    if (r == 0)
        r = open_loop(judge);
    if (r == 0)
        r = rv_sandbox_filter();
    return r;
}

static void judge_done(struct judge *judge)
{
    struct event *events[] = { judge->ring_events[0], judge->ring_events[1], judge->drain,
                               judge->channel_event,  judge->audit_event,    judge->ask_event,
                               judge->tick,           judge->hangup };

    for (size_t i = 0; i < RV_COUNT(events); i++) {
        if (events[i])
            event_free(events[i]);
    }
    rv_control_free(&judge->control);
    if (judge->base)
        event_base_free(judge->base);
    rv_audit_free(&judge->audit);
    rv_enforcement_free(&judge->enforcement);
    rv_signer_free(&judge->signer);
    rv_stream_free(&judge->stream);
    rv_pipeline_free(&judge->pipeline);
    rv_judgements_free(&judge->judgements);
    rv_model_store_done(&judge->models);
    rv_bundle_free(&judge->policy);
    rv_closep(&judge->segments_fd);
    rv_closep(&judge->log_fd);
    rv_closep(&judge->state_fd);
}

static void run(struct judge *judge)
{
    log_receipt(judge, "agent.start", agent_members(judge));
    if (rv_channel_send(RV_JUDGE_FD_CHANNEL, RV_CHANNEL_READY, rv_span(NULL, 0)) < 0)
        return;
    event_base_dispatch(judge->base);
    save_baseline(judge);
    rv_recorder_free(&judge->recorder);
    log_receipt(judge, "agent.stop", agent_members(judge));
    if (judge->audit && rv_audit_publish_committed(judge->audit) < 0)
        rv_warning("the last checkpoint of the log could not be published; the next start does it");
}

int rv_judge_main(const struct rv_agent_args *args)
{
    struct judge judge = {
        .config = args->config,
        .clock = rv_clock_system(),
        .state_fd = -1,
        .log_fd = -1,
        .segments_fd = -1,
        .models.folder_fd = -1,
    };
    int r;

    rv_log_set_name("judge");
    (void)signal(SIGPIPE, SIG_IGN); /* a client that leaves is no reason to leave */
    r = open_all(&judge);
    if (r == 0)
        run(&judge);
    judge_done(&judge);
    return r == 0 ? 0 : judge.unusable ? RV_JUDGE_UNUSABLE : 2;
}
