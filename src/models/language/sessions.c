/* SPDX-License-Identifier: Apache-2.0 */
#include "language_private.h"

#include "task/tail.h"

#include <math.h>

#define WAYS            4U
#define SETS            1024U
#define GENERATIONS_MAX 64U
#define USUAL_ONE_IN    10.0  /* vectors as rare as that are no evidence */
#define FORGET_SHIFT    3     /* an account forgets 1/8 with each symbol */
#define NEWS_Q16        65536 /* a session speaks again when it is a nat higher than it was */
#define FADE_SHIFT      12    /* what it must exceed to speak again fades by 1/4096 */
_Static_assert(RV_LANGUAGE_WINDOW == 1U << FORGET_SHIFT, "reasons name what an account remembers");

struct session {
    uint64_t key; /* 0: free */
    uint64_t used;
    int64_t account_q16;
    int64_t fresh_q16; /* its highest since a verdict was due */
    int64_t spoke_q16; /* its highest when it spoke */
    struct rv_text_place place;
    struct rv_said recent[RV_LANGUAGE_WINDOW], fresh[RV_LANGUAGE_WINDOW]; /* latest first */
    uint32_t heard;                                                       /* symbols */
    uint8_t recent_count, fresh_count;
};

struct rv_sessions {
    const struct rv_language *language;
    uint64_t now; /* symbols */
    struct session sets[SETS][WAYS];
};

int rv_sessions_new(struct rv_sessions **ret_sessions, const struct rv_language *language)
{
    struct rv_sessions *sessions = calloc(1, sizeof(*sessions));

    if (!sessions)
        return -ENOMEM;
    sessions->language = language;
    *ret_sessions = sessions;
    return 0;
}

void rv_sessions_free(struct rv_sessions **sessions)
{
    free(*sessions);
    *sessions = NULL;
}

size_t rv_sessions_memory(void)
{
    return sizeof(struct rv_sessions);
}

/* ---- Which session ---- */

/** What it starts are sessions of their own: it serves many who have nothing to do with each other.
 */
static bool begins_sessions(const struct rv_process *process)
{
    enum rv_program_kind kind = process->program->kind;

    return process->key.tgid == 1 || process->program->path_len == 0 || kind == RV_KIND_SERVICE ||
           kind == RV_KIND_LOGIN || kind == RV_KIND_SERVER;
}

static uint64_t key_of(const struct rv_process *process, uint64_t salt)
{
    return rv_mix64(process->key.start_boot_ns ^ rv_mix64(process->key.tgid ^ salt << 32)) | 1;
}

static const struct rv_process *root_of(const struct rv_process *process)
{
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        if (!process->parent || begins_sessions(process->parent))
            break;
        process = process->parent;
    }
    return process;
}

uint64_t rv_session_key(const struct rv_process *process)
{
    return key_of(root_of(process), 0);
}

uint64_t rv_session_key_of_thread(const struct rv_process *process, uint32_t tid)
{
    return key_of(process, (uint64_t)tid + 1);
}

static struct session *find(const struct rv_sessions *sessions, uint64_t key)
{
    const struct session *set = sessions->sets[(key >> 1) % SETS];

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return (struct session *)(uintptr_t)&set[i];
    }
    return NULL;
}

/** Makes one, in the place of the one that was silent longest. */
static struct session *session_of(struct rv_sessions *sessions, uint64_t key)
{
    struct session *set = sessions->sets[(key >> 1) % SETS], *oldest = &set[0];

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    *oldest = (struct session){ .key = key };
    return oldest;
}

/* ---- Hearing ---- */

static void keep_highest(struct session *session)
{
    if (session->account_q16 <= session->fresh_q16)
        return;
    session->fresh_q16 = session->account_q16;
    session->fresh_count = session->recent_count;
    memcpy(session->fresh, session->recent, sizeof(session->fresh));
}

static void note(struct session *session, const struct rv_said *said)
{
    memmove(&session->recent[1], &session->recent[0],
            sizeof(session->recent) - sizeof(session->recent[0]));
    session->recent[0] = *said;
    session->recent[0].at = ++session->heard;
    if (session->recent_count < RV_LANGUAGE_WINDOW)
        session->recent_count++;
    session->account_q16 += said->evidence_q16 - (session->account_q16 >> FORGET_SHIFT);
    session->spoke_q16 -= session->spoke_q16 >> FADE_SHIFT;
    keep_highest(session);
}

static void add_vector(struct session *session, int32_t vector_q16)
{
    if (session->recent_count == 0)
        return;
    session->account_q16 += vector_q16;
    session->recent[0].vector_q16 += vector_q16;
    keep_highest(session);
}

void rv_sessions_put(struct rv_sessions *sessions, const struct rv_utterance *utterance)
{
    struct session *session = session_of(sessions, utterance->session);
    struct rv_said said;

    if (utterance->symbol >= RV_SYMBOL_END)
        return;
    session->used = ++sessions->now;
    rv_language_judge(sessions->language, &session->place, utterance->kind, utterance->symbol,
                      &said);
    rv_language_move(&session->place, utterance->symbol);
    note(session, &said);
}

static void hear_calls(struct rv_sessions *sessions, const struct rv_event *event,
                       const struct rv_process *process)
{
    const struct rv_event_syscalls *batch = (const void *)event;
    struct rv_span calls = rv_event_str(event, &batch->calls);
    struct rv_utterance utterance = {
        .session = rv_session_key_of_thread(process, event->tid),
        .kind = (uint8_t)process->program->kind,
    };

    for (size_t i = 0; i + 2 <= calls.len; i += 2) {
        utterance.symbol = rv_symbol_of_call(calls.data[i] | (uint32_t)calls.data[i + 1] << 8);
        rv_sessions_put(sessions, &utterance);
    }
}

void rv_sessions_hear(struct rv_sessions *sessions, const struct rv_event *event,
                      const struct rv_process *process)
{
    struct rv_utterance utterance = { .symbol = rv_symbol_of(event, process) };
    struct session *session;

    if (event->type == RV_EVENT_SYSCALLS)
        hear_calls(sessions, event, process);
    if (event->type == RV_EVENT_PROCESS_EXIT) {
        session = find(sessions, rv_session_key_of_thread(process, event->tid));
        if (session)
            *session = (struct session){ 0 };
        session = process->children == 0 ? find(sessions, key_of(process, 0)) : NULL;
        if (session)
            *session = (struct session){ 0 };
    }
    if (utterance.symbol == RV_SYMBOL_NONE)
        return;
    utterance.session = rv_session_key(process);
    utterance.kind = (uint8_t)process->program->kind;
    rv_sessions_put(sessions, &utterance);
}

/* ---- Speaking ---- */

int32_t rv_session_evidence_q16(struct rv_p_value p)
{
    double nats = p.above > 0 ? log((double)p.of / (double)p.above) - log(USUAL_ONE_IN) : 0;

    return nats > 0 ? (int32_t)rv_score_q16(nats) : 0;
}

static int64_t news_of(const struct session *session)
{
    return session->fresh_q16 > session->spoke_q16 + NEWS_Q16 ? session->fresh_q16 : 0;
}

/** The session as it is once the verdict has added its vector; all zero when there is none. */
static struct session with_vector(const struct session *session, int32_t vector_q16)
{
    struct session copy = { 0 };

    if (session) {
        copy = *session;
        add_vector(&copy, vector_q16);
    }
    return copy;
}

void rv_sessions_score(const struct rv_sessions *sessions, const struct rv_session_asked *asked,
                       struct rv_session_score *ret_score)
{
    struct session session =
        with_vector(find(sessions, rv_session_key(asked->process)), asked->vector_q16);
    const struct session *calls =
        find(sessions, rv_session_key_of_thread(asked->process, asked->tid));

    if (calls && news_of(calls) > news_of(&session))
        session = *calls;
    *ret_score = (struct rv_session_score){ .raw_q16 = news_of(&session) };
    if (ret_score->raw_q16 == 0)
        return;
    ret_score->count = session.fresh_count;
    for (unsigned i = 0; i < session.fresh_count; i++)
        ret_score->said[i] = session.fresh[session.fresh_count - 1 - i];
}

static void spoke(struct session *session)
{
    if (session->fresh_q16 > session->spoke_q16)
        session->spoke_q16 = session->fresh_q16;
    session->fresh_q16 = 0;
    session->fresh_count = 0;
}

int64_t rv_sessions_speak_q16(struct rv_sessions *sessions, uint64_t key, int32_t vector_q16)
{
    struct session *session = find(sessions, key);
    int64_t raw_q16;

    if (!session)
        return 0;
    add_vector(session, vector_q16);
    raw_q16 = news_of(session);
    spoke(session);
    return raw_q16;
}

void rv_sessions_spoke(struct rv_sessions *sessions, const struct rv_session_asked *asked)
{
    (void)rv_sessions_speak_q16(sessions, rv_session_key(asked->process), asked->vector_q16);
    (void)rv_sessions_speak_q16(sessions, rv_session_key_of_thread(asked->process, asked->tid), 0);
}

/* ---- In words ---- */

static int64_t weight_of(const struct rv_said *said)
{
    return (int64_t)said->evidence_q16 + said->vector_q16;
}

/** The weightiest that was not told yet, nor another of the same symbol. NULL: none is left. */
static const struct rv_said *next_told(const struct rv_session_score *score, bool *told)
{
    const struct rv_said *best = NULL;

    for (unsigned i = 0; i < score->count; i++) {
        bool again = told[i] || weight_of(&score->said[i]) <= 0;

        for (unsigned k = 0; k < score->count && !again; k++)
            again = told[k] && score->said[k].symbol == score->said[i].symbol;
        if (!again && (!best || weight_of(&score->said[i]) > weight_of(best)))
            best = &score->said[i];
    }
    if (best)
        told[best - score->said] = true;
    return best;
}

void rv_session_words(struct rv_buf *buf, const struct rv_session_score *score, size_t most)
{
    bool told[RV_LANGUAGE_WINDOW] = { false };

    for (size_t n = 0; n < most; n++) {
        const struct rv_said *said = next_told(score, told);

        if (!said)
            return;
        rv_buf_add_str(buf, n > 0 ? ", " : "");
        rv_symbol_words(buf, said->symbol);
        if (said->unseen)
            rv_buf_add_str(buf, " (never seen there)");
        if (said->vector_q16 > said->evidence_q16)
            rv_buf_add_str(buf, " (unusual by itself)");
    }
}
