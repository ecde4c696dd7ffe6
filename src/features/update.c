/* SPDX-License-Identifier: Apache-2.0 */
/* What each kind of event does to the state. */
#include "state.h"

#include "argv.h"
#include "hash.h"

#include <sys/socket.h>

#define ROLL_NS             (600 * RV_NS_PER_S) /* a long-lived process tells its program's usual values */
#define RESCORE_NS          RV_NS_PER_S /* any event is worth a verdict after that long without */
#define WEEK_S              604800U
#define MATURE_EDGES        8U /* sightings of a subject before something new to it counts */
#define MATURE_KINDS        32U
#define PRIOR_Q4            16U /* rarity of what nothing is known about: one bit */
#define SCRATCH_GENERATIONS 3
#define EXT_COMMON          3U /* sightings after which this host knows an extension */

/* One event on its way through. */
struct step {
    struct rv_features *features;
    const struct rv_event *event;
    struct rv_process_slot *slot;
    struct rv_process_slot *child;
    bool counted; /* an action was counted */
    bool grown;   /* ... and its count has grown by about a half */
};

static uint16_t plus_one(uint16_t count)
{
    return count < UINT16_MAX ? (uint16_t)(count + 1) : count;
}

/* ---- Who ---- */

static void note_header(struct rv_process_slot *slot, const struct rv_event *event)
{
    slot->spared = true;
    slot->pub.uid = event->uid;
    slot->pub.gid = event->gid;
    slot->pub.pid_ns = event->pid_ns;
    memcpy(slot->pub.comm, event->comm, sizeof(slot->pub.comm));
}

/* The id was given to another process: the old one is gone, though nobody said so. */
static void retire_namesake(struct rv_features *features, struct rv_process_key key)
{
    const struct rv_process *old = rv_features_live(features, key.tgid);

    if (old && old->key.start_boot_ns < key.start_boot_ns)
        rv_features_gone(features, old);
}

static struct rv_process_slot *find_or_assume(struct rv_features *features,
                                              struct rv_process_key key,
                                              const struct rv_process_slot *pinned)
{
    struct rv_process_slot *slot = rv_process_find(features, key);

    if (slot)
        return slot;
    retire_namesake(features, key);
    features->counters.assumed++;
    return rv_process_add(features, key, pinned);
}

static struct rv_process_slot *actor(struct rv_features *features, const struct rv_event *event)
{
    struct rv_process_slot *slot = find_or_assume(features, rv_event_process(event), NULL);

    if (slot->pub.state == RV_PROCESS_ASSUMED) {
        if (slot->workload == 0)
            rv_process_set_workload(features, slot, rv_workload_by_id(features, event->cgroup_id));
        slot->pub.euid = event->uid;
        slot->pub.egid = event->gid;
        slot->pub.state = RV_PROCESS_LIVE;
    }
    note_header(slot, event);
    return slot;
}

/* ---- Counting ---- */

/* Position on a scale of two steps to the octave: 1, 2, 3, 4, 6, 8, 12, ... begin a new one. */
static uint32_t half_octave(uint32_t count)
{
    uint32_t top = rv_core_top_bit(count);

    return count < 2 ? count : 2 * top + ((count >> (top - 1)) & 1);
}

static void count(struct step *step, enum rv_action action, uint64_t object, uint64_t group)
{
    struct rv_features *features = step->features;
    struct rv_process_slot *slot = step->slot;
    struct rv_thread *thread = rv_thread_of(features, slot, step->event->tid);
    uint32_t class = (uint32_t)slot->pub.program->kind;
    struct rv_core_normal normal = rv_learn_normal(features, class);
    struct rv_core_input input = { step->event->time_boot_ns, object, group, (uint32_t)action,
                                   step->event->weight };
    uint32_t before = slot->core.counts[action];
    uint64_t missing = rv_core_update(&slot->core, thread, &features->bloom, &normal, &input);

    if (thread->depth == 2 && !thread->deep)
        rv_learn_triple(features, slot, class, missing);
    rv_learn_most(slot);
    step->counted = true;
    step->grown = half_octave(before) != half_octave(slot->core.counts[action]);
}

/* True once for each different thing; may forget to say so for a busy process, never twice. */
static bool first_time(struct rv_process_slot *slot, uint64_t thing)
{
    uint64_t hash = rv_mix64(thing);
    uint32_t a = (uint32_t)hash & (RV_MADE_WORDS * 64 - 1);
    uint32_t b = (uint32_t)(hash >> 32) & (RV_MADE_WORDS * 64 - 1);
    bool had = (slot->made[a / 64] >> (a % 64) & 1) && (slot->made[b / 64] >> (b % 64) & 1);

    slot->made[a / 64] |= (uint64_t)1 << (a % 64);
    slot->made[b / 64] |= (uint64_t)1 << (b % 64);
    return !had;
}

static bool seen_before(const struct rv_process_slot *slot, uint64_t thing)
{
    uint64_t hash = rv_mix64(thing);
    uint32_t a = (uint32_t)hash & (RV_MADE_WORDS * 64 - 1);
    uint32_t b = (uint32_t)(hash >> 32) & (RV_MADE_WORDS * 64 - 1);

    return (slot->made[a / 64] >> (a % 64) & 1) && (slot->made[b / 64] >> (b % 64) & 1);
}

/* An object of the process's program; its rarity goes to `edge_rarity`, its newness to `*fresh`. */
static void touch(struct step *step, enum rv_edge_kind kind, uint64_t object, uint16_t *fresh)
{
    struct rv_process_slot *slot = step->slot;
    struct rv_edge edge = rv_edge(kind, slot->subject, object);
    struct rv_edge_seen seen;
    uint32_t rarity;

    if (slot->subject == 0)
        return;
    rarity = rv_learn_edge(step->features, slot, edge, PRIOR_Q4, &seen);
    if (rarity > slot->tally.edge_rarity_q4)
        slot->tally.edge_rarity_q4 = (uint16_t)rarity;
    if (fresh && seen.count == 0 && seen.total >= MATURE_EDGES && first_time(slot, edge.key))
        *fresh = plus_one(*fresh);
}

static void note_action(struct step *step, enum rv_action action)
{
    struct rv_process_slot *slot = step->slot;
    struct rv_edge edge = rv_edge(RV_EDGE_ACTION, slot->subject, (uint64_t)action + 1);
    struct rv_edge_seen seen;

    if (slot->core.kinds >> action & 1 || slot->subject == 0)
        return;
    (void)rv_learn_edge(step->features, slot, edge, PRIOR_Q4, &seen);
    if (seen.count == 0 && seen.total >= MATURE_KINDS)
        slot->tally.new_action = plus_one(slot->tally.new_action);
}

/* ---- Processes ---- */

static void inherit(struct rv_features *features, struct rv_process_slot *child,
                    struct rv_process_slot *parent)
{
    enum rv_program_kind kind = parent->pub.program->kind;

    rv_process_set_program(features, child, parent->program, parent->script);
    rv_process_set_workload(features, child, parent->workload);
    child->identity = parent->identity;
    child->identity.parent_rarity = child->identity.grandparent_rarity = 0;
    child->identity.parent_connects = 0;
    child->identity.parent_kind = (uint8_t)kind;
    child->starter_kind = parent->starter_kind;
    child->grandstarter_kind = parent->grandstarter_kind;
    child->subject = parent->subject;
    child->parent_subject = parent->parent_subject;
    child->grandparent_subject = parent->grandparent_subject;
    child->pub.inode = parent->pub.inode;
    child->pub.dev = parent->pub.dev;
    child->pub.uid = parent->pub.uid;
    child->pub.gid = parent->pub.gid;
    child->pub.euid = parent->pub.euid;
    child->pub.egid = parent->pub.egid;
    child->pub.file_uid = parent->pub.file_uid;
    child->pub.file_mode = parent->pub.file_mode;
    child->pub.exec_flags = parent->pub.exec_flags;
    child->pub.tty = parent->pub.tty;
    child->pub.session = parent->pub.session;
    memcpy(child->pub.comm, parent->pub.comm, sizeof(child->pub.comm));
}

/* What a child has from its parent whenever the two are first known to belong together. */
static void descend(struct rv_process_slot *child, const struct rv_process_slot *parent)
{
    enum rv_program_kind kind = parent->pub.program->kind;
    bool interprets = kind == RV_KIND_SHELL || kind == RV_KIND_LANGUAGE;

    child->ancestry = parent->ancestry;
    child->ancestry.depth = (uint8_t)rv_min_u64(parent->ancestry.depth + 1U, 255);
    child->ancestry.interpreters =
        (uint8_t)rv_min_u64((unsigned)parent->ancestry.interpreters + interprets, 255);
    if (child->ancestry.scratch > 0)
        child->ancestry.scratch--;
    if (parent->pub.program->path_class >= RV_PATH_SCRATCH ||
        (parent->pub.exec_flags & (RV_EXEC_F_MEMFD | RV_EXEC_F_DELETED)))
        child->ancestry.scratch = SCRATCH_GENERATIONS;
    child->ancestry.package |= kind == RV_KIND_PACKAGE;
    child->pub.remote_session |= parent->pub.remote_session;
    if (rv_process_starts_everything(&parent->pub))
        return;
    child->pub.tainted |= parent->pub.tainted;
    child->ancestry.risk = (uint16_t)parent->pub.risk_max;
    child->pub.risk_max = (uint32_t)rv_max_u64(child->pub.risk_max, parent->pub.risk_max);
}

static void take_fork(struct step *step)
{
    const struct rv_event_process_fork *fork = (const void *)step->event;
    struct rv_process_key key = { fork->child_start_boot_ns, fork->child_tgid };
    struct rv_process_slot *child = rv_process_find(step->features, key);
    bool snapshot = step->event->flags & RV_EVENT_F_SNAPSHOT;

    if (!snapshot)
        count(step, RV_ACTION_FORK, 0, 0);
    if (!child) {
        retire_namesake(step->features, key);
        child = rv_process_add(step->features, key, step->slot);
    }
    if (child == step->slot)
        return; /* hostile: its own child */
    child->spared = true;
    if (!child->pub.parent) {
        rv_process_adopt(step->features, child, step->slot);
        descend(child, step->slot);
    }
    if (child->pub.state == RV_PROCESS_ASSUMED)
        child->pub.state = RV_PROCESS_LIVE;
    child->pub.fork_boot_ns = fork->child_start_boot_ns;
    child->pub.pid_ns = fork->child_pid_ns;
    if (child->program == 0 && child->pub.exec_boot_ns == 0)
        inherit(step->features, child, step->slot);
    step->child = child;
}

/* The script that a shell or a language was given, when it looks like a file. */
static struct rv_span script_of(const struct rv_event_process_exec *exec, enum rv_program_kind kind,
                                struct rv_span argv, char *room, size_t room_len)
{
    struct rv_span script = rv_event_str(&exec->header, &exec->interpreter);
    struct rv_span cwd = rv_event_str(&exec->header, &exec->cwd);

    if (script.len == 0) {
        script = rv_argv_at(argv, 1);
        if ((kind != RV_KIND_SHELL && kind != RV_KIND_LANGUAGE) || script.len == 0 ||
            script.data[0] == '-' || memchr(script.data, ' ', script.len) ||
            (!memchr(script.data, '/', script.len) && !memchr(script.data, '.', script.len)))
            return rv_span(NULL, 0);
    }
    if (script.data[0] == '/' || cwd.len == 0 || cwd.len + 1 + script.len > room_len)
        return script;
    if (script.len > 2 && script.data[0] == '.' && script.data[1] == '/')
        script = rv_span(script.data + 2, script.len - 2);
    memcpy(room, cwd.data, cwd.len);
    room[cwd.len] = '/';
    memcpy(room + cwd.len + 1, script.data, script.len);
    return rv_span(room, cwd.len + 1 + script.len);
}

static bool hidden(struct rv_span path)
{
    for (size_t i = 0; i + 1 < path.len; i++) {
        if (path.data[i] == '/' && path.data[i + 1] == '.')
            return true;
    }
    return false;
}

static uint8_t file_age_log2(const struct rv_features *features, uint64_t ctime_ns)
{
    uint64_t ctime_s = ctime_ns / RV_NS_PER_S;
    uint32_t now_s = rv_features_unix_s(features);

    if (ctime_s == 0)
        return 40;
    return now_s > ctime_s ? (uint8_t)(rv_core_log2_q8(now_s - ctime_s) >> 8) : 0;
}

/* The program or, for an interpreter, the script: what edges and usual values belong to. */
static struct rv_program_slot *subject_of(struct rv_features *features,
                                          const struct rv_process_slot *slot)
{
    return &features->programs[slot->script ? slot->script : slot->program];
}

static void set_programs(struct step *step, const struct rv_event_process_exec *exec)
{
    struct rv_features *features = step->features;
    struct rv_span path = rv_event_str(step->event, &exec->path);
    struct rv_span argv = rv_event_str(step->event, &exec->argv);
    char room[RV_EVENT_PATH_MAX];
    uint32_t program = rv_program_intern(features, path), script;
    struct rv_span script_path =
        script_of(exec, features->programs[program].pub.kind, argv, room, sizeof(room));
    struct rv_program_slot *subject;

    features->programs[program].refs++; /* the script must not push it out */
    script = rv_program_intern(features, script_path);
    features->programs[program].refs--;
    rv_process_set_program(features, step->slot, program, script);
    subject = subject_of(features, step->slot);
    step->slot->subject = subject->pub.hash;
    if (subject->first_seen_s == 0)
        subject->first_seen_s = (uint32_t)rv_max_u64(rv_features_unix_s(features), 1);
    step->slot->identity.hidden = hidden(path) || hidden(script_path);
}

static void note_arguments(struct step *step, const struct rv_event_process_exec *exec)
{
    struct rv_identity *identity = &step->slot->identity;
    struct rv_argv_look look =
        rv_argv_look(rv_event_str(step->event, &exec->argv), exec->argv.true_len);
    struct rv_edge edge = rv_edge(RV_EDGE_SHAPE, step->slot->subject, look.shape);

    identity->argv_len = look.len;
    identity->argv_entropy = look.entropy_q4;
    identity->argv_meta = look.meta;
    identity->argv_b64_run = look.b64_run;
    identity->argv_net = look.net;
    identity->argv_rarity = (uint16_t)rv_learn_edge(step->features, step->slot, edge, PRIOR_Q4,
                                                    /* ret_seen= */ NULL);
}

/* Who started what. `parent`: the process that did, which is the process itself when it replaced
 * its program without a fork. */
static void note_descent(struct step *step, struct rv_process_slot *parent,
                         enum rv_program_kind parent_kind)
{
    struct rv_process_slot *slot = step->slot;
    enum rv_program_kind kind = slot->pub.program->kind;
    struct rv_edge edge = rv_edge(RV_EDGE_CHILD, slot->parent_subject, slot->subject);
    struct rv_edge_seen seen;

    slot->identity.parent_kind = (uint8_t)parent_kind;
    slot->identity.parent_connects =
        parent ? (uint8_t)rv_min_u64(parent->core.counts[RV_ACTION_CONNECT], 255) : 0;
    slot->identity.parent_rarity = slot->identity.grandparent_rarity = 0;
    if (slot->parent_subject == 0 || slot->subject == 0)
        return;
    slot->identity.parent_rarity = (uint16_t)rv_learn_edge(
        step->features, slot, edge, rv_kind_prior_q4(parent_kind, kind), &seen);
    if (parent && seen.count == 0 && seen.total >= MATURE_EDGES && first_time(parent, edge.key))
        parent->tally.new_child = plus_one(parent->tally.new_child);
    if (parent)
        rv_distinct_add(&parent->core.programs, slot->subject);
    if (slot->grandparent_subject == 0)
        return;
    edge = rv_edge(RV_EDGE_GRANDCHILD, slot->grandparent_subject, slot->subject);
    slot->identity.grandparent_rarity = (uint16_t)rv_learn_edge(
        step->features, slot, edge, rv_kind_prior_q4(slot->grandstarter_kind, kind),
        /* ret_seen= */ NULL);
}

static void note_workload(struct step *step, const struct rv_event_process_exec *exec)
{
    struct rv_process_slot *slot = step->slot;
    uint32_t workload = rv_workload_intern(step->features, rv_event_str(step->event, &exec->cgroup),
                                           step->event->cgroup_id);

    if (workload != 0)
        rv_process_set_workload(step->features, slot, workload);
    if (slot->workload != 0 && !slot->pub.workload->container && slot->subject != 0) {
        uint64_t unit = step->features->workloads[slot->workload].hash;
        struct rv_edge edge = rv_edge(RV_EDGE_UNIT, unit, slot->subject);
        uint32_t rarity = rv_learn_edge(step->features, slot, edge, PRIOR_Q4, /* ret_seen= */ NULL);

        slot->tally.edge_rarity_q4 = (uint16_t)rv_max_u64(slot->tally.edge_rarity_q4, rarity);
    }
}

static void note_exec(struct step *step, const struct rv_event_process_exec *exec)
{
    struct rv_process *pub = &step->slot->pub;

    pub->inode = exec->inode;
    pub->dev = exec->dev;
    pub->euid = exec->euid;
    pub->egid = exec->egid;
    pub->file_uid = exec->file_uid;
    pub->file_mode = exec->file_mode;
    pub->exec_flags = exec->exec_flags;
    pub->tty = exec->tty;
    pub->session = exec->session;
    if (pub->program->kind == RV_KIND_LOGIN) {
        struct rv_span path = rv_span(pub->program->path, pub->program->path_len);

        pub->remote_session |= memmem(path.data, path.len, "sshd", 4) != NULL ||
                               memmem(path.data, path.len, "dropbear", 8) != NULL ||
                               memmem(path.data, path.len, "telnetd", 7) != NULL;
    }
}

/* The parent by the event, for a process whose fork was not seen. */
static void find_parent(struct step *step, const struct rv_event_process_exec *exec)
{
    struct rv_process_key key = { exec->parent_start_boot_ns, exec->parent_tgid };
    struct rv_process_slot *parent;

    if (step->slot->pub.parent || key.tgid == 0 || key.tgid == step->slot->pub.key.tgid)
        return;
    parent = find_or_assume(step->features, key, step->slot);
    rv_process_adopt(step->features, step->slot, parent);
    if (!step->slot->pub.parent)
        return; /* refused: it would have closed a circle */
    descend(step->slot, parent);
    if (step->slot->subject == 0) {
        step->slot->subject = parent->subject;
        step->slot->starter_kind = parent->starter_kind;
        step->slot->parent_subject = parent->parent_subject;
    }
}

static void take_exec(struct step *step)
{
    const struct rv_event_process_exec *exec = (const void *)step->event;
    struct rv_process_slot *slot = step->slot;
    struct rv_process_slot *starter;
    enum rv_program_kind parent_kind;
    bool snapshot = step->event->flags & RV_EVENT_F_SNAPSHOT;
    bool in_place = slot->pub.exec_boot_ns != 0;

    find_parent(step, exec);
    if (snapshot && in_place)
        return; /* the scan was slower than the stream: what we know is newer */
    starter = in_place           ? slot
              : slot->pub.parent ? rv_process_slot_of(step->features, slot->pub.parent)
                                 : NULL;
    parent_kind = in_place || !starter ? slot->pub.program->kind : starter->pub.program->kind;
    if (in_place)
        rv_learn_usual(step->features, slot);
    slot->grandparent_subject = slot->parent_subject;
    slot->parent_subject = slot->subject;
    slot->grandstarter_kind = slot->starter_kind;
    slot->starter_kind = (uint8_t)parent_kind;

    set_programs(step, exec);
    note_exec(step, exec);
    slot->pub.exec_boot_ns = snapshot ? slot->pub.key.start_boot_ns : step->event->time_boot_ns;
    slot->rolled_ns = step->features->now_ns;
    if (!snapshot) {
        note_action(step, RV_ACTION_EXEC);
        count(step, RV_ACTION_EXEC, slot->subject, 0);
        step->grown = true; /* a new program is always worth a verdict */
    }
    slot->identity.file_age = file_age_log2(step->features, exec->ctime_ns);
    slot->identity.runs_q4 =
        rv_core_log2_q8(1 + subject_of(step->features, slot)->runs / RV_EDGE_STEP) >> 4;
    note_arguments(step, exec);
    note_descent(step, starter, parent_kind);
    note_workload(step, exec);
    if (!slot->pub.tainted && subject_of(step->features, slot)->runs < UINT32_MAX - RV_EDGE_STEP)
        subject_of(step->features, slot)->runs += RV_EDGE_STEP;
}

static void take_exit(struct step *step)
{
    rv_learn_pending(step->features, step->slot);
    rv_learn_usual(step->features, step->slot);
    rv_process_retire(step->features, step->slot);
}

static void take_cred(struct step *step)
{
    const struct rv_event_process_cred *cred = (const void *)step->event;

    note_action(step, RV_ACTION_CRED);
    step->slot->pub.uid = cred->new_uid;
    step->slot->pub.euid = cred->new_euid;
    step->slot->pub.egid = cred->new_egid;
    step->slot->gained_caps |= cred->new_caps & ~cred->old_caps;
    count(step, RV_ACTION_CRED, 0, 0);
}

static void take_ptrace(struct step *step)
{
    note_action(step, RV_ACTION_PTRACE);
    count(step, RV_ACTION_PTRACE, 0, 0);
}

static void take_signal(struct step *step)
{
    note_action(step, RV_ACTION_SIGNAL);
    count(step, RV_ACTION_SIGNAL, 0, 0);
}

static void take_memory(struct step *step)
{
    note_action(step, RV_ACTION_MEMORY_EXEC);
    count(step, RV_ACTION_MEMORY_EXEC, 0, 0);
}

/* ---- Files ---- */

/* The first components of a directory: three, one in a scratch folder, so that names made up for
 * one run do not look new each time. */
static uint64_t place_of(struct rv_span path)
{
    unsigned parts = rv_path_class(path) == RV_PATH_SCRATCH ? 1 : 3;
    const uint8_t *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;
    size_t len = 0, dir_len = slash ? (size_t)(slash - path.data) : 0;

    for (len = 0; len < dir_len; len++) {
        if (path.data[len] == '/' && parts-- == 0)
            break;
    }
    return rv_name_hash(rv_span(path.data, len));
}

static void touch_directory(struct step *step, struct rv_span path, uint64_t dir)
{
    struct rv_process_slot *slot = step->slot;

    if (dir == slot->last_dir)
        return;
    slot->last_dir = dir;
    touch(step, RV_EDGE_DIR, place_of(path), &slot->tally.new_dir);
}

/* The same strange extension given again and again counts; a different one each time (temporary
 * names) does not. */
static void note_extension(struct step *step, struct rv_span ext)
{
    struct rv_process_slot *slot = step->slot;
    uint32_t hash;
    struct rv_edge edge;

    if (!rv_ext_plausible(ext))
        return;
    hash = rv_ext_hash(ext);
    if (rv_ext_known(&step->features->exts, hash))
        return;
    edge = rv_edge(RV_EDGE_EXT, 1, hash);
    if (hash != slot->strange_ext) {
        struct rv_edge_seen seen;

        (void)rv_learn_edge(step->features, slot, edge, PRIOR_Q4, &seen);
        if (seen.count >= EXT_COMMON)
            return;
        if (slot->tally.strange_ext > 1)
            return; /* busy with another one */
        slot->strange_ext = hash;
        slot->tally.strange_ext = 0;
    }
    slot->tally.strange_ext = plus_one(slot->tally.strange_ext);
}

static void note_made(struct rv_process_slot *slot, const struct rv_path_look *look)
{
    unsigned at = slot->recent_at++ % RV_RECENT_MAX;

    slot->recent_file[at] = (uint32_t)look->file;
    slot->recent_stem[at] = (uint32_t)look->stem;
    (void)first_time(slot, look->file);
}

/* A stand-in: made lately, named like this file with an extension added or changed. */
static bool has_stand_in(const struct rv_process_slot *slot, const struct rv_path_look *look)
{
    for (unsigned i = 0; i < RV_RECENT_MAX; i++) {
        if (slot->recent_file[i] == 0 || slot->recent_file[i] == (uint32_t)look->file)
            continue;
        if (slot->recent_stem[i] == (uint32_t)look->file ||
            slot->recent_stem[i] == (uint32_t)look->stem)
            return true;
    }
    return false;
}

static void note_place(struct rv_process_slot *slot, struct rv_span path)
{
    if (rv_path_persists(path))
        slot->tally.persist_writes = plus_one(slot->tally.persist_writes);
}

static void note_wipe(struct rv_process_slot *slot, struct rv_span path)
{
    if (rv_path_is_log(path))
        slot->tally.log_wipes = plus_one(slot->tally.log_wipes);
}

static void take_open(struct step *step)
{
    const struct rv_event_file_open *open = (const void *)step->event;
    struct rv_span path = rv_event_str(step->event, &open->path);
    struct rv_path_look look = rv_path_look(path);
    struct rv_process_slot *slot = step->slot;
    enum rv_action action = RV_ACTION_WATCHED_READ;

    if (open->access & RV_ACCESS_CREATE)
        action = RV_ACTION_CREATE;
    else if (open->access & (RV_ACCESS_WRITE | RV_ACCESS_TRUNC | RV_ACCESS_APPEND))
        action = RV_ACTION_OPEN_WRITE;
    note_action(step, action);
    count(step, action, look.file, look.dir);
    if (action == RV_ACTION_WATCHED_READ || !look.ordinary)
        return;
    touch_directory(step, path, look.dir);
    note_place(slot, path);
    if (action == RV_ACTION_CREATE) {
        note_extension(step, look.ext);
        note_made(slot, &look);
        return;
    }
    if (open->access & RV_ACCESS_TRUNC)
        note_wipe(slot, path);
    if (!(open->access & RV_ACCESS_APPEND) && !seen_before(slot, look.file))
        slot->tally.foreign_writes = plus_one(slot->tally.foreign_writes);
}

static void take_rename(struct step *step)
{
    const struct rv_event_file_rename *rename = (const void *)step->event;
    struct rv_span path = rv_event_str(step->event, &rename->path);
    struct rv_span new_path = rv_event_str(step->event, &rename->new_path);
    struct rv_path_look look = rv_path_look(path), new_look = rv_path_look(new_path);
    struct rv_process_slot *slot = step->slot;

    note_action(step, RV_ACTION_RENAME);
    count(step, RV_ACTION_RENAME, look.file, look.dir);
    touch_directory(step, new_path, new_look.dir);
    note_place(slot, new_path);
    note_wipe(slot, path);
    if (seen_before(slot, look.file))
        return; /* its own temporary file gets its final name */
    note_extension(step, new_look.ext);
    if (!rv_span_eq(look.ext, new_look.ext))
        slot->tally.ext_changes = plus_one(slot->tally.ext_changes);
    if (has_stand_in(slot, &look))
        slot->tally.replaced = plus_one(slot->tally.replaced);
}

static void take_unlink(struct step *step)
{
    const struct rv_event_file_unlink *unlink = (const void *)step->event;
    struct rv_span path = rv_event_str(step->event, &unlink->path);
    struct rv_path_look look = rv_path_look(path);
    struct rv_process_slot *slot = step->slot;

    note_action(step, RV_ACTION_UNLINK);
    count(step, RV_ACTION_UNLINK, look.file, look.dir);
    touch_directory(step, path, look.dir);
    note_wipe(slot, path);
    if (!seen_before(slot, look.file) && has_stand_in(slot, &look))
        slot->tally.replaced = plus_one(slot->tally.replaced);
}

static void take_link(struct step *step)
{
    const struct rv_event_file_link *link = (const void *)step->event;

    note_action(step, RV_ACTION_LINK);
    count(step, RV_ACTION_LINK, 0, 0);
    note_place(step->slot, rv_event_str(step->event, &link->new_path));
}

static void take_attr(struct step *step)
{
    note_action(step, RV_ACTION_ATTR);
    count(step, RV_ACTION_ATTR, 0, 0);
}

static void take_truncate(struct step *step)
{
    const struct rv_event_file_truncate *truncate = (const void *)step->event;
    struct rv_span path = rv_event_str(step->event, &truncate->path);

    note_action(step, RV_ACTION_TRUNCATE);
    count(step, RV_ACTION_TRUNCATE, 0, 0);
    note_wipe(step->slot, path);
    note_place(step->slot, path);
}

/* ---- Network, kernel ---- */

static void take_connect(struct step *step)
{
    const struct rv_event_net_socket *net = (const void *)step->event;
    bool v4 = net->family == AF_INET;
    struct rv_process_slot *slot = step->slot;
    uint64_t address = rv_name_hash(rv_span(net->addr.bytes, v4 ? 4 : 16));
    uint64_t network = rv_name_hash(rv_span(net->addr.bytes, v4 ? 3 : 6));

    if (!v4 && net->family != AF_INET6)
        return; /* local sockets are how programs talk to their own host */
    note_action(step, RV_ACTION_CONNECT);
    count(step, RV_ACTION_CONNECT, address, net->port);
    touch(step, RV_EDGE_NET, network, &slot->tally.new_net);
    touch(step, RV_EDGE_PORT, net->port, &slot->tally.new_port);
}

static void take_accept(struct step *step)
{
    const struct rv_event_net_socket *net = (const void *)step->event;

    if (net->family != AF_INET && net->family != AF_INET6)
        return;
    note_action(step, RV_ACTION_ACCEPT);
    count(step, RV_ACTION_ACCEPT, 0, 0);
    step->slot->pub.serves_network = true;
}

static void take_bind(struct step *step)
{
    const struct rv_event_net_socket *net = (const void *)step->event;

    if (net->family != AF_INET && net->family != AF_INET6)
        return;
    note_action(step, RV_ACTION_BIND);
    count(step, RV_ACTION_BIND, 0, 0);
    if (step->event->type == RV_EVENT_NET_LISTEN)
        step->slot->pub.serves_network = true;
}

static void take_kernel(struct step *step)
{
    note_action(step, RV_ACTION_KERNEL_LOAD);
    count(step, RV_ACTION_KERNEL_LOAD, 0, 0);
}

static void take_mount(struct step *step)
{
    note_action(step, RV_ACTION_MOUNT);
    count(step, RV_ACTION_MOUNT, 0, 0);
}

/* Kinds of namespace, each a CLONE_NEW* bit. */
static const uint64_t namespace_bits[8] = {
    0x00000080, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
};

static void take_namespace(struct step *step)
{
    const struct rv_event_namespace *namespace = (const void *)step->event;

    for (unsigned i = 0; i < RV_COUNT(namespace_bits); i++) {
        if (namespace->namespaces & namespace_bits[i])
            step->slot->namespaces |= (uint8_t)(1U << i);
    }
    take_mount(step);
}

static void take_syscalls(struct step *step)
{
    const struct rv_event_syscalls *batch = (const void *)step->event;
    struct rv_span calls = rv_event_str(step->event, &batch->calls);
    struct rv_process_slot *slot = step->slot;
    struct rv_thread *thread = rv_thread_of(step->features, slot, step->event->tid);
    uint32_t class = RV_KIND_COUNT_ + (uint32_t)slot->pub.program->kind;

    if (!thread->deep)
        *thread = (struct rv_thread){ .deep = 1 };
    for (size_t i = 0; i + 2 <= calls.len; i += 2) {
        uint32_t call = calls.data[i] | (uint32_t)calls.data[i + 1] << 8;
        uint32_t symbol = (uint32_t)rv_min_u64(RV_SYMBOL_SYSCALL + call, RV_SYMBOL_MASK);
        struct rv_core_normal normal = rv_learn_normal(step->features, class);
        bool whole = thread->depth == 2;
        uint64_t missing =
            rv_core_sequence(&slot->core, thread, &step->features->bloom, &normal, symbol);

        if (whole)
            rv_learn_triple(step->features, slot, class, missing);
    }
    step->counted = true;
}

/** Whose it is, and nothing else: no feature counts it. */
static void take_race(struct step *step)
{
    (void)step;
}

/* ---- Dispatch ---- */

static void (*const takers[RV_EVENT_TYPE_END_])(struct step *step) = {
    [RV_EVENT_PROCESS_FORK] = take_fork,     [RV_EVENT_PROCESS_EXEC] = take_exec,
    [RV_EVENT_PROCESS_EXIT] = take_exit,     [RV_EVENT_PROCESS_CRED] = take_cred,
    [RV_EVENT_PROCESS_PTRACE] = take_ptrace, [RV_EVENT_PROCESS_SIGNAL] = take_signal,
    [RV_EVENT_MEMORY_EXEC] = take_memory,    [RV_EVENT_PROCESS_RACE] = take_race,
    [RV_EVENT_FILE_OPEN] = take_open,        [RV_EVENT_FILE_RENAME] = take_rename,
    [RV_EVENT_FILE_UNLINK] = take_unlink,    [RV_EVENT_FILE_LINK] = take_link,
    [RV_EVENT_FILE_ATTR] = take_attr,        [RV_EVENT_FILE_TRUNCATE] = take_truncate,
    [RV_EVENT_NET_CONNECT] = take_connect,   [RV_EVENT_NET_ACCEPT] = take_accept,
    [RV_EVENT_NET_BIND] = take_bind,         [RV_EVENT_NET_LISTEN] = take_bind,
    [RV_EVENT_KERNEL_MODULE] = take_kernel,  [RV_EVENT_KERNEL_BPF] = take_kernel,
    [RV_EVENT_KERNEL_KEXEC] = take_kernel,   [RV_EVENT_MOUNT] = take_mount,
    [RV_EVENT_NAMESPACE] = take_namespace,   [RV_EVENT_SYSCALLS] = take_syscalls,
}; /* loss and tamper change no process */

static void note_time(struct rv_features *features, const struct rv_event *event)
{
    uint32_t week;

    features->counters.events++;
    features->now_ns = rv_max_u64(features->now_ns, event->time_boot_ns);
    week = rv_features_unix_s(features) / WEEK_S;
    if (features->week == 0)
        features->week = week;
    for (unsigned i = 0; features->week < week && i < 16; i++, features->week++)
        rv_learn_fade(features);
    features->week = week;
}

static void note_verdict_due(struct step *step, struct rv_features_change *change)
{
    struct rv_process_slot *slot = step->slot;
    uint64_t now_ns = step->features->now_ns;

    if (!step->counted || (!step->grown && now_ns - slot->scored_ns < RESCORE_NS))
        return;
    slot->scored_ns = now_ns;
    change->due = RV_SCORE_DUE;
}

void rv_features_update(struct rv_features *features, const struct rv_event *event,
                        struct rv_features_change *ret_change)
{
    void (*take)(struct step * step) = takers[event->type];
    struct step step = { .features = features, .event = event };

    *ret_change = (struct rv_features_change){ 0 };
    note_time(features, event);
    if (!take)
        return;
    step.slot = actor(features, event);
    take(&step);
    if (step.slot->rolled_ns == 0)
        step.slot->rolled_ns = features->now_ns;
    else if (features->now_ns - step.slot->rolled_ns > ROLL_NS)
        rv_learn_usual(features, step.slot);
    ret_change->process = &step.slot->pub;
    ret_change->child = step.child ? &step.child->pub : NULL;
    note_verdict_due(&step, ret_change);
}
