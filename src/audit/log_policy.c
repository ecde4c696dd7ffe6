/* SPDX-License-Identifier: Apache-2.0 */
/* C2SP tlog-policy: which logs, which witnesses, and how many of them are enough. */
#include "audit/witness.h"

#include <stdio.h>

#define NAME_MAX_LEN ((size_t)127)
#define WORDS_MAX    (RV_POLICY_MEMBERS_MAX + 4)
#define AHEAD_S_MAX  ((uint64_t)300)

struct member {
    char name[NAME_MAX_LEN + 1];
    bool is_group, grouped; /* grouped: already a member of a group */
    struct rv_policy_witness witness;
    uint64_t of; /* a group's members, as bits */
    unsigned threshold;
};

struct rv_log_policy {
    struct rv_note_key logs[RV_POLICY_LOGS_MAX];
    size_t log_count;
    struct member members[RV_POLICY_MEMBERS_MAX];
    size_t member_count;
    bool quorum_set;
    size_t quorum; /* index of a member; RV_POLICY_MEMBERS_MAX: none is needed */
};

struct words {
    size_t count;
    struct rv_span word[WORDS_MAX];
};

void rv_log_policy_free(struct rv_log_policy **policy)
{
    free(*policy);
    *policy = NULL;
}

static int split_words(struct words *ret_words, struct rv_span line)
{
    size_t at = 0;

    ret_words->count = 0;
    while (at < line.len) {
        size_t from;

        while (at < line.len && (line.data[at] == ' ' || line.data[at] == '\t'))
            at++;
        from = at;
        while (at < line.len && line.data[at] != ' ' && line.data[at] != '\t') {
            if (line.data[at] < 0x20 || line.data[at] == 0x7f)
                return -EBADMSG;
            at++;
        }
        if (at == from)
            break;
        if (ret_words->count == WORDS_MAX)
            return -EBADMSG;
        ret_words->word[ret_words->count++] = rv_span(line.data + from, at - from);
    }
    return 0;
}

static size_t find_member(const struct rv_log_policy *policy, struct rv_span name)
{
    size_t i;

    for (i = 0; i < policy->member_count; i++) {
        if (rv_span_eq(rv_span_str(policy->members[i].name), name))
            break;
    }
    return i;
}

/** A new witness or group; its name must be free. NULL: malformed or too many. */
static struct member *add_member(struct rv_log_policy *policy, struct rv_span name)
{
    struct member *member;

    if (policy->member_count == RV_POLICY_MEMBERS_MAX || name.len == 0 || name.len > NAME_MAX_LEN ||
        rv_span_eq(name, rv_span_str("none")) || find_member(policy, name) < policy->member_count)
        return NULL;
    member = &policy->members[policy->member_count];
    memcpy(member->name, name.data, name.len);
    return member; /* counted by the caller, once it is whole */
}

static bool same_public_key(const struct rv_note_key *a, const struct rv_note_key *b)
{
    return memcmp(a->public_key, b->public_key, sizeof(a->public_key)) == 0;
}

static int parse_log(struct rv_log_policy *policy, const struct words *words)
{
    struct rv_note_key *key = &policy->logs[policy->log_count];

    if (words->count < 2 || words->count > 3 || policy->log_count == RV_POLICY_LOGS_MAX ||
        rv_note_key_parse(key, words->word[1]) < 0 || key->algorithm != RV_NOTE_ED25519)
        return -EBADMSG;
    for (size_t i = 0; i < policy->log_count; i++) {
        if (same_public_key(key, &policy->logs[i]))
            return -EBADMSG;
    }
    policy->log_count++;
    return 0;
}

static int parse_witness(struct rv_log_policy *policy, const struct words *words)
{
    struct member *member = words->count > 1 ? add_member(policy, words->word[1]) : NULL;
    struct rv_span url = words->count > 3 ? words->word[3] : rv_span("", 0);

    if (!member || words->count < 3 || words->count > 4 || url.len >= sizeof(member->witness.url) ||
        rv_note_key_parse(&member->witness.key, words->word[2]) < 0 ||
        member->witness.key.algorithm != RV_NOTE_COSIGNATURE)
        return -EBADMSG;
    for (size_t i = 0; i < policy->member_count; i++) {
        if (!policy->members[i].is_group &&
            same_public_key(&policy->members[i].witness.key, &member->witness.key))
            return -EBADMSG;
    }
    memcpy(member->witness.url, url.data, url.len);
    policy->member_count++;
    return 0;
}

static int parse_threshold(struct rv_span word, size_t members, unsigned *ret_threshold)
{
    uint64_t number = 0;

    if (rv_span_eq(word, rv_span_str("any")))
        number = 1;
    else if (rv_span_eq(word, rv_span_str("all")))
        number = members;
    else if (rv_size_parse(&number, word) < 0)
        return -EBADMSG;
    if (number < 1 || number > members)
        return -EBADMSG;
    *ret_threshold = (unsigned)number;
    return 0;
}

static int parse_group(struct rv_log_policy *policy, const struct words *words)
{
    struct member *group = words->count > 3 ? add_member(policy, words->word[1]) : NULL;

    if (!group || parse_threshold(words->word[2], words->count - 3, &group->threshold) < 0)
        return -EBADMSG;
    for (size_t i = 3; i < words->count; i++) {
        size_t at = find_member(policy, words->word[i]);

        if (at == policy->member_count || policy->members[at].grouped)
            return -EBADMSG;
        policy->members[at].grouped = true;
        group->of |= (uint64_t)1 << at;
    }
    group->is_group = true;
    policy->member_count++;
    return 0;
}

static int parse_quorum(struct rv_log_policy *policy, const struct words *words)
{
    if (words->count != 2 || policy->quorum_set)
        return -EBADMSG;
    policy->quorum_set = true;
    policy->quorum = RV_POLICY_MEMBERS_MAX;
    if (rv_span_eq(words->word[1], rv_span_str("none")))
        return 0;
    policy->quorum = find_member(policy, words->word[1]);
    return policy->quorum < policy->member_count ? 0 : -EBADMSG;
}

static int parse_line(struct rv_log_policy *policy, struct rv_span line)
{
    static const struct {
        const char *word;
        int (*parse)(struct rv_log_policy *policy, const struct words *words);
    } kinds[] = {
        { "log", parse_log },
        { "witness", parse_witness },
        { "group", parse_group },
        { "quorum", parse_quorum },
    };
    struct words words;

    if (split_words(&words, line) < 0)
        return -EBADMSG;
    if (words.count == 0 || words.word[0].data[0] == '#')
        return 0;
    for (size_t i = 0; i < RV_COUNT(kinds); i++) {
        if (rv_span_eq(words.word[0], rv_span_str(kinds[i].word)))
            return kinds[i].parse(policy, &words);
    }
    return -EBADMSG;
}

int rv_log_policy_parse(struct rv_log_policy **ret_policy, struct rv_span text,
                        unsigned *reterr_line)
{
    RV_AUTO(rv_log_policy_free) struct rv_log_policy *policy = calloc(1, sizeof(*policy));
    struct rv_span line;

    if (!policy)
        return -ENOMEM;
    *reterr_line = 0;
    if (text.len > RV_POLICY_LEN_MAX)
        return -EBADMSG;
    while (text.len > 0) {
        ++*reterr_line;
        if (rv_line_take(&text, &line) < 0 || parse_line(policy, line) < 0)
            return -EBADMSG;
    }
    if (!policy->quorum_set)
        return -EBADMSG;
    *ret_policy = RV_TAKE(policy);
    return 0;
}

size_t rv_log_policy_logs(const struct rv_log_policy *policy, const struct rv_note_key **ret_keys)
{
    *ret_keys = policy->logs;
    return policy->log_count;
}

size_t rv_log_policy_witness_count(const struct rv_log_policy *policy)
{
    size_t count = 0;

    for (size_t i = 0; i < policy->member_count; i++)
        count += policy->members[i].is_group ? 0 : 1;
    return count;
}

const struct rv_policy_witness *rv_log_policy_witness(const struct rv_log_policy *policy,
                                                      size_t index)
{
    for (size_t i = 0; i < policy->member_count; i++) {
        if (!policy->members[i].is_group && index-- == 0)
            return &policy->members[i].witness;
    }
    return NULL;
}

/* ---- Judging ---- */

static bool from_the_future(const struct rv_note_signature *signature, uint64_t unix_s)
{
    struct rv_reader reader = rv_reader(rv_span(signature->blob, 8));

    return rv_read_be64(&reader) > unix_s + AHEAD_S_MAX;
}

/** Did this witness cosign? Wrong or future cosignatures count as none. */
static bool cosigned(const struct rv_note *note, struct rv_note *one, const struct rv_note_key *key,
                     uint64_t unix_s)
{
    one->text = note->text;
    one->signature_count = 1;
    for (size_t i = 0; i < note->signature_count; i++) {
        one->signatures[0] = note->signatures[i];
        if (rv_note_check(one, key, 1, NULL) == RV_NOTE_GOOD &&
            !from_the_future(&note->signatures[i], unix_s))
            return true;
    }
    return false;
}

/** Members are defined before they are used, so one walk in order settles all. */
static bool quorum_reached(const struct rv_log_policy *policy, const struct rv_note *note,
                           struct rv_note *one, uint64_t unix_s)
{
    uint64_t witnessed = 0;

    if (policy->quorum == RV_POLICY_MEMBERS_MAX)
        return true;
    for (size_t i = 0; i < policy->member_count; i++) {
        const struct member *member = &policy->members[i];
        bool yes = member->is_group
                       ? (unsigned)__builtin_popcountll(member->of & witnessed) >= member->threshold
                       : cosigned(note, one, &member->witness.key, unix_s);

        witnessed |= (uint64_t)yes << i;
    }
    return witnessed >> policy->quorum & 1;
}

int rv_log_policy_judge(const struct rv_log_policy *policy, struct rv_span note_bytes,
                        const struct rv_note_key *log_keys, size_t log_key_count, uint64_t unix_s,
                        enum rv_quorum *ret_quorum, struct rv_checkpoint *ret_checkpoint)
{
    RV_AUTO(rv_freep) struct rv_note *notes = calloc(2, sizeof(*notes));
    enum rv_note_finding finding = RV_NOTE_UNSIGNED;
    bool reached;
    int r;

    if (!notes)
        return -ENOMEM;
    r = rv_note_parse(&notes[0], note_bytes);
    if (r == 0)
        r = policy->log_count > 0
                ? rv_checkpoint_open(ret_checkpoint, &finding, note_bytes, policy->logs,
                                     policy->log_count)
                : rv_checkpoint_open(ret_checkpoint, &finding, note_bytes, log_keys, log_key_count);
    if (r < 0)
        return r;
    reached = finding == RV_NOTE_GOOD && quorum_reached(policy, &notes[0], &notes[1], unix_s);
    *ret_quorum = reached ? RV_QUORUM_REACHED : RV_QUORUM_MISSING;
    return 0;
}
